/**
 * What a database server's dialect brings, and what everybody above it speaks in.
 *
 * Meaning stands once in this folder; `postgres/` and `sqlserver/` hold connections, texts and what
 * failures mean.
 */
import type { QueryName } from "../query_names.ts";
import type { RegisterChangeName, RegisterQueryName } from "../registers/mod.ts";
import type { StoreFailure } from "../errors.ts";
import type { ChangeStatement, CheckName, StatementName } from "./statement_names.ts";

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** How to sign in to SQL Server; PostgreSQL knows `sql` only. */
  readonly auth?: "sql" | "integrated" | "entra";
  readonly encrypt: boolean;
  readonly trustServerCertificate: boolean;
  /** PEM of the authorities the server's certificate is checked against; unset: public ones. */
  readonly caText: string | undefined;
  /** Unset: what the server says for the database user. */
  readonly schema: string | undefined;
  readonly applicationName: string;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
}

export type ServerCell = string | number | null;
/** A list is one value: each dialect writes it its own way. */
export type ServerValue = ServerCell | boolean | readonly ServerCell[];
export type ServerRow = Readonly<Record<string, ServerCell>>;

export interface ServerResult {
  readonly rows: readonly ServerRow[];
  /** Rows changed or read. */
  readonly count: number;
}

/**
 * One connection. What is asked without waiting is done in order; inside a transaction nothing is
 * done after what failed, until it is rolled back.
 */
export interface ServerConnection {
  readonly isLost: boolean;
  /** Statements asked over this connection. */
  readonly statements: number;
  /** Called once, when the connection is gone without `close()`. */
  set onLost(act: () => void);
  /** Asks for a statement of the writer's. @throws {ConnectionLost} */
  run(name: StatementName, ...values: readonly ServerValue[]): Promise<ServerResult>;
  /** Asks for any statement; a name has it prepared once, where that exists. */
  ask(text: string, values?: readonly ServerValue[], name?: string): Promise<ServerResult>;
  begin(): Promise<unknown>;
  /** Durable when it resolves. @throws when it did not take place, or nobody knows. */
  commit(): Promise<unknown>;
  rollBack(): Promise<unknown>;
  /** Ends the session; waits for nothing that was asked. */
  close(): Promise<void>;
  /** Drops the connection at once. */
  destroy(): void;
}

/** Who a connection is for: the one writer, or one that only reads. */
export type ConnectionRole = "writer" | "reader";

/** Names a session of the server for as long as it lives. */
export interface Backend {
  readonly pid: number;
  readonly startedAt: string;
}

/** Some statements of one batch, each with its values. */
export type Parts = readonly {
  readonly name: ChangeStatement;
  readonly values: readonly ServerValue[];
}[];

export interface Dialect {
  /** For people: `PostgreSQL`. */
  readonly product: string;
  /** Text of the writer's statements; one that lacks any does not compile. */
  readonly statements: Readonly<Record<StatementName, string>>;
  readonly queries: Readonly<Record<QueryName, string>>;
  readonly registers: Readonly<Record<RegisterChangeName | RegisterQueryName, string>>;
  /** Each counts, as `found`, what should not be there. */
  readonly checks: Readonly<Record<CheckName, string>>;
  /** @throws {ConnectionLost} @throws {StoreError} `store.tls_refused`, `store.open_failed`. */
  connect(options: ServerOptions, role: ConnectionRole): Promise<ServerConnection>;
  /** Brings the schema up to date; returns warnings. @throws {StoreError} it cannot be this store's. */
  openSchema(connection: ServerConnection, options: ServerOptions): Promise<readonly string[]>;
  /** Takes the lock that keeps a second engine off the store; it ends with the connection. */
  tryLock(connection: ServerConnection, options: ServerOptions): Promise<boolean>;
  /**
   * Says that an opening of the store lives, for as long as the connection stands: whoever changes keys
   * asks. Waits for the end of a former connection that said so.
   */
  holdSession(connection: ServerConnection, session: string): Promise<void>;
  identify(connection: ServerConnection): Promise<Backend | undefined>;
  /** Ends the session of a connection that was lost, if the server still holds it and allows it. */
  endSession(connection: ServerConnection, backend: Backend): Promise<void>;
  /**
   * Ends sessions that were left in the middle of a transaction of the store, by a node that is cut
   * off, if this one may: whoever writes next would wait for them.
   */
  endIdle(connection: ServerConnection): Promise<void>;
  /** Says what a batch has changed in one statement. */
  join(
    parts: Parts,
  ): { readonly text: string; readonly values: readonly ServerValue[]; readonly name?: string };
  /** A condition for {@link Fence} that holds while the term of this number lasts. */
  leads(epoch: number): Fence;
  /** One that never holds. */
  readonly leadsNever: Fence;
  /** Says nothing of any value a statement was bound to. */
  describeFailure(thrown: unknown): StoreFailure;
  /** True for failures of server, disk or network: no member of a batch is to blame. */
  isEnvironmental(thrown: unknown): boolean;
  /** Whether a transaction that relied on memory failed because it must not; see `beginTrusting`. */
  isRefusedTrust(thrown: unknown): boolean;
}

/**
 * What a cluster adds: a condition in the dialect's words that holds while this node leads. Where it
 * does not, nothing is claimed, nothing is born in flight and nothing is purged; what is in flight is
 * resolved all the same, for its token guards it, and what is received is stored.
 */
export interface Fence {
  /** Text of the program's own, never of anybody else; it refers to the values by their position. */
  readonly condition: string;
  readonly values: readonly (string | number)[];
}
