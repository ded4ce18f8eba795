import assert from "node:assert/strict";
import { identityCipher } from "../../src/crypto/cells.ts";
import { openClaim, sealIntents } from "../../src/store/cells.ts";
import type { ClaimResult, Intent, NewMessage, QueueRow } from "../../src/store/intents.ts";
import { toyCipher, UNSEALABLE } from "./toy_cipher.ts";

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

/** Every intent that carries a cell of spec pipeline-store-cluster §4.3. */
const sealed: readonly Intent[] = [
  { kind: "receive", message, token: 1 },
  { kind: "record_error", message, error: "SECRET error" },
  {
    ...{ kind: "hand_off", ...row, channel: "IB", handlers: 2, deliveries, state },
    failures: [{ handler: "h", error: "SECRET error" }],
  },
  { kind: "transform_hand_off", ...row, channel: "IB", deliveries, state },
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

Deno.test("sealIntents() seals every cell and nothing else", async () => {
  const batch = [...sealed, ...clear];
  const result = await sealIntents(toyCipher, batch);
  assert.doesNotMatch(JSON.stringify(result), /SECRET/);
  assert.deepEqual(await openAll(result), batch);
  assert.deepEqual(result.slice(sealed.length), clear);
  const named = JSON.stringify(result);
  for (const name of ["C1", "ADT^A01", "OB_A", "192.0.2.1", '"n"', '"k"']) {
    assert.ok(named.includes(name), `${name} stays readable`);
  }
});

Deno.test("sealIntents() leaves the caller's intents as they were", async () => {
  const batch = structuredClone(sealed);
  await sealIntents(toyCipher, batch);
  assert.deepEqual(batch, sealed);
});

Deno.test("sealIntents() gives equal texts of one batch one form, so that they share a row", async () => {
  const [handOff, other] = await sealIntents(toyCipher, [sealed[2]!, sealed[3]!]);
  assert.ok(handOff?.kind === "hand_off" && other?.kind === "transform_hand_off");
  const [form] = handOff.deliveries;
  assert.equal(other.deliveries[0]?.payload, form?.payload);
  const [later] = await sealIntents(toyCipher, [sealed[3]!]);
  assert.ok(later?.kind === "transform_hand_off");
  assert.notEqual(later.deliveries[0]?.payload, form?.payload);
});

Deno.test("sealIntents() keeps what means something: no payload, an empty one", async () => {
  const [handOff] = await sealIntents(toyCipher, [sealed[2]!]);
  assert.ok(handOff?.kind === "hand_off");
  assert.deepEqual(handOff.deliveries.slice(1).map(({ payload }) => payload), [undefined, ""]);
});

Deno.test("sealIntents() without a key is no work", async () => {
  assert.equal(await sealIntents(identityCipher, sealed), sealed);
});

Deno.test("sealIntents() fails rather than let a cell through", async () => {
  const bad: Intent = { kind: "receive", message: { ...message, raw: UNSEALABLE }, token: 1 };
  await assert.rejects(sealIntents(toyCipher, [sealed[0]!, bad]));
});

Deno.test("openClaim() opens bodies and gives up only those it cannot open", async () => {
  const [one, two] = await toyCipher.seal(["body one", "body two"]);
  const rows = [one, `${two}x`, "stored before there was a key", "", undefined].map(queueRow);
  const claim: ClaimResult = {
    ...{ rows, drained: true, dueAt: undefined, exhausted: 0, suspect: false },
  };
  const opened = await openClaim(toyCipher, claim);
  assert.deepEqual(
    opened.rows.map(({ body }) => body),
    ["body one", undefined, "stored before there was a key", "", undefined],
  );
  const bodies = claim.rows.map((row, index) => ({ ...row, body: opened.rows[index]?.body }));
  assert.deepEqual(opened, { ...claim, rows: bodies });
  assert.equal(await openClaim(identityCipher, claim), claim);
});

/** Opens every text of a value that was sealed. */
async function openAll(value: unknown): Promise<unknown> {
  if (typeof value === "string") return (await toyCipher.open([value]))[0];
  if (Array.isArray(value)) return Promise.all(value.map(openAll));
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(async ([key, part]) => [key, await openAll(part)]);
  return Object.fromEntries(await Promise.all(entries));
}

function queueRow(body: string | undefined, index: number): QueueRow {
  return {
    ...{ seq: index, messageSeq: index, messageId: "id", channel: "IB", handler: undefined, body },
    ...{ attempts: 1, createdAt: 1, receivedAt: 1, token: index },
  };
}
