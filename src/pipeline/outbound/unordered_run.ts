/**
 * In no order: claims what is due wherever it stands, sends one by one, lets failures rotate back.
 *
 * Nothing is held in memory but the rows of one claim, so every row spills.
 */
import type { QueueRow } from "../../store/intent_results.ts";
import { isFinal, type Verdict } from "../retry.ts";
import { type Admission, claimRows, type LaneParts, type LaneRun, SPILLED, toItem } from "./run.ts";

/** Rows one claim takes. */
const CLAIM_ROWS = 20;

export class UnorderedRun implements LaneRun {
  readonly #parts: LaneParts;
  /** Rows claimed and not resolved. */
  #claimed = 0;

  constructor(parts: LaneParts) {
    this.#parts = parts;
  }

  get inFlight(): number {
    return this.#claimed;
  }

  admit(): Admission {
    this.#parts.books.memory.spilled += 1;
    return SPILLED;
  }

  async run(): Promise<void> {
    const { books, rest } = this.#parts;
    // What a run left behind that the store cut off is given back in this one.
    this.#claimed = 0;
    while (rest.nextTurn()) {
      if (books.mustResync) await books.resync();
      if (books.memory.spilled === 0) break;
      const { rows, dueAt, drained } = await claimRows(this.#parts, {
        limit: CLAIM_ROWS,
        readAhead: 0,
        unordered: true,
      });
      if (rows.length === 0) {
        if (dueAt !== undefined) rest.sleepUntilStored(dueAt);
        else if (!drained) books.wantResync();
        break;
      }
      this.#claimed = rows.length;
      for (const row of rows) {
        await this.#deliver(row);
        this.#claimed -= 1;
      }
    }
    await books.standStill();
  }

  async #deliver(row: QueueRow): Promise<void> {
    const { books, delivery, rest } = this.#parts;
    if (row.token === undefined) return;
    if (row.body === undefined && !rest.isBlocked) {
      books.wantResync();
      return delivery.bury(row, row.token);
    }
    const item = toItem(row);
    const verdict: Verdict = rest.isBlocked ? { act: "release" } : await delivery.send(item);
    const { mine } = await delivery.resolve(item, verdict);
    if (!mine) return books.wantResync();
    if (isFinal(verdict)) books.memory.spilled = Math.max(0, books.memory.spilled - 1);
    delivery.report(verdict, item);
  }
}
