/** A store on a database server as the engine's thread sees it: a writer thread, readers, promises. */
import type { CellCipher } from "../../crypto/cells.ts";
import type { CellKeys } from "../../crypto/keys.ts";
import { cellCipherOf } from "../../crypto/sealed_cells.ts";
import type { Logger } from "../../logging/mod.ts";
import { Awaited } from "../awaited.ts";
import { StoreError, type StoreFailure, toError } from "../errors.ts";
import { openRegister } from "../cells.ts";
import { foldIntent } from "../fold.ts";
import {
  type Batch,
  defaultGroupCommit,
  GroupCommit,
  type GroupCommitOptions,
  rejectAll,
  type Settle,
  type SubmitHint,
} from "../group_commit.ts";
import type { ResultOf } from "../intent_results.ts";
import type { Intent, Stage } from "../intents.ts";
import { KeyNotices } from "../key_notices.ts";
import type { QueryName } from "../query_names.ts";
import { Reads } from "../reads.ts";
import { type RegisterQueryName, type RegisterRow, type RegisterValue } from "../registers/mod.ts";
import type { Store, StoreCounters } from "../store.ts";
import { CLEAR } from "../store_keys.ts";
import { encodeIntents } from "../wire.ts";
import type { Dialect, Fence, ServerOptions, ServerRow, ServerValue } from "./dialect.ts";
import { TOKENS_PER_EPOCH } from "./epoch.ts";
import { checkStore } from "./integrity.ts";
import type { FromWriter, ToWriter } from "./protocol.ts";
import { Readers } from "./readers.ts";
import { nameOf } from "./server_name.ts";

export interface ServerStoreOptions {
  readonly server: ServerOptions;
  /** Connections in all, one of them the writer's; at least one reads. */
  readonly poolSize: number;
  readonly now: () => number;
  /**
   * Other engines have the store open too: nothing is recovered at opening, and the leader says so
   * by a fence.
   */
  readonly isShared?: boolean;
  readonly groupCommit?: GroupCommitOptions;
  /** `name@n` pairs of `failpoints.ts`, for crash tests. */
  readonly failpoints?: string;
  /** Unset: cells are stored as they are. */
  readonly keys?: CellKeys;
  /** Told of the connection, and of what an operator has to know of keys. */
  readonly logger?: Logger;
  /** How long a batch waits for a connection that was lost; milliseconds. */
  readonly patienceMs?: number;
  /** How long closing waits for what was submitted; milliseconds, as long as it takes without. */
  readonly closeMs?: number;
  /** The fence was seen closed; called before whoever submitted then is answered. */
  readonly onFenced?: () => void;
}

const PATIENCE_MS = 2_000;

/** A thread that has opened the store. */
export interface StartedWriter {
  readonly dialect: Dialect;
  readonly writer: Worker;
  readonly opened: Extract<FromWriter, { type: "opened" }>;
}

/**
 * Has a thread open the store, migrating it when needed.
 *
 * @param writerUrl Module of the thread.
 * @throws {StoreError} `store.unavailable`, `store.locked`, `store.newer_schema`, …
 */
export async function startWriter(
  dialect: Dialect,
  writerUrl: URL,
  options: ServerStoreOptions,
): Promise<StartedWriter> {
  const writer = new Worker(writerUrl, { type: "module", name: "store writer" });
  const { server, isShared = false, now, keys, failpoints, patienceMs = PATIENCE_MS } = options;
  try {
    const opened = await ask(writer, {
      ...{ type: "open", server, isAlone: !isShared, now: now(), keys, failpoints, patienceMs },
    });
    if (opened.type === "open_failed") throw toOpenError(opened.failure, server);
    if (opened.type !== "opened") throw new Error(`Unexpected answer "${opened.type}"`);
    return { dialect, writer, opened };
  } catch (thrown) {
    writer.terminate();
    throw thrown;
  }
}

export class ServerStore implements Store {
  readonly #dialect: Dialect;
  readonly path: string;
  readonly synchronous = undefined;
  readonly recovered: number;
  readonly openLanes: Store["openLanes"];
  /** The server's administrator takes care of its files. */
  readonly upkeep = undefined;
  readonly keyId: string | undefined;
  readonly #writer: Worker;
  readonly #readers: Readers;
  readonly #reads: Reads;
  readonly #cipher: CellCipher;
  readonly #group: GroupCommit;
  readonly #awaited = new Awaited();
  readonly #logger: Logger | undefined;
  readonly #keyNotices: KeyNotices | undefined;
  readonly #closeMs: number | undefined;
  readonly #onFenced: (() => void) | undefined;
  #token: number;
  #broken: StoreError | undefined;

