/**
 * Reads the rows of a reference set from a SQL Server database: one query, over a connection of its
 * own, in a transaction that is never committed.
 *
 * The server knows no transaction that refuses to write, so what the statement may be is read from its
 * words when the graph is loaded (`authoring/connectors/tsql_query.ts`). The result is taken as a whole
 * or not at all, and no more of it than a file may hold comes into memory. What the server says of a
 * failure may quote a row, so only its number is passed on.
 * Source: spec connectors-and-graph §4.6.
 */
import type { Socket } from "node:net";
// @ts-types="../store/sqlserver/mssql.d.ts"
import mssql, { type ConnectionPool, type Raw, type RawCell, type Request } from "mssql";
import { EngineError } from "../errors.ts";
import type { DatabaseReference } from "../graph/graph.ts";
import { unreadableReference as unreadable } from "../graph/mod.ts";
import { configOf } from "../store/sqlserver/connection.ts";
import { describeFailure, isTimeout } from "../store/sqlserver/failures.ts";
import { openSocket } from "../store/sqlserver/socket.ts";
import { isAboutTls, sourceFailure, timedOut, tlsRefused, unreachable } from "./source_failures.ts";
import { SOURCE_BYTES_MAX, sourceTooLarge } from "./source_limits.ts";
import { type Row, SourceRows } from "./source_rows.ts";
import { columnOf } from "./sqlserver_cells.ts";

/** How much longer than its limit a query lasts, when the server does not stop it by itself. */
const GRACE_MS = 1_000;
/** How long the library may take to let go of what it has. */
const CLOSE_MS = 1_000;

/** Of a deadlock the source is the victim, and not those whose database it is. */
export const session = "SET NOCOUNT ON; SET XACT_ABORT ON; SET DEADLOCK_PRIORITY LOW; " +
  "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; BEGIN TRANSACTION";

/**
 * Runs the query and returns its rows in the order of their keys.
 *
 * @throws {EngineError} `reference.unreachable`, `reference.sign_in_refused`, `reference.tls_refused`,
 * `reference.query_refused`, `reference.timed_out`, `reference.source_too_large`.
 * @throws {GraphError} `graph.reference_unreadable`: the result is no table of keys and values.
 */
export async function readSqlServer(
  definition: DatabaseReference,
  signal: AbortSignal,
): Promise<readonly Row[]> {
  const caText = definition.tlsCaFile === undefined
    ? undefined
    : await Deno.readTextFile(definition.tlsCaFile);
  const line = new Line(definition, caText);
  const onAbort = () => line.drop(unreachable(definition));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    await line.open();
    return await line.read();
  } catch (thrown) {
    throw line.reason ?? failureOf(thrown, definition, line);
  } finally {
    signal.removeEventListener("abort", onAbort);
    await line.close();
  }
}

/**
 * One connection for one query. Nothing of it waits for the library once it was dropped: that gives up
 * what it has only when it hears of it, and some of it never.
 */
class Line {
  readonly #definition: DatabaseReference;
  readonly #pool: ConnectionPool;
  readonly #sockets = new Set<Socket>();
  readonly #dropped = Promise.withResolvers<never>();
  #opening: Promise<unknown> = Promise.resolve();
  #raw: Raw | undefined;
  #request: Request | undefined;
  #deadline: ReturnType<typeof setTimeout> | undefined;
  /** Why it was dropped. */
  reason: EngineError | undefined;
  isOpen = false;
  /** Of the server's first error. */
  errorNumber: number | undefined;

