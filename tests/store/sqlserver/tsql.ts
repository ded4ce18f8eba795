/**
 * A real parser of T-SQL: the ANTLR grammar of the grammars-v4 project, generated for TypeScript.
 *
 * It knows syntax and nothing of types, names or what the server refuses later on.
 */
import "antlr4ts";
// @ts-types="./antlr4ts_sql.d.ts"
import grammar from "antlr4ts-sql";

/** Returns what is wrong with a text, one line each; none: it parses to its end. */
export function syntaxErrors(sql: string): readonly string[] {
  const found: string[] = [];
  const listener = {
    syntaxError(_by: unknown, _at: unknown, line: number, column: number, message: string) {
      found.push(`${line}:${column} ${message.slice(0, 200)}`);
    },
  };
  const input = new grammar.CaseChangingStream(grammar.CharStreams.fromString(sql), true);
  const lexer = new grammar.TSqlLexer(input);
  lexer.removeErrorListeners();
  lexer.addErrorListener(listener);
  const parser = new grammar.TSQLGrammar.TSqlParser(new grammar.CommonTokenStream(lexer));
  parser.removeErrorListeners();
  parser.addErrorListener(listener);
  // Looks less far ahead: several times faster, and what it takes the full one takes too.
  parser.interpreter.setPredictionMode(grammar.PredictionMode.SLL);
  parser.tsql_file();
  return found;
}
