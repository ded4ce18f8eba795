/**
 * Random intents in random batches, held against a model of the rows (I10, I18, I19).
 *
 * fast-check prints the seed and the path of a failing run; `fc.assert(…, { seed, path })` runs it
 * again.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { ClaimResult } from "../../../src/store/intent_results.ts";
import type { Intent, Stage } from "../../../src/store/intents.ts";
import { readdressed, type StoreBackend, StoreBench } from "./bench.ts";
import { Model, type ModelDelivery, type ModelMessage, type ModelRow } from "./model.ts";

/** What a run draws; numbers choose among what there is when the act is made. */
const act = fc.record({
  kind: fc.constantFrom(
    ...Array<"receive">(3).fill("receive"),
    ...Array<"hand_off">(4).fill("hand_off"),
    ...Array<"claim">(5).fill("claim"),
    ...Array<"complete">(4).fill("complete"),
    ...Array<"transform_hand_off">(3).fill("transform_hand_off"),
    "record_error" as const,
    "route_hand_off" as const,
    "route_hand_off" as const,
    "retry" as const,
    "retry" as const,
    "dead_letter" as const,
    "dead_letter" as const,
    "release" as const,
    "claim_row" as const,
    "resync" as const,
    "replay" as const,
    "replay" as const,
    "replay_dead" as const,
    "cancel" as const,
    "sweep_missing" as const,
    "purge" as const,
    "purge" as const,
  ),
  pick: fc.nat(30),
  /** One in eight acts on some row, not on a fitting one, or under a foreign token. */
  astray: fc.integer({ min: 1, max: 8 }).map((drawn) => drawn === 8),
  channel: fc.nat(1),
  lane: fc.nat(2),
  stage: fc.constantFrom<Stage>("ingress", "routed", "outbound", "outbound"),
  hot: fc.boolean(),
  destinations: fc.array(fc.nat(2), { maxLength: 3 }),
  failures: fc.nat(2),
  filters: fc.nat(1),
  limit: fc.nat(3),
  readAhead: fc.nat(2),
  unordered: fc.boolean(),
  ceiling: fc.constantFrom(undefined, undefined, 3),
  flag: fc.boolean(),
  backOffSeconds: fc.nat(3),
});
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

const batches = fc.array(
  fc.record({
    acts: fc.array(act, { minLength: 1, maxLength: 7 }),
    passSeconds: fc.nat(2),
  }),
  { minLength: 1, maxLength: 14 },
);

/** An intent, and what the model makes of it once its turn in the batch has come. */
interface Planned {
  readonly intent: Intent;
  /** Acts on the model and holds the store's answer against it. */
  readonly settle: (answer: unknown) => void;
}

export function testProperties(backend: StoreBackend): void {
  // Goal: whatever is asked in whatever order, rows, lanes, dispositions, timelines and answers
  // are those of the specification. A message is open exactly while it is RECEIVED or ROUTED.
  Deno.test(`${backend.name} does to rows what the model does`, async () => {
    await using bench = await StoreBench.open(backend);
    let run = 0;
    await fc.assert(
      fc.asyncProperty(batches, async (batches) => {
        const walk = new Walk(bench, run += 1);
        for (const { acts, passSeconds } of batches) {
          bench.passSeconds(passSeconds);
          await walk.batch(acts);
          await walk.compare();
        }
      }),
      { numRuns: 80 },
    );
  });
}

/** One run: names of its own in a store shared with the runs before. */
class Walk {
  readonly #bench: StoreBench;
  readonly #run: number;
  readonly #model = new Model();

  constructor(bench: StoreBench, run: number) {
    this.#bench = bench;
    this.#run = run;
  }

