/** What this room and `maintenance/` use of the library "mssql", which has no types of its own. */
import type { Socket } from "node:net";

/** A type of a value, with its length where it has one. */
type Type = unknown;

interface Column {
  readonly name: string;
  readonly type: Type;
}

/** A column of rows that come as lists. */
interface ListColumn extends Column {
  /** Of decimals: digits behind the point. */
  readonly scale?: number;
}

/** A cell as the library reads it; those of some types are of classes of its own. */
type RawCell = string | number | boolean | Date | Uint8Array | null;

type Recordset = readonly Record<string, string | number | boolean | null>[] & {
  readonly columns: Readonly<Record<string, Column>>;
};

interface Answer {
  readonly recordsets: readonly Recordset[];
  /** Of each statement that counts rows. */
  readonly rowsAffected: readonly number[];
}

/** Of the library below: one connection. */
interface Raw {
  close(): void;
  on(event: "end", act: () => void): void;
  on(event: "error", act: (thrown: Error) => void): void;
  /** Of the server; that of a sign-in is told nowhere else. */
  on(event: "errorMessage", act: (told: { readonly number: number }) => void): void;
}

interface Config {
  readonly server: string;
  readonly port: number;
  readonly database: string;
  readonly user?: string;
  readonly password?: string;
  readonly domain?: string;
  readonly authentication_type?: "azure-active-directory-access-token";
  readonly token?: string;
  /** Milliseconds. */
  readonly connectionTimeout: number;
  /** Milliseconds. */
  readonly requestTimeout: number;
  readonly validateConnection: false;
  readonly beforeConnect: (raw: Raw) => void;
  readonly pool: {
    readonly min: number;
    readonly max: number;
    readonly idleTimeoutMillis: number;
    readonly reapIntervalMillis: number;
  };
  readonly options: {
    readonly appName: string;
    readonly workstationId: string;
    readonly packetSize: number;
    readonly encrypt: boolean;
    readonly trustServerCertificate: boolean;
    /** `XACT_ABORT`. */
    readonly abortTransactionOnError: boolean;
    /** Of a sign-in. */
    readonly maxRetriesOnTransientErrors?: number;
    readonly enableArithAbort: boolean;
    /** Milliseconds. */
    readonly cancelTimeout: number;
    readonly cryptoCredentialsDetails: { readonly ca?: string; readonly minVersion: "TLSv1.2" };
    /** Makes the socket; else addresses are looked up and connected to by number. */
    readonly connector: () => Promise<Socket>;
  };
}

declare class ConnectionPool {
  constructor(config: Config);
  connect(): Promise<ConnectionPool>;
  close(): Promise<void>;
  on(event: "error", act: (thrown: Error) => void): void;
}

declare class Transaction {
  constructor(pool: ConnectionPool);
  begin(isolationLevel: number): Promise<unknown>;
  commit(): Promise<void>;
  rollback(): Promise<void>;
  /** `true`: by the server. */
  on(event: "rollback", act: (isAborted: boolean) => void): void;
}

declare class Request {
  constructor(parent: ConnectionPool | Transaction);
  input(name: string, type: Type, value: string | number | boolean | null): Request;
  /** With values, so that what it sets of the session ends with it. */
  query(text: string): Promise<Answer>;
  /** As it is. */
  batch(text: string): Promise<Answer>;
  /** Tells of rows as they arrive; `query()` resolves to nothing of use then. */
  stream: boolean;
  /** Rows as lists. */
  arrayRowMode: boolean;
  on(event: "recordset", act: (columns: readonly ListColumn[]) => void): void;
  on(event: "row", act: (cells: readonly RawCell[]) => void): void;
  on(event: "error", act: (thrown: Error) => void): void;
  /** Also behind an error. */
  on(event: "done", act: () => void): void;
  cancel(): void;
}

declare const mssql: {
  readonly ConnectionPool: typeof ConnectionPool;
  readonly Transaction: typeof Transaction;
  readonly Request: typeof Request;
  readonly ISOLATION_LEVEL: { readonly READ_COMMITTED: number };
  readonly MAX: number;
  readonly BigInt: Type;
  readonly Binary: Type;
  readonly Bit: Type;
  readonly Char: Type;
  readonly Date: Type;
  readonly DateTime: Type;
  readonly DateTime2: Type;
  readonly DateTimeOffset: Type;
  readonly Decimal: Type;
  readonly Float: Type;
  readonly Image: Type;
  readonly Int: Type;
  readonly Money: Type;
  readonly NChar: Type;
  readonly NText: Type;
  readonly Numeric: Type;
  readonly Real: Type;
  readonly SmallDateTime: Type;
  readonly SmallInt: Type;
  readonly SmallMoney: Type;
  readonly Text: Type;
  readonly Time: Type;
  readonly TinyInt: Type;
  readonly UniqueIdentifier: Type;
  readonly VarBinary: Type;
  readonly VarChar: Type;
  readonly Xml: Type;
  readonly NVarChar: Type & ((length: number) => Type);
};
export default mssql;
export type {
  Answer,
  Config,
  ConnectionPool,
  ListColumn,
  Raw,
  RawCell,
  Recordset,
  Request,
  Transaction,
  Type,
};
