/**
 * One connection to the server: statements are pipelined, so what is asked together costs one round
 * trip. Whoever asks inside a transaction gets the failure of the first statement that failed.
 */
// @ts-types="./pg.d.ts"
import pg, { type Answer, type Client } from "pg";
import { StoreError } from "../errors.ts";
import { ConnectionLost } from "../server/connection_lost.ts";
import type {
  ServerConnection,
  ServerOptions,
  ServerResult,
  ServerValue,
} from "../server/dialect.ts";
import type { StatementName } from "../server/statement_names.ts";
import { fromStoredText, toStoredText } from "../server/text.ts";
import { endsConnection, sqlState } from "./failures.ts";
import { arrayLiteral } from "./lists.ts";
import { statements } from "./statements.ts";

/** Beyond what the server allows a statement, this long, and the connection counts as lost. */
const GRACE_MS = 1_000;

/**
 * A server that cannot reach us any more lets go of the session: after five seconds of an answer
 * that does not arrive, and fifteen of a connection nothing is said on. By itself it waits for
 * minutes and hours, and a transaction that it answers keeps its locks meanwhile: no time-out of
 * statements or transactions ends it.
 */
const partingSession = [
  "SET tcp_user_timeout TO '5s'",
  "SET tcp_keepalives_idle TO '10s'",
  "SET tcp_keepalives_interval TO '5s'",
  "SET tcp_keepalives_count TO 3",
];

const parsers: ReadonlyMap<number, (text: string) => string | number> = new Map<
  number,
  (text: string) => string | number
>([
  [16, (text: string) => text === "t" ? 1 : 0],
  [20, Number],
  [21, Number],
  [23, Number],
  [1700, Number],
  [25, fromStoredText],
  [1043, fromStoredText],
]);

const types = {
  getTypeParser: (oid: number) => parsers.get(oid) ?? ((text: string) => text),
};

export class Connection implements ServerConnection {
  readonly #client: Client;
  readonly #commandTimeoutMs: number;
  #lost: ConnectionLost | undefined;
  #onLost: (() => void) | undefined;
  #isGathering = false;
  /** Statements asked over this connection. */
  statements = 0;
  /** Statements that are not answered yet. */
  waiting = 0;

  /**
   * Connects and sets the session up.
   *
   * @throws {ConnectionLost}
   * @throws {StoreError} `store.tls_refused`, `store.open_failed`.
   */
  static async open(options: ServerOptions, session: readonly string[] = []): Promise<Connection> {
    const connection = new Connection(options);
    try {
      await connection.#client.connect();
      const place = options.schema === undefined
        ? []
        : [`SET search_path TO ${pg.escapeIdentifier(options.schema)}`];
      const setUp = ["SET client_encoding TO 'UTF8'", ...partingSession, ...place, ...session];
      await connection.#client.query(setUp.join("; "));
      return connection;
    } catch (thrown) {
      connection.destroy();
      throw toFailure(thrown, options);
    }
  }

  private constructor(options: ServerOptions) {
    this.#commandTimeoutMs = options.commandTimeoutMs;
    const { encrypt, trustServerCertificate, caText } = options;
    this.#client = new pg.Client({
      host: options.host,
      port: options.port,
      database: options.database,
      user: options.user,
      // Without one the library would look for a password file.
      password: options.password ?? "",
      application_name: options.applicationName,
      connectionTimeoutMillis: options.connectTimeoutMs,
      statement_timeout: options.commandTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 10_000,
      ssl: encrypt
        ? { rejectUnauthorized: !trustServerCertificate, ...(caText ? { ca: caText } : {}) }
        : false,
      types,
      pipeline: true,
    });
    this.#client.on("error", () => this.#lose());
    this.#client.on("end", () => this.#lose());
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Called once, when the connection is gone without `close()`. */
  set onLost(act: () => void) {
    this.#onLost = act;
  }

  run(name: StatementName, ...values: readonly ServerValue[]): Promise<ServerResult> {
    return this.ask(statements[name], values, name);
  }

  begin(): Promise<unknown> {
    return this.#ask("BEGIN");
  }

  async commit(): Promise<void> {
    const { command } = await this.#ask("COMMIT");
    // The server ends a transaction that has failed otherwise, and says no more than that.
    if (command !== "COMMIT") throw new Error("A transaction ended otherwise than by its commit");
  }

  rollBack(): Promise<unknown> {
    return this.#ask("ROLLBACK");
  }

  /** A name has the statement prepared once. @throws {ConnectionLost} */
  async ask(text: string, values?: readonly ServerValue[], name?: string): Promise<ServerResult> {
    const { rows, rowCount } = await this.#ask(text, values?.map(bound), name);
    return { rows, count: rowCount ?? 0 };
  }

  async #ask(text: string, values?: readonly PgValue[], name?: string): Promise<Answer> {
    if (this.#lost !== undefined) throw this.#lost;
    this.#gather();
    this.statements += 1;
    this.waiting += 1;
    const deadline = setTimeout(() => this.destroy(), this.#commandTimeoutMs + GRACE_MS);
    try {
      return await this.#client.query({ text, values, name });
    } catch (thrown) {
      // A connection that ends fails its statements in words of the library.
      if (this.isLost || sqlState(thrown) === undefined || endsConnection(thrown)) {
        this.destroy();
        throw this.#lost ?? new ConnectionLost();
      }
      throw thrown;
    } finally {
      clearTimeout(deadline);
      this.waiting -= 1;
    }
  }

  /** What is asked before anybody waits goes to the server in one piece. */
  #gather(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    const { stream } = this.#client.connection;
    stream.cork();
    queueMicrotask(() => {
      this.#isGathering = false;
      stream.uncork();
    });
  }

  /** Ends the session; waits for nothing that was asked. */
  async close(): Promise<void> {
    this.#onLost = undefined;
    if (this.isLost) return;
    this.#lost = new ConnectionLost("closed");
    const insist = setTimeout(() => this.#drop(), GRACE_MS);
    await this.#client.end();
    clearTimeout(insist);
  }

  /** Drops the connection at once. */
  destroy(): void {
    this.#lose();
    this.#drop();
  }

  #drop(): void {
    // The library ends politely only; a server that does not answer would be waited for.
    this.#client.connection.stream.destroy();
  }

  #lose(): void {
    if (this.#lost !== undefined) return;
    this.#lost = new ConnectionLost();
    const act = this.#onLost;
    this.#onLost = undefined;
    act?.();
  }
}

type PgValue = string | number | boolean | null;

function bound(value: ServerValue): PgValue {
  if (typeof value === "string") return toStoredText(value);
  return typeof value === "object" && value !== null ? arrayLiteral(value) : value;
}

/** What a connection that was refused says to an operator. */
function toFailure(thrown: unknown, { encrypt, host, port }: ServerOptions): unknown {
  if (!(thrown instanceof Error) || sqlState(thrown) !== undefined) return thrown;
  const text = `${(thrown as { code?: unknown }).code ?? ""} ${thrown.message}`;
  if (encrypt && /certificate|CERT|ISSUER|SSL|TLS|self.signed/i.test(text)) {
    return new StoreError(
      "store.tls_refused",
      `Cannot open the store: no TLS with "${host}:${port}" that can be trusted`,
      {
        cause: thrown,
        hint: /support/.test(text)
          ? "Turn ssl on in postgresql.conf, or set [store] encrypt = false on a trusted network"
          : "Name the authority's PEM file in [store] tls_ca_file, and the server as in its certificate",
      },
    );
  }
  return new ConnectionLost(thrown.message, { cause: thrown });
}
