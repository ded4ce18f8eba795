/** The SQLite store as the engine's thread sees it: a writer thread, a reader thread, promises. */
import type { CellCipher } from "../../crypto/cells.ts";
import type { CellKeys } from "../../crypto/keys.ts";
import { cellCipherOf } from "../../crypto/sealed_cells.ts";
import type { Logger } from "../../logging/mod.ts";
import { Awaited } from "../awaited.ts";
import { StoreError, toError } from "../errors.ts";
import { openRegister } from "../cells.ts";
import { foldIntent } from "../fold.ts";
import {
  type Batch,
  batchOf,
  defaultGroupCommit,
  GroupCommit,
  type GroupCommitOptions,
  rejectAll,
  type Settle,
  type SubmitHint,
  type Submitted,
} from "../group_commit.ts";
import type { ResultOf } from "../intent_results.ts";
import type { Intent, Stage } from "../intents.ts";
import { KeyNotices } from "../key_notices.ts";
import { type RegisterQueryName, type RegisterRow, type RegisterValue } from "../registers/mod.ts";
import { isApartIntent } from "./registers/commit.ts";
import type {
  ConnectionEventFilter,
  ConnectionEventRecord,
  DeadLetterFilter,
  DeadLetterPage,
  MessageBody,
  MessageDetail,
  MessageFilter,
  MessagePage,
  OpenRows,
  OutboundPayload,
  OutboxTotals,
  Page,
  Store,
  StoreCounters,
  StoredResponse,
  StoreTotals,
} from "../store.ts";
import type { PurgeRecord, StoreUpkeep } from "../purge.ts";
import type { QueryName } from "../query_names.ts";
import { Reads } from "../reads.ts";
import { encodeIntents } from "../wire.ts";
import type { IntegrityAnswer } from "./integrity_worker.ts";
import { InlineReads } from "./inline_reads.ts";
import type { FromReader, FromWriter, Query, ToReader, ToWriter } from "./protocol.ts";
import { ReaderQueries, type Row } from "./reader_queries.ts";
import { isPersonsAct, SettledReads } from "./settled_reads.ts";
import { Settling } from "./settling.ts";
import { Spaced, spaceMsBeside } from "./spaced.ts";
import { startWorker, StoreFiles } from "./store_files.ts";

import { Sealer } from "./sealer.ts";
import { CLEAR } from "../store_keys.ts";

export interface SqliteStoreOptions {
  readonly path: string;
  readonly synchronous: "normal" | "full";
  readonly groupCommit?: GroupCommitOptions;
  /** `name@n` pairs of `failpoints.ts`, for crash tests. */
  readonly failpoints?: string;
  readonly now: () => number;
  /** Unset: cells are stored as they are. */
  readonly keys?: CellKeys;
  /** Told what an operator has to know of keys. */
  readonly logger?: Logger;
  /** Module of the writer's thread, which calls `serveWriter()`; for tests. */
  readonly writer?: URL;
}

/** Batches of a purge until what they wrote is copied back. */
const COPY_BACK_EVERY = 8;
/** A reader that begins in between keeps SQLite's log from being cut off. */
const CUT_ROUNDS = 4;

/** Claim tokens of one epoch; 2^32 of them last two weeks at 3,000 a second, 2^21 epochs. */
const TOKENS_PER_EPOCH = 2 ** 32;

export class SqliteStore implements Store {
  readonly path: string;
  readonly synchronous: "normal" | "full";
  readonly recovered: number;
  /** Of the key that seals cells; undefined without one. */
  readonly keyId: string | undefined;
  readonly openLanes: Store["openLanes"];
  readonly upkeep: StoreUpkeep = {
    sizeBytes: () => this.#files.sizeBytes(),
    checkpoint: (options) => this.#checkpoint(options),
    reclaim: (pages) => this.#reclaim(pages),
  };
  readonly #writer: Worker;
  readonly #reader: Worker;
  /** How many messages the writer was sent: it leaves off tidying for the next. */
  readonly #sent: Int32Array<SharedArrayBuffer>;
  readonly #group: GroupCommit;
  readonly #files: StoreFiles;
  readonly #awaited = new Awaited();
  #purges = 0;
  /** Batches that the group commit knows nothing of. */
  readonly #alone = new Set<number>();
  readonly #reads: Reads;
  readonly #cipher: CellCipher;
  #token: number;
  #broken: StoreError | undefined;
  readonly #keyNotices: KeyNotices | undefined;
  /** Seals what was stored in clear, if there may be any. */
  readonly #sealer: Sealer | undefined;
  readonly #registers = new Spaced<Submitted>(
    (given) => this.#send(batchOf(given), true),
    () => spaceMsBeside(this.#group),
  );
  readonly #queries: ReaderQueries;
  readonly #inline: InlineReads;
  readonly #settling: Settling;

