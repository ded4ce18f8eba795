/** Messages between the engine's thread and the thread of a server store's writer. */
import type { CellKeys } from "../../crypto/keys.ts";
import type { StoreFailure } from "../errors.ts";
import type { StoreCounters } from "../store.ts";
import type { Flat } from "../wire.ts";
import type { Fence, ServerOptions } from "./dialect.ts";
import type { OpenedStore } from "./epoch.ts";
import type { LinkChange } from "./link.ts";

export type ToWriter =
  | {
    readonly type: "open";
    readonly server: ServerOptions;
    /** Nobody else may have the store open. */
    readonly isAlone: boolean;
    /** Microseconds since the epoch. */
    readonly now: number;
    /** Undefined: cells are stored as they are. */
    readonly keys: CellKeys | undefined;
    readonly failpoints: string | undefined;
    readonly patienceMs: number;
  }
  | { readonly type: "batch"; readonly id: number; readonly intents: Flat }
  | { readonly type: "fence"; readonly fence: Fence | undefined }
  /** Re-pends what other openings left in flight. */
  | { readonly type: "recover"; readonly id: number; readonly now: number }
  | { readonly type: "counters"; readonly id: number }
  | { readonly type: "close"; readonly id: number };

export type FromWriter =
  | ({ readonly type: "opened" } & OpenedStore)
  | { readonly type: "open_failed"; readonly failure: StoreFailure }
  | { readonly type: "batch"; readonly id: number; readonly outcomes: Flat }
  | { readonly type: "link"; readonly change: LinkChange }
  /** The fence is closed; said before what the transaction that saw it is answered. */
  | { readonly type: "fenced" }
  /** How often the active key has sealed, at most; said now and then. */
  | { readonly type: "key_uses"; readonly uses: number }
  | { readonly type: "recovered"; readonly id: number; readonly rows: number }
  | { readonly type: "failed"; readonly id: number; readonly failure: StoreFailure }
  | { readonly type: "counters"; readonly id: number; readonly counters: StoreCounters }
  | { readonly type: "closed"; readonly id: number };