  /**
   * Plans every act on what stands before the batch, submits all at once, settles in order. A purge
   * shares no commit and may run before or after what was submitted with it: it goes alone.
   */
  async batch(acts: readonly Act[]): Promise<void> {
    this.#model.now = this.#bench.now;
    const isPurge = ({ intent }: Planned) => intent.kind === "purge";
    const planned = acts.map((act) => this.#plan(act));
    await this.#together(planned.filter(isPurge));
    await this.#together(planned.filter((one) => !isPurge(one)));
  }

  async #together(planned: readonly Planned[]): Promise<void> {
    const answers = await Promise.all(
      planned.map(({ intent }) => this.#bench.store.submit(intent)),
    );
    for (const [index, { intent, settle }] of planned.entries()) {
      try {
        settle(answers[index]);
      } catch (cause) {
        throw new Error(`Intent ${index} of the batch, ${intent.kind}: ${cause}`, { cause });
      }
    }
  }

  /** Holds every message of the run, its rows and its timeline against the model. */
  async compare(): Promise<void> {
    const { messages } = this.#model;
    const { store } = this.#bench;
    const details = await Promise.all(messages.map(({ id }) => store.message(id)));
    const payloads = await Promise.all(messages.map(({ id }) => store.outboundOf(id)));
    for (const [index, message] of messages.entries()) {
      const detail = details[index]!;
      const rows = this.#model.rowsOf(message);
      // Dead routed rows are not part of a handoff's answer: they get their number here.
      for (const [position, row] of rows.entries()) {
        if (row.seq === 0) row.seq = detail.rows[position]?.seq ?? 0;
      }
      assert.deepEqual(
        {
          status: detail.status,
          error: detail.error,
          bodies: [detail.raw, ...payloads[index]!.map(({ payload }) => payload)],
          events: detail.events.map(({ event, destination }) =>
            destination === null ? event : `${event} ${destination}`
          ),
          rows: detail.rows.map((row) => [
            row.seq,
            row.stage,
            row.destination,
            row.handler,
            row.status,
            row.attempts,
            row.nextAttemptAt,
            row.lastError,
          ]),
        },
        {
          status: message.status,
          error: message.error,
          bodies: [
            message.raw,
            ...rows.filter(({ stage }) => stage === "outbound").map(({ body }) => body),
          ],
          events: message.events,
          rows: rows.map((row) => [
            row.seq,
            row.stage,
            row.lane,
            row.handler ?? null,
            row.status,
            row.attempts,
            row.dueAt,
            row.error,
          ]),
        },
      );
      const isOpen = rows.some(({ status }) => status === "pending" || status === "inflight");
      assert.equal(isOpen, detail.status === "received" || detail.status === "routed");
    }
    const seqs = this.#model.rows.map(({ seq }) => seq);
    assert.deepEqual(seqs, seqs.toSorted((a, b) => a - b), "rows are numbered as they were made");
  }

  #plan(act: Act): Planned {
    switch (act.kind) {
      case "receive":
        return this.#receive(act);
      case "record_error":
        return this.#recordError(act);
      case "hand_off":
      case "route_hand_off":
      case "transform_hand_off":
        return this.#handOff(act);
      case "complete":
      case "retry":
      case "dead_letter":
      case "release":
        return this.#resolve(act);
      case "claim_row":
        return this.#claimRow(act);
      case "claim":
        return this.#claim(act);
      case "resync":
        return this.#resync(act);
      default:
        return this.#operate(act);
    }
  }

  // Intake.

