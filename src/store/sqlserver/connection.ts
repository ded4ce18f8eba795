/**
 * One connection to the server. The protocol takes one request at a time, so what is asked together
 * waits here; in a transaction nothing goes out behind a request that failed, for the server has
 * rolled back by then and would carry it out by itself.
 */
// @ts-types="./mssql.d.ts"
import mssql, {
  type Answer,
  type Config,
  type ConnectionPool,
  type Raw,
  type Transaction,
} from "mssql";
import { StoreError } from "../errors.ts";
import { ConnectionLost } from "../server/connection_lost.ts";
import type {
  ServerConnection,
  ServerOptions,
  ServerResult,
  ServerValue,
} from "../server/dialect.ts";
import type { StatementName } from "../server/statement_names.ts";
import { describeFailure, endsConnection, errorNumber } from "./failures.ts";
import { toParameter, toRows } from "./parameters.ts";
import { signInOf } from "./sign_in.ts";
import { openSocket } from "./socket.ts";
import { statements } from "./statements.ts";
import { bracketed, inSchema } from "./words.ts";

/** Beyond what a statement is allowed, this long for the server to stop it. */
const GRACE_MS = 1_000;
/** Bytes of a packet; the largest that may also be encrypted. */
const PACKET_SIZE = 16_384;
/** Longer than any process runs: the one connection is nobody's to take away. */
const NEVER_MS = 2 ** 31 - 1;

export class Connection implements ServerConnection {
  readonly #pool: ConnectionPool;
  readonly #deadlineMs: number;
  readonly #schema: string | undefined;
  readonly #rendered = new Map<string, string>();
  #raw: Raw | undefined;
  #isUp = false;
  #lost: ConnectionLost | undefined;
  #onLost: (() => void) | undefined;
  /** Done with what was asked so far. */
  #tail: Promise<unknown> = Promise.resolve();
  #isInTransaction = false;
  #transaction: Transaction | undefined;
  /** Why the transaction under way can only be rolled back. */
  #failed: unknown;
  statements = 0;

  /**
   * Connects and sets the session up.
   *
   * @throws {ConnectionLost}
   * @throws {StoreError} `store.tls_refused`, `store.open_failed`.
   */
  static async open(options: ServerOptions, session: string): Promise<Connection> {
    const connection = new Connection(options);
    try {
      await connection.#pool.connect();
      await new mssql.Request(connection.#pool).batch(session);
      connection.#isUp = true;
      return connection;
    } catch (thrown) {
      connection.destroy();
      throw toFailure(thrown, options);
    }
  }

  private constructor(options: ServerOptions) {
    this.#deadlineMs = options.commandTimeoutMs + 2 * GRACE_MS;
    this.#schema = options.schema === undefined ? undefined : bracketed(options.schema);
    this.#pool = new mssql.ConnectionPool({
      ...configOf(options),
      beforeConnect: (raw) => this.#adopt(raw),
    });
    // Each failure reaches whoever asked; without a listener it would end the process as well.
    this.#pool.on("error", () => {});
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Called once, when the connection is gone without `close()`. */
  set onLost(act: () => void) {
    this.#onLost = act;
  }

  run(name: StatementName, ...values: readonly ServerValue[]): Promise<ServerResult> {
    return this.ask(statements[name], values);
  }

  ask(text: string, values: readonly ServerValue[] = []): Promise<ServerResult> {
    return this.#inOrder(async () => {
      if (this.#isInTransaction && this.#failed !== undefined) throw this.#failed;
      this.statements += 1;
      try {
        return toResult(await this.#request(text, values));
      } catch (thrown) {
        const failure = this.#judge(thrown);
        if (this.#isInTransaction) this.#failed = failure;
        throw failure;
      }
    });
  }

  begin(): Promise<void> {
    return this.#inOrder(async () => {
      this.#isInTransaction = true;
      this.#failed = undefined;
      const transaction = new mssql.Transaction(this.#pool);
      // The server has rolled back by itself, and the library has let go of the transaction.
      transaction.on("rollback", (isAborted) => {
        if (isAborted && this.#transaction === transaction) this.#transaction = undefined;
      });
      try {
        await this.#inTime(transaction.begin(mssql.ISOLATION_LEVEL.READ_COMMITTED));
        this.#transaction = transaction;
      } catch (thrown) {
        this.#failed = this.#judge(thrown);
        throw this.#failed;
      }
    });
  }

  commit(): Promise<void> {
    return this.#inOrder(async () => {
      if (this.#failed !== undefined) throw this.#failed;
      const transaction = this.#transaction;
      // Without a statement that failed, which the server would have said.
      if (transaction === undefined) throw this.#failed = this.#drop();
      try {
        await this.#inTime(transaction.commit());
      } catch (thrown) {
        // Only a number says that it did not take place.
        throw this.#failed = errorNumber(thrown) === undefined ? this.#drop() : this.#judge(thrown);
      }
      this.#transaction = undefined;
      this.#isInTransaction = false;
    });
  }

