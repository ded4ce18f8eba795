/** What the tests use of the library "antlr4ts-sql". */

interface Listener {
  syntaxError(by: unknown, at: unknown, line: number, column: number, message: string): void;
}

interface Listened {
  removeErrorListeners(): void;
  addErrorListener(listener: Listener): void;
}

declare const grammar: {
  readonly CharStreams: { fromString(text: string): object };
  /** Keywords in any case. */
  readonly CaseChangingStream: new (stream: object, upper: boolean) => object;
  readonly CommonTokenStream: new (lexer: object) => object;
  readonly PredictionMode: { readonly SLL: number };
  readonly TSqlLexer: new (input: object) => Listened;
  readonly TSQLGrammar: {
    readonly TSqlParser: new (tokens: object) => Listened & {
      readonly interpreter: { setPredictionMode(mode: number): void };
      tsql_file(): object;
    };
  };
};
export default grammar;
