/**
 * One delivery of a claimed row: it is sent, its verdict is written down, the engine is told.
 *
 * What follows for the lane (the next head, a wait, a row that rotates back) is its run's to say.
 */
import { micros } from "../../clock.ts";
import { peekControlId } from "../../hl7/mod.ts";
import type { SubmitHint } from "../../store/group_commit.ts";
import type { QueueRow, ResolveResult } from "../../store/intent_results.ts";
import type {
  CompleteIntent,
  CompleteWithResponseIntent,
  NewResponse,
  NextClaim,
} from "../../store/intents.ts";
import type { OutboundItem, OutboundLane, OutboundLaneOptions } from "../outbound_lane.ts";
import { ReentryPlace } from "../reentry.ts";
import { isFinal, judgeAnswer, judgeFailure, type Verdict } from "../retry.ts";
import type { LaneRest } from "./rest.ts";

/** A lane this deep marches: its commits wait for the other lanes' and for nothing else. */
const MARCHING_DEPTH = 4;
/** A partner this quick, on average, is worth waiting for. */
const MARCHING_PARTNER_MS = 3;
/** Lanes whose partner answers slower than this on average are the partner's pace, not ours. */
const PARTNER_SLOW_MS = 25;
/** A lane that delivered nothing for this long does not flow. */
const FLOWING_MS = 500;

export class Delivery {
  readonly #lane: OutboundLane;
  readonly #options: OutboundLaneOptions;
  readonly #rest: LaneRest;
  readonly #sending = new AbortController();
  /** Was sent, and the store failed to note what came of it. */
  #unnoted: OutboundItem | undefined;
  #marches = false;
  /** How long the partner takes on average. */
  #partnerMs = 0;
  #lastDeliveredAt = Number.NEGATIVE_INFINITY;

  constructor(lane: OutboundLane, options: OutboundLaneOptions, rest: LaneRest) {
    this.#lane = lane;
    this.#options = options;
    this.#rest = rest;
  }

  /** Rows get away at the engine's own pace, not at a slow partner's. */
  get isFlowing(): boolean {
    return this.#partnerMs < PARTNER_SLOW_MS &&
      this.#options.clock.monotonic() - this.#lastDeliveredAt < FLOWING_MS;
  }

  /** A send is an attempt that no row knows of yet; `noteSend()` tells it. */
  get owesNote(): boolean {
    return this.#unnoted !== undefined;
  }

  /** Cuts off what is on the wire, and all that would follow. */
  abort(): void {
    this.#sending.abort();
  }

