/** Messages between the engine's thread and the store's threads. */
import type { CellKeys } from "../../crypto/keys.ts";
import type { StoreFailure } from "../errors.ts";
import type { Flat } from "../wire.ts";
import type { OpenLane, OpenOptions } from "./database.ts";

export interface StoreCounters {
  readonly commits: number;
  readonly intents: number;
  readonly checkpoints: number;
  readonly statements: number;
}

export type ToWriter =
  | {
    readonly type: "open";
    readonly options: OpenOptions;
    readonly failpoints: string | undefined;
    /** Undefined: cells are stored as they are. */
    readonly keys: CellKeys | undefined;
    /** One Int32: how many messages this thread was sent after this one, modulo 2^32. */
    readonly sent: SharedArrayBuffer;
    /** To the thread that checkpoints: any message asks for one, and any answers. */
    readonly checkpoints: MessagePort;
  }
  | BatchMessage
  /** Brings what earlier batches did into the tables, for readers. */
  | { readonly type: "settle"; readonly id: number }
  | { readonly type: "counters"; readonly id: number }
  /** Cuts the commit log off, or SQLite's. */
  | { readonly type: "cut"; readonly id: number; readonly log: "commits" | "write_ahead" }
  | { readonly type: "reclaim"; readonly id: number; readonly pages: number }
  | { readonly type: "close"; readonly id: number };

/** A batch is `before`, then as many as `known` of what was `next` in earlier ones, then `intents`. */
export interface BatchMessage {
  readonly type: "batch";
  readonly id: number;
  readonly before: Flat;
  readonly known: number;
  readonly intents: Flat;
  /** Intents of a later batch, to be prepared when there is time. */
  readonly next: Flat;
}

export type FromWriter =
  | {
    readonly type: "opened";
    readonly epoch: number;
    readonly recovered: number;
    readonly lanes: readonly OpenLane[];
    /** Ids of all keys that cells may be sealed with; `CLEAR` among them. */
    readonly keysInUse: readonly string[];
    /** How often the active key has sealed, at most. */
    readonly keyUses: number;
  }
  | { readonly type: "open_failed"; readonly failure: StoreFailure }
  | { readonly type: "batch"; readonly id: number; readonly outcomes: Flat }
  | { readonly type: "settled"; readonly id: number }
  | { readonly type: "cut"; readonly id: number; readonly isCut: boolean }
  | { readonly type: "reclaimed"; readonly id: number; readonly left: number }
  | { readonly type: "failed"; readonly id: number; readonly failure: StoreFailure }
  /** The same, said now and then. */
  | { readonly type: "key_uses"; readonly uses: number }
  | { readonly type: "counters"; readonly id: number; readonly counters: StoreCounters }
  | { readonly type: "closed"; readonly id: number };

export type ToSealer =
  | { readonly type: "seal"; readonly path: string; readonly keys: CellKeys }
  | { readonly type: "stop" };

/** One of them, and it is the last message. */
export type FromSealer =
  | { readonly type: "sealed"; readonly cells: Readonly<Record<string, number>> }
  | { readonly type: "stopped" }
  | { readonly type: "failed"; readonly failure: StoreFailure };

export interface Query {
  readonly id: number;
  readonly name: string;
  readonly values: readonly (string | number | null)[];
}

export type ToReader =
  | { readonly type: "open"; readonly path: string; readonly checkpoints: MessagePort }
  | { readonly type: "queries"; readonly queries: readonly Query[] }
  /** Copies SQLite's log back. */
  | { readonly type: "checkpoint"; readonly id: number }
  | { readonly type: "close"; readonly id: number };

export type FromReader =
  | { readonly type: "opened" }
  | { readonly type: "checkpointed"; readonly id: number }
  | { readonly type: "open_failed"; readonly failure: StoreFailure }
  | { readonly type: "answers"; readonly answers: readonly QueryAnswer[] }
  | { readonly type: "closed"; readonly id: number };

export type QueryAnswer =
  | {
    readonly id: number;
    readonly columns: readonly string[];
    /** JSON: an array a row. One text crosses between threads at a tenth of what objects cost. */
    readonly cells: string;
  }
  | { readonly id: number; readonly failure: StoreFailure };