  /**
   * Opens the store, migrating it when needed.
   * @throws {StoreError} `store.locked`, `store.newer_schema`, `store.open_failed`, …
   */
  static async open(options: SqliteStoreOptions): Promise<SqliteStore> {
    const ownWriter = new URL("./writer_worker.ts", import.meta.url);
    const writer = startWorker(options.writer ?? ownWriter, "store writer");
    const reader = startWorker(new URL("./reader_worker.ts", import.meta.url), "store reader");
    const sent = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    const { port1, port2 } = new MessageChannel();
    try {
      const opened = await ask<FromWriter>(writer, {
        type: "open",
        sent,
        checkpoints: port1,
        options: {
          path: options.path,
          synchronous: options.synchronous,
          now: options.now(),
        },
        failpoints: options.failpoints,
        keys: options.keys,
      }, [port1]);
      if (opened.type === "open_failed") throw toError(opened.failure);
      if (opened.type !== "opened") throw new Error(`Unexpected answer "${opened.type}"`);
      const toReader: ToReader = { type: "open", path: options.path, checkpoints: port2 };
      const ready = await ask<FromReader>(reader, toReader, [port2]);
      if (ready.type === "open_failed") throw toError(ready.failure);
      return new SqliteStore(options, { writer, reader, sent, ...opened });
    } catch (thrown) {
      writer.terminate();
      reader.terminate();
      port1.close();
      port2.close();
      throw thrown;
    }
  }

