/** What this room uses of the library "pg", whose own types replace those of the runtime's node. */

interface Answer {
  readonly rows: Record<string, string | number | null>[];
  readonly rowCount: number | null;
  readonly command: string;
}

/** Rows as lists, with what the server says of their columns. */
interface ListAnswer {
  readonly rows: readonly (readonly (string | number | null)[])[];
  readonly fields: readonly { readonly name: string; readonly dataTypeID: number }[];
}

interface Config {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string | undefined;
  readonly password: string;
  readonly application_name: string;
  readonly connectionTimeoutMillis: number;
  /** Milliseconds. */
  readonly statement_timeout: number;
  readonly keepAlive: boolean;
  readonly keepAliveInitialDelayMillis: number;
  readonly ssl: false | { readonly rejectUnauthorized: boolean; readonly ca?: string };
  readonly types: { getTypeParser(oid: number): (text: string) => string | number };
  /** Statements go out without waiting for the answers of those before. */
  readonly pipeline: boolean;
}

declare class Client {
  constructor(config: Config);
  /** Of the library's inside: its socket. */
  readonly connection: {
    readonly stream: {
      destroy(): void;
      cork(): void;
      uncork(): void;
      on(event: "data", act: (chunk: Uint8Array) => void): void;
    };
  };
  connect(): Promise<Client>;
  query(text: string): Promise<unknown>;
  query(statement: {
    readonly text: string;
    readonly rowMode: "array";
    /** The server takes one statement only, and refuses two. */
    readonly queryMode: "extended";
  }): Promise<ListAnswer>;
  query(statement: {
    readonly text: string;
    readonly values: readonly (string | number | boolean | null)[] | undefined;
    readonly name: string | undefined;
  }): Promise<Answer>;
  end(): Promise<void>;
  on(event: "error" | "end", act: () => void): void;
}

declare const pg: {
  readonly Client: typeof Client;
  escapeIdentifier(name: string): string;
};
export default pg;
export type { Answer, Client };
