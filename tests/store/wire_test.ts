import assert from "node:assert/strict";
import fc from "fast-check";
import type { Intent } from "../../src/store/intents.ts";
import {
  decodeIntents,
  decodeOutcomes,
  encodeIntents,
  encodeOutcomes,
  type Outcome,
} from "../../src/store/wire.ts";

/** Objects as the engine makes them: those without a prototype do not survive a thread. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> =>
  fc.record(model, { noNullPrototype: true });
const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const text = fc.string({ unit: "binary", maxLength: 12 });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });
const deliveries = fc.array(
  record({
    destination: text,
    handler: text,
    payload: maybe(text),
    token: maybe(number),
    isChanges: fc.boolean(),
  }),
  { maxLength: 4 },
);
const failures = fc.array(record({ handler: text, error: text }), { maxLength: 2 });
const state = fc.array(record({ namespace: text, key: text, value: text }), { maxLength: 2 });
const reentries = fc.array(
  record({ lane: text, handler: text, payload: maybe(text), token: maybe(number) }),
  { minLength: 1, maxLength: 2 },
);
const next = maybe(record({ seq: number, token: number }));
const message = record({
  id: text,
  channel: text,
  receivedAt: number,
  sourceType: text,
  controlId: maybe(text),
  messageType: maybe(text),
  raw: text,
});
const row = { at: number, seq: number, token: number, messageSeq: number };

/** Every kind that travels flat, and some of those that travel as they are. */
const intent: fc.Arbitrary<Intent> = fc.oneof(
  record({ kind: fc.constant("receive" as const), message, token: maybe(number) }),
  record({
    kind: fc.constant("hand_off" as const),
    ...row,
    channel: text,
    handlers: number,
    deliveries,
    failures,
    state,
  }),
  record({
    kind: fc.constant("hand_off" as const),
    ...row,
    ...{ channel: text, handlers: number, deliveries, failures, state, reentries },
  }),
  record({ kind: fc.constant("complete" as const), ...row, destination: text, next }),
  record({
    kind: fc.constant("complete" as const),
    ...row,
    ...{ destination: text, next, simulated: fc.constant(true) },
  }),
  record({ kind: fc.constant("record_error" as const), message, error: text }),
  record({
    kind: fc.constant("transform_hand_off" as const),
    ...row,
    channel: text,
    deliveries,
    state,
  }),
  record({
    kind: fc.constant("dead_letter" as const),
    ...row,
    destination: maybe(text),
    error: text,
    next,
  }),
  record({ kind: fc.constant("replay" as const), id: text, at: number }),
);

const resolved = record({ mine: fc.boolean(), nextClaimed: fc.boolean() });
const failure = record({
  failure: record({ code: text, message: text, hint: maybe(text) }),
});

/** An intent with an answer of its kind. */
const answered = intent.chain((intent) =>
  record({ intent: fc.constant(intent), outcome: outcomeOf(intent) })
);

function outcomeOf({ kind }: Intent): fc.Arbitrary<Outcome> {
  switch (kind) {
    case "receive":
    case "record_error":
      return fc.oneof(
        record({ result: record({ messageSeq: number, seq: number }) }),
        failure,
      );
    case "hand_off":
    case "transform_hand_off":
      return fc.oneof(
        record({
          result: record({ mine: fc.boolean(), seqs: fc.array(number, { maxLength: 4 }) }),
        }),
        failure,
      );
    default:
      return fc.oneof(record({ result: resolved }), failure);
  }
}

Deno.test("encodeIntents() survives the way between threads", () => {
  fc.assert(fc.property(fc.array(intent, { maxLength: 12 }), (intents) => {
    assert.deepEqual(decodeIntents(structuredClone(encodeIntents(intents))), intents);
  }));
});

Deno.test("encodeOutcomes() survives the way back, each answer at its place", () => {
  fc.assert(fc.property(fc.array(answered, { maxLength: 12 }), (pairs) => {
    const flat = encodeOutcomes(
      pairs.map(({ intent }) => intent),
      pairs.map(({ outcome }) => outcome),
    );
    const decoded: Outcome[] = [];
    decodeOutcomes(
      structuredClone(flat),
      (index, result) => assert.equal(decoded.push({ result }) - 1, index),
      (index, failure) => assert.equal(decoded.push({ failure }) - 1, index),
    );
    assert.deepEqual(decoded, pairs.map(({ outcome }) => outcome));
  }));
});

Deno.test("encodeIntents() sends bodies as they are, not one by one", () => {
  const raw = "x".repeat(1_000_000);
  const message = {
    ...{ id: "a", channel: "IB", receivedAt: 1, sourceType: "mllp", raw },
    ...{ controlId: undefined, messageType: undefined },
  };
  const flat = encodeIntents([{ kind: "receive", message, token: 1 }]);
  assert.ok(flat.length < 12);
  assert.ok(flat.includes(raw));
});

Deno.test("encodeOutcomes() takes a handoff of very many rows", () => {
  const seqs = Array.from({ length: 300_000 }, (_, index) => index);
  const intent = { kind: "hand_off" } as Intent;
  const flat = encodeOutcomes([intent], [{ result: { mine: true, seqs } }]);
  let result: unknown;
  decodeOutcomes(flat, (_, decoded) => result = decoded, () => assert.fail());
  assert.deepEqual(result, { mine: true, seqs });
});
