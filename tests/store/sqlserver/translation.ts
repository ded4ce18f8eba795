/**
 * The T-SQL of the SQL Server store in words of PostgreSQL, by rules that know its habits and nothing
 * more: what they cannot translate, PostgreSQL refuses.
 */

/** What PostgreSQL lacks; made beside the tables. */
export const functions = `
CREATE FUNCTION datalength(text) RETURNS integer IMMUTABLE
  RETURN octet_length($1);
CREATE FUNCTION object_id(text, text DEFAULT 'U') RETURNS oid STABLE
  RETURN (SELECT c.oid FROM pg_class AS c
           WHERE c.relname = $1 AND c.relnamespace = current_schema()::regnamespace);
CREATE FUNCTION charindex(text, text) RETURNS integer IMMUTABLE
  RETURN strpos($2, $1);
CREATE FUNCTION hashbytes(text, text) RETURNS bytea IMMUTABLE
  RETURN sha256(convert_to($2, 'UTF8'));
CREATE FUNCTION string_escape(text, text) RETURNS text IMMUTABLE
  RETURN substr(to_json($1)::text, 2, length(to_json($1)::text) - 2);
CREATE FUNCTION connectionproperty(text) RETURNS text STABLE
  RETURN host(inet_client_addr());
CREATE OPERATOR + (LEFTARG = text, RIGHTARG = text, FUNCTION = textcat);
`;

const words: readonly (readonly [RegExp, string])[] = [
  [
    /DATEDIFF_BIG\(MICROSECOND, CAST\(N'1970-01-01' AS datetime2\), SYSUTCDATETIME\(\)\)/g,
    "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
  ],
  [/\bIDENTITY\(1, 1\)/g, "GENERATED ALWAYS AS IDENTITY"],
  [/\bmefor\./g, ""],
  [/\bN'/g, "'"],
  [/\[([a-z]\w*)\]/g, '"$1"'],
  [/COLLATE Latin1_General_100_BIN2/g, 'COLLATE "C"'],
  [/ WITH \(UPDLOCK, HOLDLOCK, ROWLOCK\)/g, ""],
  [/OPTION \(RECOMPILE\)/g, ""],
  [/\bCOUNT_BIG\(/g, "count("],
  [/\bnvarchar\(max\)/g, "text"],
  [/\bnvarchar\(/g, "varchar("],
  [/\bbinary\(32\)/g, "bytea"],
  [/PRIMARY KEY (NON)?CLUSTERED/g, "PRIMARY KEY"],
  [/^( *)(\w+_prefix) +AS (.*) PERSISTED/gm, "$1$2 text GENERATED ALWAYS AS ($3) STORED"],
  [/^( *)(\w+_hash) +AS (.*) PERSISTED/gm, "$1$2 bytea GENERATED ALWAYS AS ($3) STORED"],
  [/OFFSET (@p\d+) ROWS FETCH NEXT (@p\d+) ROWS ONLY/g, "OFFSET $1 LIMIT $2"],
  [/OFFSET (@p\d+) ROWS/g, "OFFSET $1"],
];

export interface Step {
  readonly text: string;
  /** Only where the step before changed no row. */
  readonly isElse: boolean;
}

/** Returns what a text has to say, one statement after the other. */
export function translate(text: string): readonly Step[] {
  let translated = text.replaceAll(/^\s*--.*$/gm, "");
  translated = withoutVariables(translated);
  for (const [pattern, by] of words) translated = translated.replaceAll(pattern, by);
  return splitAt(translated, ";").map((statement) => {
    const isElse = /^\s*IF @@ROWCOUNT = 0\s/.test(statement);
    const bare = statement.replace(/^\s*IF @@ROWCOUNT = 0\s/, "").trim();
    return { isElse, text: limited(lists(updated(deleted(bare)))) };
  }).filter((step) => step.text !== "");
}

/** What goes through a table variable comes back by itself, or is there for the query behind it. */
function withoutVariables(text: string): string {
  const whole =
    /^\s*DECLARE (@\w+) TABLE [\s\S]*?\);\s*([\s\S]*?)\s*OUTPUT ([^;]*?)\s+INTO \1 \([^)]*\)([^;]*);\s*SELECT [^;]* FROM \1\s*$/;
  const asked =
    /^\s*DECLARE @(\w+) TABLE [\s\S]*?\);\s*(UPDATE [\s\S]*?)\s*OUTPUT ([^;]*?)\s+INTO @\1 (\([^)]*\))([^;]*);(\s*SELECT [^;]*)$/;
  const bare = (returned: string) => returned.replaceAll(/\b(inserted|deleted)\./g, "");
  return text.replace(
    whole,
    (_, _name, change, returned, rest) => `${change} ${rest} RETURNING ${bare(returned)}`,
  ).replace(
    asked,
    (_, name, change, returned, columns, rest, query) =>
      `WITH ${name} ${columns} AS (${change} ${rest} RETURNING ${bare(returned)})` +
      query.replaceAll(`@${name}`, name),
  );
}

