import assert from "node:assert/strict";
import { keylessCells } from "../../src/crypto/cells.ts";
import { openClaim, sealIntents } from "../../src/store/cells.ts";
import type { ClaimResult, QueueRow } from "../../src/store/intent_results.ts";
import type { Intent, NewMessage } from "../../src/store/intents.ts";
import { refusingCipher, UNSEALABLE } from "./ciphers.ts";

const cipher = refusingCipher();

const message: NewMessage = {
  ...{ id: "id", channel: "IB", receivedAt: 1, sourceType: "mllp" },
  ...{ controlId: "C1", messageType: "ADT^A01", raw: "SECRET raw" },
};
const row = { at: 1, seq: 2, token: 3, messageSeq: 4 };
const deliveries = [
  { destination: "OB_A", handler: "h", payload: "SECRET payload", token: 1 },
  { destination: "OB_B", handler: "h", payload: undefined, token: undefined },
  { destination: "OB_C", handler: "h", payload: "", token: undefined },
];
const state = [{ namespace: "n", key: "k", value: "SECRET value" }];

const reentries = [
  { lane: "IB_LOOP", handler: "h", payload: "SECRET sent", token: 1 },
  { lane: "IB_LOOP", handler: "h", payload: undefined, token: undefined },
];
const response = {
  outcome: "accepted",
  detail: "SECRET detail",
  body: "SECRET answer",
  reingress: { lane: "IB_LOOP", token: 9 },
} as const;

/** Every intent that carries a cell of spec pipeline-store-cluster §4.3. */
const sealed: readonly Intent[] = [
  { kind: "receive", message, token: 1 },
  { kind: "record_error", message, error: "SECRET error" },
  {
    ...{ kind: "hand_off", ...row, channel: "IB", handlers: 2, deliveries, state },
    failures: [{ handler: "h", error: "SECRET error" }],
  },
  { kind: "transform_hand_off", ...row, channel: "IB", deliveries, state },
  { kind: "transform_hand_off", ...row, channel: "IB", deliveries, state, reentries },
  { kind: "complete_with_response", ...row, destination: "OB", next: undefined, response },
  {
    ...{ kind: "reingress", ...row, isAnswer: true, ingressToken: 5, error: "SECRET error" },
    message: { ...message, metadata: "SECRET metadata" },
  },
  { kind: "retry", ...row, destination: "OB", dueAt: 5, error: "SECRET error" },
  { kind: "dead_letter", ...row, destination: "OB", error: "SECRET error", next: undefined },
  {
    kind: "connection_events",
    events: [true, false].map((hasReason) => ({
      ...{ at: 1, connection: "IB", transport: "mllp", direction: "inbound", event: "closed" },
      ...{ peer: "192.0.2.1", reason: hasReason ? "SECRET reason" : undefined },
    })),
  },
];

/** Intents without any such cell. */
const clear: readonly Intent[] = [
  { kind: "route_hand_off", ...row, channel: "IB", handlers: ["h"] },
  { kind: "complete", ...row, destination: "OB", next: undefined },
  { kind: "release", at: 1, seq: 2, token: 3 },
  { kind: "replay", id: "id", at: 1 },
  { kind: "cancel", destination: "OB", scope: "all", at: 1 },
];

Deno.test("sealIntents() seals every cell and nothing else", () => {
  const batch = [...sealed, ...clear];
  const result = sealIntents(cipher, batch);
  assert.doesNotMatch(JSON.stringify(result), /SECRET/);
  assert.deepEqual(openAll(result), batch);
  assert.deepEqual(result.slice(sealed.length), clear);
  const named = JSON.stringify(result);
  for (const name of ["C1", "ADT^A01", "OB_A", "192.0.2.1", '"n"', '"k"']) {
    assert.ok(named.includes(name), `${name} stays readable`);
  }
});

Deno.test("sealIntents() leaves the caller's intents as they were", () => {
  const batch = structuredClone(sealed);
  sealIntents(cipher, batch);
  assert.deepEqual(batch, sealed);
});

