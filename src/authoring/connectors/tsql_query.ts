/**
 * Whether a text is one query of T-SQL that only reads, as far as its words tell.
 *
 * SQL Server has no transaction that refuses to write, and begins another statement without any mark.
 * But the words that begin one are reserved: outside of quotes and comments they name nothing else. The
 * rest is the server's to say, and the rights of the login. Source: Microsoft Learn, "Reserved keywords
 * (Transact-SQL)".
 */

/** Returns what is wrong with it, to follow `Setting "statement"`; undefined: nothing. */
export function tsqlQueryProblem(text: string): string | undefined {
  const words = wordsOf(text);
  if (words === undefined) return "has a quote or a comment that does not end";
  while (words.at(-1) === ";") words.pop();
  const first = words.find((word) => word !== "(");
  if (first !== "SELECT" && first !== "WITH") return "must be a query: SELECT, or WITH and SELECT";
  if (words.includes(";")) return 'must be one query: it goes on behind a ";"';
  const at = words.findIndex((_, index) => doesMore(words, index));
  return at === -1 ? undefined : `must be a query that only reads: it says "${words[at]}"`;
}

/** Words that begin a statement, or have the server do what another text says. */
const doing: ReadonlySet<string> = new Set([
  ...["INSERT", "UPDATE", "DELETE", "MERGE", "TRUNCATE", "INTO", "WRITETEXT", "UPDATETEXT"],
  ...["CREATE", "ALTER", "DROP", "TRIGGER", "GRANT", "DENY", "REVOKE", "REVERT", "SETUSER"],
  ...["EXEC", "EXECUTE", "OPENQUERY", "OPENROWSET", "OPENDATASOURCE", "USE", "SET", "DECLARE"],
  ...["BEGIN", "COMMIT", "ROLLBACK", "SAVE", "IF", "WHILE", "GOTO", "RETURN", "WAITFOR", "PRINT"],
  ...["RAISERROR", "OPEN", "CLOSE", "DEALLOCATE", "READTEXT", "DBCC", "BACKUP", "RESTORE", "KILL"],
  ...["SHUTDOWN", "RECONFIGURE", "CHECKPOINT"],
]);

/** Where those of a query's own say the same: `INNER MERGE JOIN`, `OPTION (USE HINT (…))`. */
const harmless: Readonly<Record<string, readonly string[]>> = {
  MERGE: ["JOIN", "UNION"],
  USE: ["HINT", "PLAN"],
};

function doesMore(words: readonly string[], at: number): boolean {
  const [word = "", next = "", third] = words.slice(at, at + 3);
  // A sequence stays where it is then, also when everything is rolled back.
  if (word === "NEXT") return next === "VALUE" && third === "FOR";
  if (word === "{") return next === "CALL" || next === "?";
  return doing.has(word) && harmless[word]?.includes(next) !== true;
}

const space = /(?:\s|--[^\n]*)+/y;
/** Strings, and names in quotes or brackets: whatever is in them is no word. */
const quoted = /'(?:[^']|'')*'|"(?:[^"]|"")*"|\[(?:[^\]]|\]\])*\]/y;
/** The server takes `1DELETE` for two words, and so is `0xDELETE`. */
const number = /0x[0-9a-f]*|\d+(?:\.\d*)?(?:e[+-]?\d*)?|\.\d+(?:e[+-]?\d*)?/iy;
const name = /[\p{L}_@#][\p{L}\p{N}_@#$]*/uy;
const QUOTES = "'\"[";

/** Words in capitals, and single characters; undefined when something stays open. */
function wordsOf(text: string): string[] | undefined {
  const words: string[] = [];
  for (let at = 0; at < text.length;) {
    const skipped = lengthOf(space, text, at) || lengthOf(number, text, at) ||
      lengthOf(quoted, text, at);
    if (skipped > 0) {
      at += skipped;
      continue;
    }
    if (text.startsWith("/*", at)) {
      const end = commentEnd(text, at);
      if (end === undefined) return undefined;
      at = end;
      continue;
    }
    if (QUOTES.includes(text[at]!)) return undefined;
    const length = lengthOf(name, text, at) || 1;
    words.push(text.slice(at, at + length).toUpperCase());
    at += length;
  }
  return words;
}

function lengthOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0].length ?? 0;
}

/** A comment may stand in a comment. */
function commentEnd(text: string, from: number): number | undefined {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    if (text.startsWith("/*", at)) depth += 1;
    else if (text.startsWith("*/", at)) depth -= 1;
    else continue;
    at += 1;
    if (depth === 0) return at + 1;
  }
  return undefined;
}