  private constructor(
    options: SqliteStoreOptions,
    opened: {
      writer: Worker;
      reader: Worker;
      sent: SharedArrayBuffer;
      epoch: number;
      recovered: number;
      lanes: Store["openLanes"];
      keysInUse: readonly string[];
      keyUses: number;
    },
  ) {
    this.path = options.path;
    this.synchronous = options.synchronous;
    this.recovered = opened.recovered;
    this.openLanes = opened.lanes;
    this.#writer = opened.writer;
    this.#reader = opened.reader;
    this.#sent = new Int32Array(opened.sent);
    this.#token = opened.epoch * TOKENS_PER_EPOCH;
    this.#group = new GroupCommit(
      (batch) => this.#send(batch),
      options.groupCommit ?? defaultGroupCommit,
    );
    this.#cipher = cellCipherOf(options.keys);
    this.keyId = this.#cipher.keyId;
    this.#files = new StoreFiles(this.path);
    this.#inline = new InlineReads(this.path);
    this.#queries = new ReaderQueries((message) => this.#post(this.#reader, message));
    this.#settling = new Settling(
      () => this.#call(this.#writer, (id) => ({ type: "settle", id })),
      () => this.#group.isBusy,
    );
    const settled = new SettledReads(this.#settling, (name, values) => this.#read(name, values));
    this.#reads = new Reads((name, values) => settled.query(name, values), this.#cipher);
    this.#writer.onmessage = ({ data }: MessageEvent<FromWriter>) => this.#onWriter(data);
    this.#reader.onmessage = ({ data }: MessageEvent<FromReader>) => this.#onReader(data);
    this.#writer.onerror = (event) => this.#onDeath(event, "writer");
    this.#reader.onerror = (event) => this.#onDeath(event, "reader");
    const { path, keys, logger } = options;
    if (keys !== undefined) {
      this.#keyNotices = new KeyNotices(this.keyId, logger);
      this.#keyNotices.used(opened.keyUses);
      this.#keyNotices.opened(keys, opened.keysInUse);
      if (opened.keysInUse.includes(CLEAR)) this.#sealer = new Sealer({ path, keys, logger });
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
    const settle = { resolve: resolve as Settle["resolve"], reject };
    // A purge takes milliseconds and its commit waits for no disk: nobody shares it.
    if (intent.kind === "purge") void this.#sendAlone(intent, settle);
    else if (isApartIntent(intent)) {
      if (intent.kind === "register" && intent.changes.length > 0) this.#forgetAfter(promise);
      this.#registers.add({ intent, settle });
    } else this.#group.submit(foldIntent(intent), settle, hint);
    return promise;
  }

  march(change: 1 | -1): void {
    this.#group.march(change);
  }

  crowd(areHeld: boolean): void {
    this.#group.crowd(areHeld);
  }

  flush(): void {
    this.#registers.flush();
    this.#group.flushNow();
  }

  async counters(): Promise<StoreCounters> {
    const reply = await this.#call<Extract<FromWriter, { type: "counters" }>>(
      this.#writer,
      (id) => ({ type: "counters", id }),
    );
    return reply.counters;
  }

  messages(filter: MessageFilter, page: Page): Promise<MessagePage> {
    return this.#reads.messages(filter, page);
  }

  messageBodies(
    filter: MessageFilter,
    page: { readonly before: number | undefined; readonly limit: number },
  ): Promise<readonly MessageBody[]> {
    return this.#reads.messageBodies(filter, page);
  }

  bodiesOf(
    numbers: readonly number[],
    bytesMax: number,
  ): Promise<ReadonlyMap<number, string>> {
    return this.#reads.bodiesOf(numbers, bytesMax);
  }

  message(id: string): Promise<MessageDetail | undefined> {
    return this.#reads.message(id);
  }

  outboundOf(id: string): Promise<readonly OutboundPayload[] | undefined> {
    return this.#reads.outboundOf(id);
  }

  responsesOf(id: string): Promise<readonly StoredResponse[]> {
    return this.#reads.responsesOf(id);
  }

  deadLetters(filter: DeadLetterFilter, page: Page): Promise<DeadLetterPage> {
    return this.#reads.deadLetters(filter, page);
  }

  connectionEvents(filter: ConnectionEventFilter): Promise<readonly ConnectionEventRecord[]> {
    return this.#reads.connectionEvents(filter);
  }

  outbox(): Promise<OutboxTotals> {
    return this.#reads.outbox();
  }

  openRows(): Promise<OpenRows> {
    return this.#reads.openRows();
  }

  oldestOpen(destination: string): Promise<ReadonlyMap<string, number>> {
    return this.#reads.oldestOpen(destination);
  }

  oldestInLane(stage: Stage, lane: string): Promise<number | undefined> {
    return this.#reads.oldestInLane(stage, lane);
  }

  state(): Promise<readonly { namespace: string; key: string; value: string }[]> {
    return this.#reads.state();
  }

  totals(): Promise<StoreTotals> {
    return this.#reads.totals();
  }

  retention(): Promise<PurgeRecord> {
    return this.#reads.retention();
  }

  checkIntegrity(): Promise<IntegrityAnswer> {
    return this.#broken ? Promise.reject(this.#broken) : this.#files.check();
  }

  async register(
    name: RegisterQueryName,
    ...values: readonly RegisterValue[]
  ): Promise<readonly RegisterRow[]> {
    // Register intents are in the tables when they are answered: nothing has to be brought there.
    const found = this.#broken ? undefined : this.#inline.rows(name, values);
    const rows = found ?? await this.#read(name, values);
    return openRegister(this.#cipher, name, rows);
  }

  /** Waits for what was submitted, then closes file and threads. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#broken?.code === "store.closed") return;
    this.#registers.flush();
    this.#group.flushNow();
    this.#settling.stop();
    const closed = new StoreError("store.closed", "Cannot use the store: it is closed");
    const hasDied = this.#hasDied;
    this.#broken = closed;
    await this.#sealer?.[Symbol.asyncDispose]();
    try {
      if (!hasDied) {
        await this.#ask(this.#reader, (id) => ({ type: "close", id }));
        await this.#ask(this.#writer, (id) => ({ type: "close", id }));
      }
    } catch {
      // A thread that died meanwhile has nothing left to close.
    } finally {
      this.#failAll(closed);
      this.#files.failAll(closed);
      this.#reader.terminate();
      this.#writer.terminate();
      this.#inline[Symbol.dispose]();
    }
  }

  /** Whoever waits for the change, and asks then, sees it. */
  #forgetAfter(change: Promise<unknown>): void {
    const forget = () => this.#inline.forget();
    change.then(forget, forget);
  }

  /** @param isAlone The group commit knows nothing of it. */
  #send({ intents, settles, known, next }: Batch, isAlone = false): void {
    // A closing store still takes what was submitted before; a broken one has nobody to take it.
    if (this.#hasDied) return rejectAll(settles, this.#broken!);
    const id = this.#awaited.addBatch(settles);
    if (isAlone) this.#alone.add(id);
    // What is written apart is in the tables when it is answered.
    if (!intents.every(isApartIntent)) this.#settling.sent(intents.some(isPersonsAct));
    this.#post(this.#writer, {
      ...{ type: "batch", id, known: known.to - known.from },
      before: encodeIntents(intents.slice(0, known.from)),
      intents: encodeIntents(intents.slice(known.to)),
      next: encodeIntents(next),
    });
  }

  async #sendAlone(intent: Intent, settle: Settle): Promise<void> {
    if (++this.#purges % COPY_BACK_EVERY === 0) {
      // Purges write much: left to itself SQLite's log would outgrow the thread that copies it back.
      try {
        await this.#call(this.#reader, (id) => ({ type: "checkpoint", id }));
      } catch (thrown) {
        return settle.reject(thrown);
      }
    }
    if (this.#broken !== undefined) return settle.reject(this.#broken);
    this.#send(batchOf([{ intent, settle }]), true);
  }

  #onWriter(message: FromWriter): void {
    if (message.type === "batch") {
      if (!this.#alone.delete(message.id)) this.#group.answered();
      this.#awaited.batchAnswered(message.id, message.outcomes);
    } else if (message.type === "key_uses") {
      this.#keyNotices?.used(message.uses);
    } else if ("id" in message) {
      this.#awaited.answered(message);
    }
  }

  #onReader(message: FromReader): void {
    if (message.type === "answers") this.#queries.answered(message.answers);
    else if ("id" in message) this.#awaited.answered(message);
  }

  async #checkpoint({ commitLog }: { readonly commitLog: boolean }): Promise<boolean> {
    type Cut = Extract<FromWriter, { type: "cut" }>;
    if (commitLog) {
      await this.#call<Cut>(this.#writer, (id) => ({ type: "cut", id, log: "commits" }));
    }
    for (let round = 0; round < CUT_ROUNDS; round += 1) {
      await this.#call(this.#reader, (id) => ({ type: "checkpoint", id }));
      const { isCut } = await this.#call<Cut>(
        this.#writer,
        (id) => ({ type: "cut", id, log: "write_ahead" }),
      );
      if (isCut) return true;
    }
    return false;
  }

  async #reclaim(pages: number): Promise<number> {
    const reply = await this.#call<Extract<FromWriter, { type: "reclaimed" }>>(
      this.#writer,
      (id) => ({ type: "reclaim", id, pages }),
    );
    return reply.left;
  }

  #read(name: QueryName | RegisterQueryName, values: Query["values"]): Promise<Row[]> {
    return this.#broken ? Promise.reject(this.#broken) : this.#queries.ask(name, values);
  }

  #call<R>(worker: Worker, make: (id: number) => ToWriter | ToReader): Promise<R> {
    return this.#broken ? Promise.reject(this.#broken) : this.#ask(worker, make);
  }

  #ask<R>(worker: Worker, make: (id: number) => ToWriter | ToReader): Promise<R> {
    return this.#awaited.ask((id) => this.#post(worker, make(id)));
  }

  #post(worker: Worker, message: ToWriter | ToReader): void {
    if (worker === this.#writer) Atomics.add(this.#sent, 0, 1);
    worker.postMessage(message);
  }

  /** A thread of the store died: nothing submitted may count as durable any more. */
  #onDeath(event: ErrorEvent, which: string): void {
    event.preventDefault();
    this.#broken ??= new StoreError("store.failed", `Cannot use the store: its ${which} ended`, {
      hint: "Restart the engine; nothing acknowledged is lost",
    });
    this.#failAll(this.#broken);
    // What is still gathered never reaches a writer: it is refused on its way.
    this.#registers.flush();
    this.#group.flushNow();
  }

  get #hasDied(): boolean {
    return this.#broken !== undefined && this.#broken.code !== "store.closed";
  }

  #failAll(error: StoreError): void {
    this.#awaited.failAll(error);
    this.#queries.failAll(error);
    this.#settling.stop();
  }
}

/** The first answer of a thread, or its death. */
function ask<R>(
  worker: Worker,
  message: ToWriter | ToReader,
  transfer: Transferable[],
): Promise<R> {
  const { promise, resolve, reject } = Promise.withResolvers<R>();
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = (event) => {
    event.preventDefault();
    reject(new StoreError("store.open_failed", "Cannot start the store's thread"));
  };
  worker.postMessage(message, transfer);
  return promise;
}