/** `WITH due AS (SELECT … FROM t AS x …) DELETE FROM due` */
function deleted(text: string): string {
  const found =
    /^WITH due AS \(\s*SELECT (TOP \(@p\d+\) )[\w."]+(?:, [\w."]+)*\s+FROM (\w+) AS (\w)\s([\s\S]*?)\)\s*DELETE FROM due([\s\S]*)$/
      .exec(text);
  if (found === null) return text;
  const [, top, table, alias, rest, tail] = found;
  return `DELETE FROM ${table} WHERE ctid IN (SELECT ${top}${alias}.ctid FROM ${table} AS ${alias} ${rest}) ${tail}`;
}

/** `UPDATE x SET … FROM t AS x JOIN … ON … WHERE …` */
function updated(text: string): string {
  const found = /^UPDATE (\w)\s+SET ([\s\S]*?)\s+FROM (\w+) AS \1\b([\s\S]*)$/.exec(text);
  if (found === null) return text;
  const [, alias, set, table, rest] = found;
  const [joins = "", ...where] = splitAt(rest!, " WHERE ");
  const sources: string[] = [];
  const conditions = where.map((one) => `(${one})`);
  for (const join of splitAt(joins, "JOIN ").map((one) => one.trim()).filter((one) => one !== "")) {
    const [source = "", on = ""] = splitAt(join, " ON ");
    sources.push(source);
    conditions.push(`(${on})`);
  }
  const from = sources.length === 0 ? "" : ` FROM ${sources.join(", ")}`;
  return `UPDATE ${table} AS ${alias} SET ${set}${from} WHERE ${conditions.join(" AND ")}`;
}

/** `OPENJSON(@p1) WITH (seq bigint '$[0]', …)`, and the form without columns. */
function lists(text: string): string {
  let rest = text;
  let done = "";
  for (;;) {
    const at = rest.indexOf("OPENJSON(");
    if (at < 0) return done + rest;
    const end = closing(rest, at + "OPENJSON".length);
    const list = rest.slice(at + "OPENJSON(".length, end);
    const columns = /^\s*WITH \(/.exec(rest.slice(end + 1));
    done += rest.slice(0, at);
    if (columns === null) {
      done +=
        `(SELECT (o - 1)::text AS "key", v AS value FROM jsonb_array_elements_text(${list}::jsonb) ` +
        "WITH ORDINALITY AS e (v, o))";
      rest = rest.slice(end + 1);
      continue;
    }
    const from = end + columns[0].length;
    const to = closing(rest, from);
    const wanted = rest.slice(from + 1, to)
      .replaceAll(/([\w"]+) (\w+(?:\(\d+\))?) '\$\[(\d+)\]'/g, "(j ->> $3)::$2 AS $1");
    done += `(SELECT ${wanted} FROM jsonb_array_elements(${list}::jsonb) AS j)`;
    rest = rest.slice(to + 1);
  }
}

/** `SELECT TOP (n) …` takes its limit at its end. */
function limited(text: string): string {
  const at = text.lastIndexOf("SELECT TOP (");
  if (at < 0) return text;
  const open = at + "SELECT TOP ".length;
  const close = closing(text, open);
  let depth = 0;
  let end = close + 1;
  for (; end < text.length; end += 1) {
    if (text[end] === "(") depth += 1;
    else if (text[end] === ")" && (depth -= 1) < 0) break;
  }
  const count = text.slice(open, close + 1);
  const select = `SELECT ${text.slice(close + 1, end)} LIMIT ${count}`;
  return limited(text.slice(0, at) + select + text.slice(end));
}

/** Where the parenthesis at `open` is closed. */
function closing(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at += 1) {
    if (text[at] === "(") depth += 1;
    else if (text[at] === ")" && (depth -= 1) === 0) return at;
  }
  throw new Error("A parenthesis stays open");
}

/** Splits where the mark stands outside of parentheses and quotes; any space of it is any space. */
function splitAt(text: string, mark: string): string[] {
  const pattern = new RegExp(mark.replaceAll(" ", "\\s"), "y");
  const parts: string[] = [];
  let [from, depth] = [0, 0];
  let isQuoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const one = text[at];
    if (one === "'") isQuoted = !isQuoted;
    if (isQuoted) continue;
    if (one === "(") depth += 1;
    else if (one === ")") depth -= 1;
    if (depth > 0) continue;
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found === null) continue;
    parts.push(text.slice(from, at));
    from = at + found[0].length;
    at = from - 1;
  }
  parts.push(text.slice(from));
  return parts;
}
