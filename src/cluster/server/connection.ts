/**
 * One connection to the database that opens itself when it is needed and gives up in time.
 *
 * It belongs to one user and stands outside the store's pool, so that a full pool never costs
 * leadership (I70). A statement without an answer in time costs the connection: a later answer must
 * not be taken for that of another statement.
 */
import { ClusterError } from "../errors.ts";

export type Value = string | number | boolean | null;
export type Row = Readonly<Record<string, unknown>>;

/** A connection that stands, as its driver sees it. */
export interface Line {
  ask(text: string, values: readonly Value[] | undefined): Promise<readonly Row[]>;
  /** Drops it at once. */
  drop(): void;
  /** Ends it in order. */
  end(): Promise<void>;
}

/** What one kind of server brings. */
export interface Driver<L extends Line = Line> {
  /**
   * Connects and sets the session up.
   *
   * @param onGone Called when the connection has ended, also by our own doing.
   */
  open(onGone: () => void): Promise<L>;
  /**
   * What the server called a statement that it refused, after which it goes on, such as
   * `SQLSTATE 42P01`. Undefined: nobody knows what became of it.
   */
  refusalOf(thrown: unknown): string | undefined;
}

export interface ConnectionOptions<L extends Line> {
  readonly driver: Driver<L>;
  /** For connecting, and for a statement that names no other. */
  readonly timeoutMs: number;
  /** The connection is there, or is there again. */
  readonly onConnected?: () => void;
  /** The connection is gone, and nobody asked for that. */
  readonly onLost?: () => void;
}

export interface UseOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export class Connection<L extends Line = Line> implements AsyncDisposable {
  readonly #options: ConnectionOptions<L>;
  #opening: Promise<L> | undefined;
  #isClosed = false;

  constructor(options: ConnectionOptions<L>) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#opening !== undefined;
  }

  /**
   * Executes one statement, on a new connection if there is none.
   *
   * @throws {ClusterError}
   */
  run(
    text: string,
    values: readonly Value[] | undefined = undefined,
    options: UseOptions = {},
  ): Promise<readonly Row[]> {
    return this.use((line) => line.ask(text, values), options);
  }

  /**
   * Does something that takes more than one statement, with one bound for all of it.
   *
   * @throws {ClusterError}
   */
  async use<R>(
    act: (line: L) => Promise<R>,
    { timeoutMs = this.#options.timeoutMs, signal }: UseOptions = {},
  ): Promise<R> {
    if (this.#isClosed) throw new ClusterError("cluster.closed", "Cannot use a closed connection");
    const { promise: tooLate, reject } = Promise.withResolvers<never>();
    tooLate.catch(() => {});
    const timer = setTimeout(() => reject(timeoutError(timeoutMs)), timeoutMs);
    const aborted = () => reject(new ClusterError("cluster.closed", "Cannot wait any longer"));
    signal?.addEventListener("abort", aborted);
    if (signal?.aborted) aborted();
    const opening = this.#opening ??= this.#begin();
    let line: L | undefined;
    try {
      line = await Promise.race([opening, tooLate]);
      return await Promise.race([act(line), tooLate]);
    } catch (thrown) {
      const refusal = thrown instanceof ClusterError
        ? undefined
        : this.#options.driver.refusalOf(thrown);
      if (refusal !== undefined) throw statementError(refusal, thrown);
      if (this.#opening === opening) {
        this.#opening = undefined;
        if (line !== undefined) this.#options.onLost?.();
      }
      void drop(opening);
      throw thrown instanceof ClusterError ? thrown : lostError(thrown);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const opening = this.#opening;
    this.#opening = undefined;
    if (opening !== undefined) await end(opening);
  }

  #begin(): Promise<L> {
    const opening = this.#open(() => {
      if (this.#opening !== opening) return;
      this.#opening = undefined;
      this.#options.onLost?.();
    });
    return opening;
  }

  async #open(onGone: () => void): Promise<L> {
    const { driver, onConnected } = this.#options;
    let line: L;
    try {
      line = await driver.open(onGone);
    } catch (cause) {
      throw new ClusterError("cluster.unreachable", "Cannot connect to the database", {
        cause,
        hint: "Check [store] server, port, database, username and MEFOR_STORE_PASSWORD",
      });
    }
    onConnected?.();
    return line;
  }
}

async function drop(opening: Promise<Line>): Promise<void> {
  try {
    (await opening).drop();
  } catch {
    // It never stood.
  }
}

async function end(opening: Promise<Line>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, 1_000));
  try {
    const line = await Promise.race([opening, limit]);
    if (line) await Promise.race([line.end(), limit]);
  } catch {
    // It is gone, which is what was wanted.
  }
  clearTimeout(timer);
  await drop(opening);
}

function statementError(refusal: string, cause: unknown): ClusterError {
  return new ClusterError(
    "cluster.statement_failed",
    `Cannot execute a statement of the cluster (${refusal})`,
    { cause },
  );
}

function timeoutError(ms: number): ClusterError {
  return new ClusterError("cluster.timeout", `Cannot get an answer of the database in ${ms} ms`);
}

function lostError(cause: unknown): ClusterError {
  return new ClusterError("cluster.connection_lost", "Cannot reach the database any more", {
    cause,
  });
}
