/**
 * The writer's line to the server: one connection, made again with backoff when it is lost.
 *
 * Whoever connects again takes the store's lock first, and so waits for whatever a former connection
 * of this writer may still be at. What the writer's row says then is final: a commit whose answer was
 * lost took place exactly if its number stands there. An older connection finds no row for its link
 * number and can commit nothing any more.
 */
import { backoffMs, type BackoffPolicy } from "../../backoff.ts";
import { StoreError } from "../errors.ts";
import { ConnectionLost } from "./connection_lost.ts";
import type { Backend, Dialect, ServerConnection, ServerOptions } from "./dialect.ts";

export interface LinkOptions {
  readonly dialect: Dialect;
  readonly server: ServerOptions;
  /** Of this opening of the store; names its row in `store_writer`. */
  readonly session: string;
  /** Nobody else may have the store open. */
  readonly isAlone: boolean;
  /** Told when the connection is lost, and when it stands again. */
  readonly onChange: (change: LinkChange) => void;
}

export type LinkChange =
  | { readonly state: "lost" }
  /** What the first attempt after the loss said, or another one than before. */
  | { readonly state: "failing"; readonly code: string }
  | { readonly state: "restored"; readonly afterMs: number };

const policy: BackoffPolicy = { backoffMs: 50, multiplier: 2, maxBackoffMs: 5_000 };
/** How long an opening waits for an engine that was just killed to let go of the store. */
const LOCK_TRIES = 20;
const LOCK_WAIT_MS = 250;

export class Link implements AsyncDisposable {
  readonly #options: LinkOptions;
  #connection: ServerConnection | undefined;
  #connecting: Promise<void> | undefined;
  #lostAt = 0;
  #isClosed = false;
  #backend: Backend | undefined;
  /** Ends the wait between two attempts. */
  #wake: () => void = () => {};
  #failing: string | undefined;
  #broken: StoreError | undefined;
  #asked = 0;
  /** Which connection of the writer this is; an older one changes nothing any more. */
  number = 1;
  /** Number of the writer's last commit, as the server said at the last connect. */
  lastBatch = 0;
  /** Number of the last commit that was answered. */
  answeredBatch = 0;

  /** Makes the first connection; the caller enters the session's row. */
  static async open(options: LinkOptions): Promise<Link> {
    const link = new Link(options);
    const connection = await options.dialect.connect(options.server, "writer");
    try {
      await link.#claim(connection, LOCK_TRIES);
      link.#backend = await options.dialect.identify(connection);
    } catch (thrown) {
      connection.destroy();
      throw thrown;
    }
    link.#use(connection);
    return link;
  }

  private constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Statements asked over all connections. */
  get statements(): number {
    return this.#asked + (this.#connection?.statements ?? 0);
  }

  /**
   * Returns the connection, waiting for a lost one until `patienceMs` after it was lost.
   *
   * @throws {ConnectionLost} there is none by then.
   * @throws {StoreError} there will be none: the store is not this writer's any more.
   */
  async connection(patienceMs: number): Promise<ServerConnection> {
    for (;;) {
      if (this.#broken !== undefined) throw this.#broken;
      if (this.#connection !== undefined) return this.#connection;
      const leftMs = this.#lostAt + patienceMs - performance.now();
      if (this.#isClosed || leftMs <= 0) throw new ConnectionLost();
      let timer: ReturnType<typeof setTimeout> | undefined;
      const tooLong = new Promise<void>((go) => timer = setTimeout(go, leftMs));
      await Promise.race([this.#connecting, tooLong]);
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#wake();
    await this.#connecting;
    await this.#connection?.close();
  }

  #use(connection: ServerConnection): void {
    this.#connection = connection;
    connection.onLost = () => {
      this.#asked += connection.statements;
      this.#connection = undefined;
      if (this.#isClosed) return;
      this.#lostAt = performance.now();
      this.#failing = undefined;
      this.#options.onChange({ state: "lost" });
      this.#connecting = this.#reconnect();
    };
    // It may have been lost since.
    if (connection.isLost) {
      this.#connection = undefined;
      this.#connecting ??= this.#reconnect();
    }
  }

  async #reconnect(): Promise<void> {
    for (let attempts = 1; !this.#isClosed; attempts += 1) {
      try {
        const connection = await this.#options.dialect.connect(this.#options.server, "writer");
        try {
          await this.#resume(connection);
        } catch (thrown) {
          connection.destroy();
          throw thrown;
        }
        this.#connecting = undefined;
        this.#options.onChange({
          state: "restored",
          afterMs: Math.round(performance.now() - this.#lostAt),
        });
        return this.#use(connection);
      } catch (thrown) {
        if (this.#broken !== undefined) return;
        const { code } = this.#options.dialect.describeFailure(thrown);
        if (code !== this.#failing) this.#options.onChange({ state: "failing", code });
        this.#failing = code;
        await this.#pause(backoffMs(policy, attempts));
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((go) => {
      this.#wake = go;
      timer = setTimeout(go, ms);
    });
    clearTimeout(timer);
  }

  /** Ends what the former connection left, and reads how far it got. */
  async #resume(connection: ServerConnection): Promise<void> {
    const { dialect, session } = this.#options;
    if (this.#backend !== undefined) await dialect.endSession(connection, this.#backend);
    await this.#claim(connection, 1);
    await connection.begin();
    await connection.run("lockStore");
    const { rows: [row] } = await connection.run("nextLink", session);
    await connection.commit();
    this.#backend = await dialect.identify(connection) ?? this.#backend;
    const batch = row === undefined ? -1 : Number(row.batch);
    if (batch < this.answeredBatch) {
      this.#broken = new StoreError(
        "store.rolled_back",
        "Cannot go on with the store: the database lacks commits that it had answered",
        { hint: "A backup or a replica took its place; the engine must be started again" },
      );
      throw this.#broken;
    }
    this.number = Number(row!.link);
    this.lastBatch = batch;
  }

  /**
   * Takes the lock that keeps a second engine off the store, and the one that says this session lives;
   * both end with the connection. In a cluster there is no such lock, and nobody who is cut off may
   * keep the others waiting.
   */
  async #claim(connection: ServerConnection, tries: number): Promise<void> {
    const { dialect, server, session, isAlone } = this.#options;
    await dialect.holdSession(connection, session);
    if (!isAlone) return await dialect.endIdle(connection);
    for (let left = tries; left > 0; left -= 1) {
      if (await dialect.tryLock(connection, server)) return;
      if (left > 1) await this.#pause(LOCK_WAIT_MS);
    }
    const { database } = server;
    throw new StoreError(
      "store.locked",
      `Cannot open the store in database "${database}": another engine holds it`,
      { hint: "Stop the other engine, or give this one its own [store] database or db_schema" },
    );
  }
}