  rollBack(): Promise<void> {
    return this.#inOrder(async () => {
      const transaction = this.#transaction;
      this.#transaction = undefined;
      this.#failed = undefined;
      this.#isInTransaction = false;
      if (transaction === undefined) return;
      try {
        await this.#inTime(transaction.rollback());
      } catch {
        throw this.#drop();
      }
    });
  }

  /** Ends the session; waits for nothing that was asked. */
  async close(): Promise<void> {
    this.#onLost = undefined;
    if (this.isLost) return;
    this.#lost = new ConnectionLost("closed");
    this.#raw?.close();
    await this.#closePool();
  }

  /** Drops the connection at once. */
  destroy(): void {
    this.#drop();
  }

  #drop(): ConnectionLost {
    this.#lose();
    this.#raw?.close();
    void this.#closePool();
    return this.#lost!;
  }

  async #closePool(): Promise<void> {
    // What was borrowed for a transaction is given back when that has failed.
    const transaction = this.#transaction;
    this.#transaction = undefined;
    await Promise.allSettled([transaction?.rollback(), this.#pool.close()]);
  }

  #lose(): void {
    if (this.#lost !== undefined) return;
    this.#lost = new ConnectionLost();
    const act = this.#onLost;
    this.#onLost = undefined;
    act?.();
  }

  /** The library connects once to try, then for good; it must never do so again behind our back. */
  #adopt(raw: Raw): void {
    if (this.#isUp || this.isLost) {
      this.#lose();
      raw.close();
      throw this.#lost!;
    }
    this.#raw = raw;
    const isGone = () => this.#raw === raw && this.#isUp && this.#drop();
    raw.on("end", isGone);
    raw.on("error", isGone);
  }

  #inOrder<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(() => {
      if (this.#lost !== undefined) throw this.#lost;
      return act();
    });
    this.#tail = done.catch(() => {});
    return done;
  }

  #request(text: string, values: readonly ServerValue[]): Promise<Answer> {
    const request = new mssql.Request(this.#transaction ?? this.#pool);
    for (const [at, given] of values.entries()) {
      const { type, value } = toParameter(given);
      request.input(`p${at + 1}`, type, value);
    }
    return this.#inTime(request.query(this.#render(text)));
  }

  /** The library has a statement stopped in time; when even that is not answered, nobody is there. */
  async #inTime<T>(done: Promise<T>): Promise<T> {
    const deadline = setTimeout(() => this.#drop(), this.#deadlineMs);
    try {
      return await done;
    } finally {
      clearTimeout(deadline);
    }
  }

  /** Tables stand in the schema, or where the server looks for the database user's. */
  #render(text: string): string {
    let rendered = this.#rendered.get(text);
    if (rendered === undefined) {
      rendered = inSchema(text, this.#schema);
      this.#rendered.set(text, rendered);
    }
    return rendered;
  }

  /** What a failure is to whoever asked; a connection that is not as it was is dropped. */
  #judge(thrown: unknown): unknown {
    if (thrown instanceof TypeError) return thrown;
    if (this.isLost || endsConnection(thrown)) return this.#drop();
    return thrown;
  }
}

function toResult({ recordsets, rowsAffected }: Answer): ServerResult {
  const count = rowsAffected.reduce((sum, one) => sum + one, 0);
  return { rows: toRows(recordsets.at(-1)), count };
}

type Settled = Omit<Config, "beforeConnect">;

/** What the library is told. */
export function configOf(options: ServerOptions): Settled {
  const { host, port, encrypt, trustServerCertificate, caText } = options;
  return {
    ...signInOf(options),
    server: host,
    port,
    database: options.database,
    connectionTimeout: options.connectTimeoutMs,
    requestTimeout: options.commandTimeoutMs,
    validateConnection: false,
    pool: { min: 1, max: 1, idleTimeoutMillis: NEVER_MS, reapIntervalMillis: NEVER_MS },
    options: {
      appName: options.applicationName,
      // Else the library asks the system for its name, which the engine may not.
      workstationId: options.applicationName,
      packetSize: PACKET_SIZE,
      encrypt,
      trustServerCertificate,
      abortTransactionOnError: true,
      enableArithAbort: true,
      cancelTimeout: GRACE_MS,
      cryptoCredentialsDetails: {
        minVersion: "TLSv1.2",
        ...(caText === undefined ? {} : { ca: caText }),
      },
      connector: () => openSocket({ host, port }, options.connectTimeoutMs).opened,
    },
  };
}

/** What a connection that was refused says to an operator. */
function toFailure(thrown: unknown, { encrypt, host, port }: ServerOptions): unknown {
  if (thrown instanceof StoreError || !(thrown instanceof Error)) return thrown;
  if (errorNumber(thrown) !== undefined) return thrown;
  if (encrypt && /certificate|CERT|ISSUER|SSL|TLS|self.signed/i.test(thrown.message)) {
    return new StoreError(
      "store.tls_refused",
      `Cannot open the store: no TLS with "${host}:${port}" that can be trusted`,
      {
        cause: thrown,
        hint:
          "Name the authority's PEM file in [store] tls_ca_file, and the server as in its certificate",
      },
    );
  }
  if (!encrypt && /requires encryption/.test(thrown.message)) {
    return new StoreError(
      "store.tls_refused",
      `Cannot open the store: "${host}:${port}" takes connections in TLS only`,
      { cause: thrown, hint: "Set [store] encrypt = true" },
    );
  }
  if (describeFailure(thrown).code === "store.sign_in_refused") return thrown;
  return new ConnectionLost(thrown.message, { cause: thrown });
}
