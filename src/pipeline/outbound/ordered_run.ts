/**
 * First in, first out: sends the head, resolves it, claims the next row in the same commit.
 *
 * At most one delivery is on the wire, and a head that backs off blocks the lane. Rows behind the
 * head wait in memory while the lane is hot and are read ahead from the store while it is not.
 */
import { micros } from "../../clock.ts";
import type { ClaimResult } from "../../store/intent_results.ts";
import type { NextClaim } from "../../store/intents.ts";
import type { OutboundItem } from "../outbound_lane.ts";
import { isFinal } from "../retry.ts";
import { type Admission, claimRows, type LaneParts, type LaneRun, SPILLED, toItem } from "./run.ts";

/** Rows one cold claim reads beside the head it claims. */
const READ_AHEAD = 63;

export class OrderedRun implements LaneRun {
  readonly #parts: LaneParts;
  /** A cold claim is under way: what it will find stands before any row that comes now. */
  #claiming = false;

  constructor(parts: LaneParts) {
    this.#parts = parts;
  }

  get inFlight(): number {
    return this.#parts.books.head?.token === undefined ? 0 : 1;
  }

  /** The head of an idle lane is born in flight, and saves the commit of its claim. */
  admit(payloadLength: number): Admission {
    const { books, rest, options } = this.#parts;
    const isIdle = books.memory.depth === 0 && !rest.isBlocked && !this.#claiming;
    if (!books.admit(payloadLength)) return SPILLED;
    return { held: true, token: isIdle ? options.store.nextToken() : undefined };
  }

  async run(): Promise<void> {
    const { books, rest } = this.#parts;
    while (rest.nextTurn()) {
      if (books.mustResync) await books.resync();
      const head = books.head ?? await this.#claimCold();
      if (head === undefined || rest.sleepUntilDue(head.dueAt)) break;
      if (head.token === undefined && !await this.#claimHead(head)) continue;
      // Stopped or paused while it was claimed: nothing new begins.
      if (!rest.isBlocked) await this.#deliver(head);
    }
    await books.standStill();
  }

  /** Claims the head of a lane whose rows are in the store only, and reads on behind it. */
  async #claimCold(): Promise<OutboundItem | undefined> {
    const { books, delivery } = this.#parts;
    const { generation, rows, spilled: expected } = books.memory;
    // What has its place in memory and is not committed yet comes first; it may be born in flight.
    if (expected === 0 || rows > 0) return undefined;
    const takesAll = expected <= READ_AHEAD + 1;
    if (takesAll) {
      books.memory.spilled = 0;
      books.memory.inQuestion = expected;
    }
    this.#claiming = true;
    let claim: ClaimResult;
    try {
      claim = await claimRows(this.#parts, { limit: 1, readAhead: READ_AHEAD, unordered: false });
      books.memory.inQuestion = 0;
    } finally {
      this.#claiming = false;
    }
    if (generation !== books.memory.generation) {
      books.wantResync();
      return undefined;
    }
    const [first] = claim.rows;
    if (first?.token !== undefined && first.body === undefined) {
      books.wantResync();
      await delivery.bury(first, first.token);
      return undefined;
    }
    return this.#adopt(claim, expected, takesAll);
  }

  /** Takes in what a cold claim found; returns the head, or undefined when that is to wait. */
  #adopt(claim: ClaimResult, expected: number, takesAll: boolean): OutboundItem | undefined {
    const { rows, drained, dueAt } = claim;
    const { books, rest } = this.#parts;
    // What came meanwhile stands behind every row of the claim.
    const open = books.memory.depth + (takesAll ? expected : 0);
    if (rows.length === 0 && dueAt !== undefined) {
      books.forget(open);
      rest.sleepUntilStored(dueAt);
      return undefined;
    }
    const unreadable = rows.findIndex(({ body }) => body === undefined);
    const items = (unreadable < 0 ? rows : rows.slice(0, unreadable)).map(toItem);
    const left = Math.max(1, open - items.length);
    const isOff = takesAll ? rows.length !== expected || !drained : drained;
    if (isOff || unreadable >= 0) {
      books.beginAgain(items, left);
    } else {
      if (!takesAll) books.memory.spilled = left;
      books.takeBack(items);
    }
    return books.head;
  }

  /** A commit of its own, for a head that waited; false when the row is not ours to send. */
  async #claimHead(head: OutboundItem): Promise<boolean> {
    const { books, options: { store, clock } } = this.#parts;
    const token = store.nextToken();
    const { mine } = await store.submit({
      kind: "claim_row",
      seq: head.seq,
      token,
      at: micros(clock),
    });
    if (!mine) {
      books.wantResync();
      return false;
    }
    head.token = token;
    head.attempts += 1;
    return true;
  }

  async #deliver(head: OutboundItem): Promise<void> {
    const { books, delivery, options: { clock, failpoints } } = this.#parts;
    const verdict = await delivery.send(head);
    failpoints.hit("delivery.after_send");
    const next = isFinal(verdict) ? this.#nextClaim() : undefined;
    const { mine, nextClaimed } = await delivery.resolve(head, verdict, next);
    failpoints.hit("delivery.after_resolve");
    if (!mine) return books.wantResync();
    if (isFinal(verdict)) {
      books.removeHead();
    } else {
      head.token = undefined;
      if (verdict.act === "retry") head.dueAt = clock.monotonic() + verdict.waitMs;
      else head.attempts -= 1;
    }
    if (next) this.#applyClaim(next, nextClaimed);
    delivery.report(verdict, head);
  }

  #nextClaim(): NextClaim | undefined {
    const { books, rest, options } = this.#parts;
    const next = books.second;
    if (!next || rest.isBlocked || books.isResyncWanted) return undefined;
    return { seq: next.seq, token: options.store.nextToken() };
  }

  #applyClaim(next: NextClaim, claimed: boolean): void {
    const { books } = this.#parts;
    const { head } = books;
    if (!claimed || head?.seq !== next.seq) return books.wantResync();
    head.token = next.token;
    head.attempts += 1;
  }
}