  /** @param writer Its thread, which has opened the store. */
  protected constructor(
    { dialect, writer, opened }: StartedWriter,
    options: ServerStoreOptions,
  ) {
    const { server, poolSize, keys, logger, closeMs, onFenced } = options;
    this.#dialect = dialect;
    this.path = nameOf(server);
    this.recovered = opened.recovered;
    this.openLanes = opened.lanes;
    this.#writer = writer;
    this.#logger = logger;
    this.#closeMs = closeMs;
    this.#onFenced = onFenced;
    this.#token = opened.epoch * TOKENS_PER_EPOCH;
    this.#cipher = cellCipherOf(keys);
    this.keyId = this.#cipher.keyId;
    this.#readers = new Readers(dialect, server, Math.max(1, poolSize - 1));
    this.#reads = new Reads((name, values) => this.#query(name, values), this.#cipher);
    this.#group = new GroupCommit(
      (batch) => this.#send(batch),
      options.groupCommit ?? defaultGroupCommit,
    );
    this.#writer.onmessage = ({ data }: MessageEvent<FromWriter>) => this.#onWriter(data);
    this.#writer.onerror = (event) => this.#onDeath(event);
    for (const reason of opened.warnings) logger?.warning("store.server", { reason });
    if (keys !== undefined) {
      this.#keyNotices = new KeyNotices(this.keyId, logger);
      this.#keyNotices.used(opened.keyUses);
      this.#keyNotices.opened(keys, opened.keysInUse);
      if (opened.keysInUse.includes(CLEAR)) {
        const reason = "cells in clear are left from before the key: run rotate-key";
        logger?.warning("store.clear_cells", { reason });
      }
    }
  }

  nextToken(count = 1): number {
    const token = this.#token;
    this.#token += count;
    return token;
  }

  submit<I extends Intent>(intent: I, hint: SubmitHint = {}): Promise<ResultOf<I>> {
    if (this.#broken) return Promise.reject(this.#broken);
    const { promise, resolve, reject } = Promise.withResolvers<ResultOf<I>>();
    this.#group.submit(foldIntent(intent), { resolve: resolve as Settle["resolve"], reject }, hint);
    return promise;
  }

  march(change: 1 | -1): void {
    this.#group.march(change);
  }

  crowd(areHeld: boolean): void {
    this.#group.crowd(areHeld);
  }

  flush(): void {
    this.#group.flushNow();
  }

  /** From the next transaction on nothing is claimed, unless the term of this number lasts. */
  lead(epoch: number | undefined): void {
    this.setFence(epoch === undefined ? this.#dialect.leadsNever : this.#dialect.leads(epoch));
  }

  /** From the next transaction on claims need this condition; see {@link Fence}. */
  setFence(fence: Fence | undefined): void {
    this.#writer.postMessage({ type: "fence", fence } satisfies ToWriter);
  }

  /**
   * Re-pends what other openings of the store left in flight, due at `now` (microseconds); for a
   * node that has become the leader. Returns how many rows.
   */
  async recoverOthers(now: number): Promise<number> {
    const reply = await this.#call((id) => ({ type: "recover", id, now }));
    return reply.type === "recovered" ? reply.rows : 0;
  }

  async counters(): Promise<StoreCounters> {
    const reply = await this.#call((id) => ({ type: "counters", id }));
    if (reply.type !== "counters") throw new Error(`Unexpected answer "${reply.type}"`);
    return reply.counters;
  }

  messages(...of: Parameters<Reads["messages"]>) {
    return this.#reads.messages(...of);
  }

  messageBodies(...of: Parameters<Reads["messageBodies"]>) {
    return this.#reads.messageBodies(...of);
  }

  bodiesOf(...of: Parameters<Reads["bodiesOf"]>) {
    return this.#reads.bodiesOf(...of);
  }

  message(id: string) {
    return this.#reads.message(id);
  }

  outboundOf(id: string) {
    return this.#reads.outboundOf(id);
  }

  responsesOf(id: string) {
    return this.#reads.responsesOf(id);
  }

  deadLetters(...of: Parameters<Reads["deadLetters"]>) {
    return this.#reads.deadLetters(...of);
  }

  connectionEvents(...of: Parameters<Reads["connectionEvents"]>) {
    return this.#reads.connectionEvents(...of);
  }

  outbox() {
    return this.#reads.outbox();
  }

  openRows() {
    return this.#reads.openRows();
  }

  oldestOpen(destination: string) {
    return this.#reads.oldestOpen(destination);
  }

  oldestInLane(stage: Stage, lane: string) {
    return this.#reads.oldestInLane(stage, lane);
  }

  state() {
    return this.#reads.state();
  }

  totals() {
    return this.#reads.totals();
  }

  retention() {
    return this.#reads.retention();
  }

  async checkIntegrity(): Promise<{ readonly ok: boolean; readonly detail: string }> {
    if (this.#broken) throw this.#broken;
    return checkStore(this.#dialect, (name, text) => this.#read(name, text, []));
  }

  async register(
    name: RegisterQueryName,
    ...values: readonly RegisterValue[]
  ): Promise<readonly RegisterRow[]> {
    const rows = await this.#read(`register.${name}`, this.#dialect.registers[name], values);
    return openRegister(this.#cipher, name, rows);
  }

  /**
   * Waits for what was submitted, then closes connections and thread. What is not answered in time
   * is refused, whatever the server made of it.
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#broken?.code === "store.closed") return;
    this.#group.flushNow();
    const hasDied = this.#hasDied;
    const closed = new StoreError("store.closed", "Cannot use the store: it is closed");
    this.#broken = closed;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<void>((resolve) => {
      if (this.#closeMs !== undefined) timer = setTimeout(resolve, this.#closeMs);
    });
    try {
      await Promise.race([this.#close(hasDied), limit]);
    } finally {
      clearTimeout(timer);
      this.#awaited.failAll(closed);
      this.#writer.terminate();
    }
  }

  async #close(hasDied: boolean): Promise<void> {
    try {
      await this.#readers[Symbol.asyncDispose]();
      if (!hasDied) await this.#ask((id) => ({ type: "close", id }));
    } catch {
      // A thread that died or was ended meanwhile has nothing left to close.
    }
  }

  #send({ intents, settles }: Batch): void {
    // A closing store still takes what was submitted before; a broken one has nobody to take it.
    if (this.#hasDied) return rejectAll(settles, this.#broken!);
    const id = this.#awaited.addBatch(settles);
    this.#post({ type: "batch", id, intents: encodeIntents(intents) });
  }

  #onWriter(message: FromWriter): void {
    switch (message.type) {
      case "batch":
        this.#group.answered();
        return this.#awaited.batchAnswered(message.id, message.outcomes);
      case "link":
        return this.#onLink(message.change);
      case "fenced":
        return this.#onFenced?.();
      case "key_uses":
        return this.#keyNotices?.used(message.uses);
      case "opened":
      case "open_failed":
        return;
      default:
        this.#awaited.answered(message);
    }
  }

  #onLink(change: Extract<FromWriter, { type: "link" }>["change"]): void {
    if (this.#broken?.code === "store.closed") return;
    if (change.state === "restored") {
      this.#logger?.info("store.connection_restored", { after_ms: change.afterMs });
    } else if (change.state === "lost") this.#logger?.warning("store.connection_lost");
    else this.#logger?.warning("store.connection_failing", { code: change.code });
  }

  async #query(name: QueryName, values: readonly ServerValue[]): Promise<ServerRow[]> {
    return [...await this.#read(name, this.#dialect.queries[name], values)];
  }

  async #read(
    name: string,
    text: string,
    values: readonly ServerValue[],
  ): Promise<readonly ServerRow[]> {
    if (this.#broken) throw this.#broken;
    return (await this.#readers.query(name, text, values)).rows;
  }

  #call(make: (id: number) => ToWriter): Promise<FromWriter> {
    return this.#broken ? Promise.reject(this.#broken) : this.#ask(make);
  }

  #ask(make: (id: number) => ToWriter): Promise<FromWriter> {
    return this.#awaited.ask((id) => this.#post(make(id)));
  }

  #post(message: ToWriter): void {
    this.#writer.postMessage(message);
  }

  /** The writer's thread died: nothing submitted may count as durable any more. */
  #onDeath(event: ErrorEvent): void {
    event.preventDefault();
    this.#broken ??= new StoreError("store.failed", "Cannot use the store: its writer ended", {
      hint: "Restart the engine; nothing acknowledged is lost",
    });
    this.#awaited.failAll(this.#broken);
    // What is still gathered never reaches a writer: it is refused on its way.
    this.#group.flushNow();
  }

  get #hasDied(): boolean {
    return this.#broken !== undefined && this.#broken.code !== "store.closed";
  }
}

/** The first answer of the thread, or its death. */
function ask(worker: Worker, message: ToWriter): Promise<FromWriter> {
  const { promise, resolve, reject } = Promise.withResolvers<FromWriter>();
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new StoreError("store.open_failed", "Cannot start the store's thread"));
  };
  worker.postMessage(message);
  return promise;
}

function toOpenError({ code, message, hint }: StoreFailure, server: ServerOptions): StoreError {
  if (code !== "store.unavailable") return toError({ code, message, hint });
  return toError({ code, message: `${message} "${server.host}:${server.port}"`, hint });
}