  constructor(definition: DatabaseReference, caText: string | undefined) {
    this.#definition = definition;
    const { options, ...config } = configOf({
      ...definition,
      user: definition.username,
      password: definition.password?.reveal(),
      caText,
      schema: undefined,
      applicationName: "messagefoundry reference",
      commandTimeoutMs: definition.statementTimeoutMs,
    });
    this.#pool = new mssql.ConnectionPool({
      ...config,
      options: { ...options, maxRetriesOnTransientErrors: 0, connector: () => this.#dial() },
      beforeConnect: (raw) => this.#adopt(raw),
    });
    // Each failure reaches whoever asked; without somebody to hear it, it would end the process too.
    this.#pool.on("error", () => {});
    this.#dropped.promise.catch(() => {});
  }

  /** Signs in and begins the transaction. */
  async open(): Promise<void> {
    this.#endAfter(this.#definition.connectTimeoutMs, unreachable(this.#definition));
    this.#opening = this.#pool.connect();
    await this.#unlessDropped(this.#opening);
    await this.#unlessDropped(new mssql.Request(this.#pool).batch(session));
    this.isOpen = true;
  }

  async read(): Promise<readonly Row[]> {
    this.#endAfter(this.#definition.statementTimeoutMs + GRACE_MS, timedOut());
    return await this.#unlessDropped(this.#rows());
  }

  /** Ends it at once, wherever it is. */
  drop(reason: EngineError): void {
    this.reason ??= reason;
    this.#end();
    this.#dropped.reject(reason);
  }

  async close(): Promise<void> {
    clearTimeout(this.#deadline);
    this.#end();
    const { promise: isLate, resolve } = Promise.withResolvers<void>();
    const insist = setTimeout(resolve, CLOSE_MS);
    await Promise.race([this.#closePool(), isLate]);
    clearTimeout(insist);
  }

  async #closePool(): Promise<void> {
    // The library refuses to close what it is opening.
    await Promise.allSettled([this.#opening]);
    await Promise.allSettled([this.#pool.close()]);
  }

  /** The server rolls back when the connection is gone. */
  #end(): void {
    // What still arrives is nobody's: without this the library trips over the end of an answer.
    this.#request?.cancel();
    this.#raw?.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #endAfter(ms: number, reason: EngineError): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.drop(reason), ms);
  }

  #unlessDropped<T>(done: Promise<T>): Promise<T> {
    return Promise.race([done, this.#dropped.promise]);
  }

  /** The library connects once to try, then for good; never again behind our back. */
  #adopt(raw: Raw): void {
    if (!this.isOpen && this.reason === undefined) {
      this.#raw = raw;
      raw.on("errorMessage", ({ number }) => this.errorNumber ??= number);
      return;
    }
    raw.close();
    throw this.reason ?? unreachable(this.#definition);
  }

  #dial(): Promise<Socket> {
    const { socket, opened } = openSocket(this.#definition, this.#definition.connectTimeoutMs);
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    // What arrives is counted as it arrives: one row may be larger than all memory.
    let bytes = 0;
    socket.on("data", ({ length }: Uint8Array) => {
      bytes += length;
      if (bytes > SOURCE_BYTES_MAX) this.drop(sourceTooLarge());
    });
    return opened;
  }

  #rows(): Promise<readonly Row[]> {
    const { promise, resolve, reject } = Promise.withResolvers<readonly Row[]>();
    const request = new mssql.Request(this.#pool);
    request.stream = true;
    request.arrayRowMode = true;
    let rows: SourceRows<NonNullable<RawCell>> | undefined;
    let isSound = true;
    const take = (act: () => void) => {
      if (!isSound) return;
      try {
        act();
      } catch (thrown) {
        isSound = false;
        reject(thrown);
      }
    };
    request.on("recordset", (columns) =>
      take(() => {
        if (rows !== undefined) throw unreadable("the statement gives more than one result");
        rows = new SourceRows(columns.map(columnOf), this.#definition);
      }));
    request.on("row", (cells) => take(() => rows!.add(cells)));
    // The first one counts: those behind it say what came of it.
    request.on("error", reject);
    request.on("done", () => {
      if (rows === undefined) reject(unreadable("the statement gives no result"));
      else resolve(rows.sorted());
    });
    this.#request = request;
    void request.query(this.#definition.statement);
    return promise;
  }
}

/** What is said of a failure quotes nothing the server said. */
function failureOf(thrown: unknown, definition: DatabaseReference, line: Line): unknown {
  if (thrown instanceof EngineError || thrown instanceof TypeError) return thrown;
  if (line.isOpen && isTimeout(thrown)) return timedOut();
  const number = line.errorNumber;
  // The library keeps the number of a refused sign-in to itself.
  const known = number === undefined ? thrown : Object.assign(new Error("refused"), { number });
  const { code } = describeFailure(known);
  const told = number === undefined ? "" : ` (error ${number})`;
  if (code === "store.unavailable") return unreachable(definition);
  if (!line.isOpen && (number !== undefined || code === "store.sign_in_refused")) {
    if (code === "store.busy") return unreachable(definition);
    return sourceFailure("reference.sign_in_refused", `the server refuses the sign-in${told}`, {
      hint: "Check database, username and password of the set, and the logins of the server",
    });
  }
  if (number === undefined) {
    const text = thrown instanceof Error ? thrown.message : "";
    return isAboutTls(text) ? tlsFailure(definition) : unreachable(definition);
  }
  const why = code === "store.not_allowed" || code === "store.sign_in_refused"
    ? "its login may not read what the statement names"
    : code === "store.busy"
    ? "the server gave the statement up for others"
    : "the server refuses the statement";
  return sourceFailure("reference.query_refused", `${why}${told}`, {
    hint: "Try the statement with sqlcmd, as the login of the set",
  });
}

function tlsFailure(definition: DatabaseReference): EngineError {
  if (definition.encrypt) return tlsRefused(definition);
  const { host, port } = definition;
  return sourceFailure(
    "reference.tls_refused",
    `"${host}:${port}" takes connections in TLS only`,
    { hint: "Leave encrypt of the set on" },
  );
}