  /** Sends a claimed row and judges what comes of it; never throws. */
  async send(item: OutboundItem): Promise<Verdict> {
    const { clock, failpoints, simulate, mayAct } = this.#options;
    failpoints.hit("delivery.before_send");
    // Leadership ended between claim and send: that is no attempt.
    if (mayAct?.() === false) return { act: "release" };
    if (simulate) return { act: "complete", simulated: true };
    const { destination, definition } = this.#lane;
    const startedAt = clock.monotonic();
    try {
      const answer = await destination.send(
        { text: item.payload, controlId: controlIdOf(item.payload) },
        this.#sending.signal,
      );
      this.#partnerMs += (clock.monotonic() - startedAt - this.#partnerMs) / 16;
      if (!answer.accepted) this.#options.observer.refused(this.#lane, item);
      return judgeAnswer(answer, item.attempts, definition);
    } catch (thrown) {
      // Cut off by a stop: the partner is not to blame, so the row is sent again without a wait.
      if (this.#sending.signal.aborted) return { act: "release" };
      return judgeFailure(thrown, item.attempts, definition);
    }
  }

  /** Writes down what came of a claimed row; an answer of the store ends its lane's parking. */
  async resolve(item: OutboundItem, verdict: Verdict, next?: NextClaim): Promise<ResolveResult> {
    if (verdict.act !== "release") this.#unnoted = item;
    const resolved = await this.#write(item, verdict, next);
    if (verdict.act === "halt") this.#rest.halt(verdict.reason);
    this.#unnoted = undefined;
    this.#rest.storeAnswered();
    return resolved;
  }

  /** Tells the engine of a verdict that was written down. */
  report(verdict: Verdict, item: OutboundItem): void {
    const { observer, clock } = this.#options;
    switch (verdict.act) {
      case "complete":
        this.#lastDeliveredAt = clock.monotonic();
        observer.delivered(this.#lane, item);
        break;
      case "retry":
        observer.retried(this.#lane, item, verdict.reason);
        break;
      case "dead_letter":
        observer.died(this.#lane, item, verdict.reason);
        break;
      case "halt":
        observer.halted(this.#lane, item, verdict.reason);
    }
  }

  /** Gives up a row whose content no configured key opens. */
  async bury(row: QueueRow, token: number): Promise<void> {
    const item: OutboundItem = { ...row, payload: "", token, dueAt: 0 };
    const verdict: Verdict = { act: "dead_letter", reason: "body cannot be decrypted" };
    const { mine } = await this.resolve(item, verdict);
    if (mine) this.report(verdict, item);
  }

  /** A send is an attempt, also when the store was away for its outcome: the row is due again. */
  async noteSend(): Promise<void> {
    const { store, clock } = this.#options;
    const { seq, messageSeq, token } = this.#unnoted!;
    const at = micros(clock);
    const error = "the store could not note the outcome";
    await store.submit({
      kind: "retry",
      seq,
      messageSeq,
      token: token!,
      at,
      destination: this.#lane.name,
      dueAt: at,
      error,
    });
    this.#unnoted = undefined;
  }

  /** Joins or leaves the lanes that march; returns whether it does now. */
  march(hasNext: boolean): boolean {
    const marches = hasNext && this.#lane.memory.depth > MARCHING_DEPTH &&
      this.#partnerMs < MARCHING_PARTNER_MS;
    if (marches !== this.#marches) {
      this.#marches = marches;
      this.#options.store.march(marches ? 1 : -1);
    }
    return marches;
  }

  /** Delivered, and the answer kept; with it the row that a loopback takes in. */
  async #keep(
    item: OutboundItem,
    response: Omit<NewResponse, "reingress">,
    row: Completed,
    hint: SubmitHint | undefined,
  ): Promise<ResolveResult> {
    const { store, responseLane } = this.#options;
    const { reingressTo } = this.#lane.definition;
    const { body, outcome } = response;
    const isTakenIn = reingressTo !== undefined && body !== undefined;
    const lane = isTakenIn ? responseLane(reingressTo) : undefined;
    const place = lane && body !== undefined ? new ReentryPlace(lane, body) : undefined;
    const reingress = isTakenIn ? { lane: reingressTo, token: place?.token } : undefined;
    try {
      const intent = {
        kind: "complete_with_response",
        ...row,
        response: { ...response, reingress },
      };
      const result = await store.submit(intent as CompleteWithResponseIntent, hint);
      const { mine, reingressSeq, responseSeq } = result;
      if (mine && reingressSeq !== undefined) {
        place?.committed({
          seq: reingressSeq,
          messageSeq: item.messageSeq,
          messageId: item.messageId,
          metadata: item.metadata,
          receivedAt: row.at,
          handler: this.#lane.name,
          answer: { seq: responseSeq, outcome },
        });
      }
      return result;
    } finally {
      place?.refused();
    }
  }

  /** The one intent that resolves a claimed row, and claims the next one with it. */
  #write(
    item: OutboundItem,
    verdict: Verdict,
    next: NextClaim | undefined,
  ): Promise<ResolveResult> {
    const { store, clock, redact } = this.#options;
    const { seq, token, messageSeq } = item;
    const at = micros(clock);
    const row = { seq, token: token!, messageSeq, at, destination: this.#lane.name };
    const hint = isFinal(verdict) ? { pressing: this.march(next !== undefined) } : undefined;
    switch (verdict.act) {
      case "complete": {
        const { response, simulated } = verdict;
        if (response !== undefined) return this.#keep(item, response, { ...row, next }, hint);
        return store.submit({ kind: "complete", ...row, next, simulated }, hint);
      }
      case "dead_letter": {
        const error = errorOf(verdict, redact);
        return store.submit({ kind: "dead_letter", ...row, error, next }, hint);
      }
      case "retry": {
        const error = errorOf(verdict, redact);
        const dueAt = at + Math.round(verdict.waitMs * 1000);
        return store.submit({ kind: "retry", ...row, dueAt, error });
      }
      default:
        return store.submit({ kind: "release", seq, token: row.token, at });
    }
  }
}

/** A row that is delivered, and the next one. */
type Completed = Omit<CompleteIntent, "kind">;

/** What the partner's acknowledgement has to name; only HL7 payloads have one. */
function controlIdOf(payload: string): string | undefined {
  return payload.startsWith("MSH") ? peekControlId(payload) : undefined;
}

/** UTF-16 units of an error as its row keeps it. */
const ERROR_MAX = 300;

/** What a row keeps of its failure: cut behind the redaction, for half a date is none any more. */
function errorOf(
  { reason, said }: { readonly reason: string; readonly said?: string },
  redact: (text: string) => string,
): string {
  if (said === undefined) return redact(reason);
  const error = redact(`${reason}: ${said}`);
  return error.length <= ERROR_MAX
    ? error
    : error.slice(0, ERROR_MAX).replace(/[\ud800-\udbff]$/, "");
}
