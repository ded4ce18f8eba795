/** What the store did for one process, counted as the process itself has to (I75). */
import type { Pipeline } from "../../src/pipeline/pipeline.ts";
import type { ResolveResult } from "../../src/store/intent_results.ts";
import type { Intent } from "../../src/store/intents.ts";

interface Counts {
  read: number;
  errored: number;
  written: number;
  dead: number;
}

export class Ledger {
  readonly #isOutbound: (seq: number) => boolean;
  readonly #store: Counts = { read: 0, errored: 0, written: 0, dead: 0 };

  /** @param isOutbound whether a row stands at that stage. */
  constructor(isOutbound: (seq: number) => boolean) {
    this.#isOutbound = isOutbound;
  }

  note(intent: Intent, result: unknown): void {
    const isMine = () => (result as ResolveResult).mine;
    switch (intent.kind) {
      case "receive":
        this.#store.read += 1;
        break;
      case "record_error":
        this.#store.read += 1;
        this.#store.errored += 1;
        break;
      case "reingress":
        if (!isMine()) break;
        this.#store.read += 1;
        if (intent.error !== undefined) this.#store.errored += 1;
        break;
      case "complete":
      case "complete_with_response":
        if (isMine()) this.#store.written += 1;
        break;
      case "dead_letter":
        if (isMine() && this.#isOutbound(intent.seq)) this.#store.dead += 1;
    }
  }

  /** What the counters say otherwise than the store; undefined: nothing. */
  differs({ statistics }: Pipeline): string | undefined {
    const told: Counts = { read: 0, errored: 0, written: 0, dead: 0 };
    for (const { read, errored } of statistics.inbounds.values()) {
      told.read += read;
      told.errored += errored;
    }
    for (const { written, dead } of statistics.edges()) {
      told.written += written;
      told.dead += dead;
    }
    const [said, done] = [told, this.#store].map((counts) => JSON.stringify(counts));
    return said === done ? undefined : `counters say ${said}, the store did ${done}`;
  }
}
