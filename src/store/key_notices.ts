/** What an operator has to know of the store's keys, said once a start. */
import { type CellKeys, keyIdOf } from "../crypto/keys.ts";
import type { Logger } from "../logging/mod.ts";
import { USES_WARNED } from "./counted_cells.ts";

export class KeyNotices {
  readonly #keyId: string | undefined;
  readonly #logger: Logger | undefined;
  #isWorn = false;

  constructor(keyId: string | undefined, logger: Logger | undefined) {
    this.#keyId = keyId;
    this.#logger = logger;
  }

  /** The key has been used so often, at most. */
  used(uses: number): void {
    if (this.#isWorn || uses < USES_WARNED) return;
    this.#isWorn = true;
    this.#logger?.warning("store.key_worn", {
      key_id: this.#keyId,
      uses,
      reason: "make a new key, put this one among the retired, and run rotate-key",
    });
  }

  /** Which retired keys are needed, so that nobody takes one away too early or keeps it for ever. */
  opened({ retired }: CellKeys, keysInUse: readonly string[]): void {
    for (const keyId of retired.map(keyIdOf)) {
      if (keysInUse.includes(keyId)) {
        const reason = "cells may be sealed with it until rotate-key has run";
        this.#logger?.info("store.key_needed", { key_id: keyId, reason });
      } else {
        const reason = "no cell is sealed with it: it may leave the retired keys";
        this.#logger?.info("store.key_unneeded", { key_id: keyId, reason });
      }
    }
  }
}