  #receive({ channel, hot }: Act): Planned {
    const message = this.#bench.message({ channel: this.#channel(channel) });
    const token = hot ? this.#bench.store.nextToken() : undefined;
    return {
      intent: { kind: "receive", message, token },
      settle: (answer) => {
        const { messageSeq, seq } = answer as { messageSeq: number; seq: number };
        const row = this.#model.receive(message.id, message.channel, token, message.raw);
        row.message.messageSeq = messageSeq;
        row.seq = seq;
      },
    };
  }

  #recordError({ channel }: Act): Planned {
    const message = this.#bench.message({ channel: this.#channel(channel) });
    const error = "decode error";
    return {
      intent: { kind: "record_error", message, error },
      settle: (answer) => {
        const { messageSeq } = answer as { messageSeq: number };
        const { id, channel, raw } = message;
        this.#model.recordError(id, channel, error, raw).messageSeq = messageSeq;
      },
    };
  }

  // Handoffs.

  #handOff(act: Act): Planned {
    const stage = act.kind === "transform_hand_off" ? "routed" : "ingress";
    const row = this.#pickRow(act, (row) => row.stage === stage && row.status === "inflight");
    if (!row) return this.#receive(act);
    // A row of another stage is never handed off under its own token: that is no caller's mistake.
    const token = row.stage === stage ? this.#tokenOf(row, act) : this.#bench.store.nextToken();
    const { raw } = row.message;
    const payloads = [undefined, "payload 0", readdressed(raw, "LAB"), readdressed(raw, "WARD")];
    const deliveries = act.destinations.map((lane, index): ModelDelivery => ({
      destination: this.#lane(lane),
      handler: this.#handler(index),
      token: act.hot && index === 0 ? this.#bench.store.nextToken() : undefined,
      payload: payloads[(index + lane) % payloads.length],
    }));
    const { seq, message: { messageSeq, channel } } = row;
    const at = this.#bench.now;
    const ours = { at, seq, token, messageSeq, channel, messageText: raw };
    if (act.kind === "route_hand_off") {
      const handlers = act.destinations.map((handler) => this.#handler(handler));
      return {
        intent: { kind: "route_hand_off", at, seq, token, messageSeq, channel, handlers },
        settle: (answer) => {
          this.#settleRows(answer, this.#model.routeHandOff(row, token, at, handlers));
        },
      };
    }
    if (act.kind === "transform_hand_off") {
      return {
        intent: { kind: "transform_hand_off", ...ours, deliveries, state: [] },
        settle: (answer) => {
          this.#settleRows(answer, this.#model.transformHandOff(row, token, at, deliveries));
        },
      };
    }
    const failures = Array.from({ length: act.failures }, (_, index) => ({
      handler: this.#handler(index),
      error: `TypeError ${index}`,
    }));
    const handlers = deliveries.length + failures.length + act.filters;
    const parts = { handlers, deliveries, failures };
    return {
      intent: { kind: "hand_off", ...ours, handlers, deliveries, failures, state: [] },
      settle: (answer) => {
        this.#settleRows(answer, this.#model.handOff(row, token, at, parts));
      },
    };
  }

  #settleRows(answer: unknown, made: readonly ModelRow[] | undefined): void {
    const { mine, seqs } = answer as { mine: boolean; seqs: number[] };
    assert.equal(mine, made !== undefined);
    assert.equal(seqs.length, made?.length ?? 0);
    for (const [index, row] of made?.entries() ?? []) row.seq = seqs[index]!;
  }

  // Resolutions.

  #resolve(act: Act): Planned {
    const row = this.#pickRow(
      act,
      ({ stage, status }) =>
        status === "inflight" && (act.kind !== "complete" || stage === "outbound"),
    );
    if (!row) return this.#claim({ ...act, kind: "claim" });
    const token = this.#tokenOf(row, act);
    const at = this.#bench.now;
    const destination = row.handler ?? row.lane;
    const ours = { at, seq: row.seq, token, messageSeq: row.message.messageSeq, destination };
    const expect = (isMine: () => boolean) => (answer: unknown) => {
      assert.deepEqual(answer, { mine: isMine(), nextClaimed: false });
    };
    switch (act.kind) {
      case "complete":
        return {
          intent: { kind: "complete", ...ours, next: undefined },
          settle: expect(() => this.#model.complete(row, token, destination)),
        };
      case "retry": {
        const dueAt = at + act.backOffSeconds * 1_000_000;
        const error = `no answer ${act.pick}`;
        return {
          intent: { kind: "retry", ...ours, dueAt, error },
          settle: expect(() => this.#model.retry(row, token, destination, dueAt, error)),
        };
      }
      case "dead_letter": {
        const error = `given up ${act.pick}`;
        const meantFor = act.flag ? destination : undefined;
        return {
          intent: { kind: "dead_letter", ...ours, destination: meantFor, error, next: undefined },
          settle: expect(() => this.#model.bury(row, token, meantFor, error)),
        };
      }
      default:
        return {
          intent: { kind: "release", at, seq: row.seq, token },
          settle: expect(() => this.#model.release(row, token)),
        };
    }
  }

  #claimRow(act: Act): Planned {
    const row = this.#pickRow(act, ({ status }) => status === "pending");
    if (!row) return this.#receive(act);
    const token = this.#bench.store.nextToken();
    return {
      intent: { kind: "claim_row", at: this.#bench.now, seq: row.seq, token },
      settle: (answer) => {
        assert.deepEqual(answer, { mine: this.#model.claimRow(row, token), nextClaimed: false });
      },
    };
  }

  #claim(act: Act): Planned {
    const { stage, readAhead, unordered, ceiling, flag } = act;
    const lane = stage === "outbound" ? this.#lane(act.lane) : this.#channel(act.channel);
    const isUnordered = unordered && stage === "outbound";
    const limit = isUnordered ? 1 + act.limit : act.limit;
    const token = this.#bench.store.nextToken(limit);
    const ask = {
      limit,
      readAhead: isUnordered ? 0 : readAhead,
      token,
      at: this.#bench.now,
      attemptsMax: stage === "outbound" ? undefined : ceiling,
      suspects: flag,
    };
    return {
      intent: { kind: "claim", stage, lane, after: 0, unordered: isUnordered, ...ask },
      settle: (answer) => {
        const { rows, claimed, ...expected } = isUnordered
          ? this.#model.claimDue(stage, lane, ask)
          : this.#model.claim(stage, lane, ask);
        const { rows: actual, ...told } = answer as ClaimResult;
        assert.deepEqual(told, expected);
        for (const [index, row] of rows.entries()) {
          if (row.seq === 0) row.seq = actual[index]!.seq;
        }
        assert.deepEqual(
          actual.map((
            { seq, messageId, handler, attempts, token },
          ) => [seq, messageId, handler, attempts, token]),
          rows.map((row, index) => [
            row.seq,
            row.message.id,
            row.handler,
            row.attempts,
            index < claimed ? row.token : undefined,
          ]),
        );
      },
    };
  }

  #resync(act: Act): Planned {
    const { stage } = act;
    const lane = stage === "outbound" ? this.#lane(act.lane) : this.#channel(act.channel);
    return {
      intent: { kind: "resync", stage, lane, at: this.#bench.now },
      settle: (answer) => assert.deepEqual(answer, { open: this.#model.resync(stage, lane) }),
    };
  }

  // Operators. Names of this run only, so that no earlier run's rows answer.

  #operate(act: Act): Planned {
    const at = this.#bench.now;
    const destination = this.#lane(act.lane);
    if (act.kind === "purge") {
      const of = act.hot ? "messages" : "dead_letters";
      const before = at - act.backOffSeconds * 1_000_000 + (act.flag ? 1 : 0);
      return {
        intent: { kind: "purge", of, before, limit: 100_000, after: undefined, at },
        settle: () => this.#model.purge(of, before),
      };
    }
    if (act.kind === "cancel") {
      const scope = act.flag ? "all" : "top";
      const limit = act.hot && act.flag ? 1 + act.limit : undefined;
      return {
        intent: { kind: "cancel", destination, scope, limit, at },
        settle: (answer) => {
          const { cancelled } = answer as { cancelled: number };
          assert.equal(cancelled, this.#model.cancel(destination, scope, limit));
        },
      };
    }
    if (act.kind === "replay_dead") {
      const channel = act.flag ? this.#channel(act.channel) : undefined;
      const to = act.flag && act.hot ? undefined : destination;
      return {
        intent: { kind: "replay_dead", channel, destination: to, at },
        settle: (answer) => {
          const { requeued } = answer as { requeued: number };
          assert.equal(requeued, this.#model.replayDead(channel, to, at));
        },
      };
    }
    if (act.kind === "sweep_missing") {
      const destinations = [0, 1, 2].filter((lane) => lane !== act.lane).map((n) => this.#lane(n));
      const handlers = [0, 1, 2].filter((n) => n !== act.limit).map((n) => this.#handler(n));
      return {
        intent: { kind: "sweep_missing", destinations, handlers, at },
        settle: () => this.#model.sweep(destinations, handlers),
      };
    }
    const message = this.#pickMessage(act);
    if (!message) return this.#receive(act);
    return {
      intent: { kind: "replay", id: message.id, at },
      settle: (answer) => {
        const { requeued } = answer as { requeued: number };
        assert.equal(requeued, this.#model.replay(message, at));
      },
    };
  }

  // What an act draws from.

  #pickRow({ pick, astray }: Act, fits: (row: ModelRow) => boolean): ModelRow | undefined {
    const numbered = this.#model.rows.filter(({ seq }) => seq > 0);
    const fitting = astray ? numbered : numbered.filter(fits);
    return fitting[pick % fitting.length];
  }

  #pickMessage({ pick }: Act): ModelMessage | undefined {
    return this.#model.messages[pick % this.#model.messages.length];
  }

  #tokenOf(row: ModelRow, { astray, flag }: Act): number {
    return astray && flag || row.token === undefined ? this.#bench.store.nextToken() : row.token;
  }

  #channel(number: number): string {
    return `IB_${this.#run}_${number}`;
  }

  #lane(number: number): string {
    return `OB_${this.#run}_${number}`;
  }

  #handler(number: number): string {
    return `h_${this.#run}_${number}`;
  }
}