Deno.test("sealIntents() gives equal texts of one batch one form, so that they share a row", () => {
  const [handOff, other] = sealIntents(cipher, [sealed[2]!, sealed[3]!]);
  assert.ok(handOff?.kind === "hand_off" && other?.kind === "transform_hand_off");
  const [form] = handOff.deliveries;
  assert.equal(other.deliveries[0]?.payload, form?.payload);
  const [later] = sealIntents(cipher, [sealed[3]!]);
  assert.ok(later?.kind === "transform_hand_off");
  assert.notEqual(later.deliveries[0]?.payload, form?.payload);
});

Deno.test("sealIntents() keeps what means something: no payload, an empty one", () => {
  const [handOff] = sealIntents(cipher, [sealed[2]!]);
  assert.ok(handOff?.kind === "hand_off");
  assert.deepEqual(handOff.deliveries.slice(1).map(({ payload }) => payload), [undefined, ""]);
});

Deno.test("sealIntents() without a key is no work", () => {
  assert.equal(sealIntents(keylessCells, sealed), sealed);
});

// Goal: without a key, too, every cell is looked at: one that looks sealed must not be mistaken.
// Method: every cell of every intent looks so; what is marked is what a key would have sealed.
Deno.test("sealIntents() without a key marks every cell that looks sealed", () => {
  const text = JSON.stringify([...sealed, ...clear]);
  const looksSealed: Intent[] = JSON.parse(text.replaceAll("SECRET", "mfenc:v1:"));
  for (const [index, intent] of looksSealed.entries()) {
    const [stored] = sealIntents(keylessCells, [intent]);
    assert.equal(
      JSON.stringify(stored),
      JSON.stringify(intent).replaceAll('"mfenc:v1:', '"mfenc:clear:mfenc:v1:'),
      `intent ${index}`,
    );
  }
});

Deno.test("sealIntents() fails rather than let a cell through", () => {
  const bad: Intent = { kind: "receive", message: { ...message, raw: UNSEALABLE }, token: 1 };
  assert.throws(() => sealIntents(cipher, [sealed[0]!, bad]), /Cannot seal/);
});

Deno.test("openClaim() opens bodies and gives up only those it cannot open", () => {
  const [one, two] = ["body one", "body two"].map((body) => cipher.seal(body));
  const rows = [one, `${two}x`, "stored before there was a key", "", undefined].map(queueRow);
  const claim: ClaimResult = {
    ...{ rows, drained: true, dueAt: undefined, exhausted: 0, suspect: false },
  };
  const opened = openClaim(cipher, claim);
  assert.deepEqual(
    opened.rows.map(({ body }) => body),
    ["body one", undefined, "stored before there was a key", "", undefined],
  );
  const bodies = claim.rows.map((row, index) => ({ ...row, body: opened.rows[index]?.body }));
  assert.deepEqual(opened, { ...claim, rows: bodies });
});

Deno.test("openClaim() without a key is no work, and hands out no sealed cell", () => {
  const shape = { drained: true, dueAt: undefined, exhausted: 0, suspect: false };
  const claim: ClaimResult = { ...shape, rows: ["body", "", undefined].map(queueRow) };
  assert.equal(openClaim(keylessCells, claim), claim);
  const rows = [cipher.seal("body"), keylessCells.seal("mfenc:x"), "body"].map(queueRow);
  const opened = openClaim(keylessCells, { ...shape, rows });
  assert.deepEqual(opened.rows.map(({ body }) => body), [undefined, "mfenc:x", "body"]);
});

/** Opens every text of a value that was sealed. */
function openAll(value: unknown): unknown {
  if (typeof value === "string") return cipher.open(value);
  if (Array.isArray(value)) return value.map(openAll);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, openAll(part)]));
}

function queueRow(body: string | undefined, index: number): QueueRow {
  return {
    ...{ seq: index, messageSeq: index, messageId: "id", channel: "IB", handler: undefined, body },
    ...{ attempts: 1, createdAt: 1, receivedAt: 1, token: index },
    ...{ metadata: undefined, answer: undefined },
  };
}
