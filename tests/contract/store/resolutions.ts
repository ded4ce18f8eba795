/** T5 to T8 and the guards of every intent that acts on a row in flight. */
import assert from "node:assert/strict";
import type { Intent } from "../../../src/store/intents.ts";
import { delivery, type Held, heldOf, type StoreBackend, StoreBench } from "./bench.ts";

/** Every intent that needs `status = inflight` under the caller's token. */
const guarded: readonly {
  readonly kind: Intent["kind"];
  readonly stage: "ingress" | "routed" | "outbound";
  readonly make: (held: Held, at: number) => Intent;
}[] = [
  {
    kind: "hand_off",
    stage: "ingress",
    make: (held, at) => ({
      kind: "hand_off",
      ...held,
      at,
      handlers: 2,
      deliveries: [delivery("OB_NEW", { payload: "new" })],
      failures: [{ handler: "h", error: "failed" }],
      state: [{ namespace: "n", key: "k", value: "1" }],
    }),
  },
  {
    kind: "route_hand_off",
    stage: "ingress",
    make: (held, at) => ({ kind: "route_hand_off", ...held, at, handlers: ["h"] }),
  },
  {
    kind: "transform_hand_off",
    stage: "routed",
    make: (held, at) => ({
      kind: "transform_hand_off",
      ...held,
      at,
      deliveries: [delivery("OB_NEW", { payload: "new" })],
      state: [{ namespace: "n", key: "k", value: "1" }],
    }),
  },
  {
    kind: "complete",
    stage: "outbound",
    make: (held, at) => ({ kind: "complete", ...held, at, destination: "OB_A", next: undefined }),
  },
  {
    kind: "retry",
    stage: "outbound",
    make: (held, at) => ({
      kind: "retry",
      ...held,
      at,
      destination: "OB_A",
      dueAt: at + 5_000_000,
      error: "no answer",
    }),
  },
  {
    kind: "dead_letter",
    stage: "outbound",
    make: (held, at) => ({
      kind: "dead_letter",
      ...held,
      at,
      destination: "OB_A",
      error: "partner answered AR",
      next: undefined,
    }),
  },
  {
    kind: "release",
    stage: "outbound",
    make: ({ seq, token }, at) => ({ kind: "release", at, seq, token }),
  },
];

export function testResolutions(backend: StoreBackend): void {
  const { name } = backend;

  for (const { kind, stage, make } of guarded) {
    // Goal: a caller that lost its row changes nothing, and repeating changes nothing (I12).
    // Method: the same intent under a foreign token, on a pending row, on a row of another claim,
    // twice, and on a row that is gone; what an operator sees is compared before and after.
    Deno.test(`${name} ${kind} acts once, on its own row in flight only`, async () => {
      await using bench = await StoreBench.open(backend);
      const first = await inFlight(bench, stage);
      const lane = stage === "outbound" ? "OB_A" : "IB_ADT";
      const everything = async () => ({
        look: await bench.look(first.id),
        state: await bench.store.state(),
        outbox: await bench.store.outbox(),
      });
      const refuse = async (held: Held, why: string) => {
        const before = await everything();
        const { mine } = await bench.store.submit(make(held, bench.now)) as { mine: boolean };
        assert.equal(mine, false, why);
        assert.deepEqual(await everything(), before, why);
      };

      await refuse({ ...first, token: bench.store.nextToken() }, "a token that claims nothing");
      await bench.release(first);
      await refuse(first, "a row that is pending again");
      const second = await bench.take(stage, lane);
      await refuse(first, "a row of a later claim");

      const { mine } = await bench.store.submit(make(second, bench.now)) as { mine: boolean };
      assert.equal(mine, true);
      await refuse(second, "the same once more");
      await refuse({ ...second, seq: second.seq + 1_000 }, "a row that does not exist");
    });
  }

  Deno.test(`${name} claim_row takes a pending row and no other`, async () => {
    await using bench = await StoreBench.open(backend);
    const { seqs: [seq], id } = await bench.queued(["OB_A"]);
    const claim = () =>
      bench.store.submit({
        kind: "claim_row",
        at: bench.now,
        seq: seq!,
        token: bench.store.nextToken(),
      });
    assert.deepEqual(await claim(), { mine: true, nextClaimed: false });
    assert.deepEqual((await bench.look(id)).rows, ["outbound OB_A inflight 1"]);
    assert.deepEqual(await claim(), { mine: false, nextClaimed: false });
    await bench.store.submit({ kind: "cancel", destination: "OB_A", scope: "all", at: bench.now });
    assert.deepEqual((await bench.look(id)).rows, ["outbound OB_A inflight 1"]);
  });

  Deno.test(`${name} complete claims the next row in the same commit`, async () => {
    await using bench = await StoreBench.open(backend);
    const one = await bench.queued(["OB_A"]);
    const two = await bench.queued(["OB_A"]);
    const head = await bench.take("outbound", "OB_A");
    const next = { seq: two.seqs[0]!, token: bench.store.nextToken() };
    assert.deepEqual(await bench.complete(head, "OB_A", next), { mine: true, nextClaimed: true });
    assert.deepEqual((await bench.look(one.id)).status, "processed");
    assert.deepEqual((await bench.look(two.id)).rows, ["outbound OB_A inflight 1"]);
    const second = { ...head, id: two.id, messageSeq: two.messageSeq, ...next };
    assert.deepEqual(await bench.complete(second, "OB_A"), { mine: true, nextClaimed: false });
    assert.deepEqual((await bench.look(two.id)).status, "processed");
  });

  Deno.test(`${name} a next row that is cancelled meanwhile is not claimed`, async () => {
    await using bench = await StoreBench.open(backend);
    await bench.queued(["OB_A"]);
    const two = await bench.queued(["OB_A"]);
    const three = await bench.queued(["OB_A"]);
    const head = await bench.take("outbound", "OB_A");
    await bench.store.submit({ kind: "cancel", destination: "OB_A", scope: "all", at: bench.now });
    const next = { seq: two.seqs[0]!, token: bench.store.nextToken() };
    assert.deepEqual(await bench.complete(head, "OB_A", next), { mine: true, nextClaimed: false });
    for (const { id } of [two, three]) {
      assert.deepEqual((await bench.look(id)).rows, ["outbound OB_A cancelled 0"]);
    }
  });

  Deno.test(`${name} a resolution that is not mine claims no next row`, async () => {
    await using bench = await StoreBench.open(backend);
    await bench.queued(["OB_A"]);
    const two = await bench.queued(["OB_A"]);
    const head = await bench.take("outbound", "OB_A");
    const stranger = { ...head, token: bench.store.nextToken() };
    const next = { seq: two.seqs[0]!, token: bench.store.nextToken() };
    const notMine = { mine: false, nextClaimed: false };
    assert.deepEqual(await bench.complete(stranger, "OB_A", next), notMine);
    assert.deepEqual(await bench.bury(stranger, "OB_A", "AR", next), notMine);
    assert.deepEqual((await bench.look(two.id)).rows, ["outbound OB_A pending 0"]);
  });

  Deno.test(`${name} retry keeps the attempt, stores why and until when`, async () => {
    await using bench = await StoreBench.open(backend);
    const { id } = await bench.queued(["OB_A"]);
    const head = await bench.take("outbound", "OB_A");
    const dueAt = bench.now + 5_000_000;
    await bench.retry(head, "OB_A", dueAt, "connect timed out");
    const detail = await bench.store.message(id);
    assert.deepEqual(
      detail?.rows.map((
        { status, attempts, nextAttemptAt, lastError },
      ) => [status, attempts, nextAttemptAt, lastError]),
      [["pending", 1, dueAt, "connect timed out"]],
    );
    const failed = detail?.events.at(-1);
    assert.deepEqual(
      [failed?.event, failed?.destination, failed?.detail],
      ["failed", "OB_A", "connect timed out"],
    );
    assert.deepEqual([detail?.status, detail?.error], ["routed", null]);
    bench.passSeconds(5);
    const again = await bench.take("outbound", "OB_A");
    assert.deepEqual((await bench.look(id)).rows, ["outbound OB_A inflight 2"]);
    await bench.complete(again, "OB_A");
    const done = await bench.store.message(id);
    assert.deepEqual([done?.rows[0]?.status, done?.rows[0]?.lastError], ["done", null]);
  });

  Deno.test(`${name} dead_letter ends a row of any stage and names why`, async () => {
    await using bench = await StoreBench.open(backend);
    for (const stage of ["ingress", "routed", "outbound"] as const) {
      const held = await inFlight(bench, stage);
      const meantFor = stage === "ingress" ? undefined : stage === "routed" ? "h" : "OB_A";
      assert.equal((await bench.bury(held, meantFor, "no way")).mine, true);
      const detail = await bench.store.message(held.id);
      assert.deepEqual([detail?.status, detail?.error], ["error", "no way"]);
      assert.deepEqual(
        detail?.rows.map(({ status, lastError }) => [status, lastError]),
        [["dead", "no way"]],
      );
      const dead = detail?.events.at(-1);
      assert.deepEqual(
        [dead?.event, dead?.destination, dead?.detail],
        ["dead", meantFor ?? null, "no way"],
      );
    }
  });

  Deno.test(`${name} release gives the attempt back and leaves the due time`, async () => {
    await using bench = await StoreBench.open(backend);
    const { id } = await bench.queued(["OB_A"]);
    const dueAt = bench.now + 1_000_000;
    await bench.retry(await bench.take("outbound", "OB_A"), "OB_A", dueAt);
    bench.passSeconds(60);
    const events = (await bench.look(id)).events;
    for (let round = 0; round < 3; round += 1) {
      const held = await bench.take("outbound", "OB_A");
      assert.deepEqual(await bench.release(held), { mine: true, nextClaimed: false });
      const row = (await bench.store.message(id))?.rows[0];
      assert.deepEqual([row?.status, row?.attempts, row?.nextAttemptAt], ["pending", 1, dueAt]);
    }
    assert.deepEqual((await bench.look(id)).events, events);
  });

  Deno.test(`${name} resync re-pends what this lane holds and counts what is open`, async () => {
    await using bench = await StoreBench.open(backend);
    const held = await bench.receive({ channel: "IB_1" });
    const waiting = await bench.receiveCold({ channel: "IB_1" });
    const other = await bench.receive({ channel: "IB_2" });
    const resync = { kind: "resync", stage: "ingress", lane: "IB_1", at: bench.now } as const;
    assert.deepEqual(await bench.store.submit(resync), { open: 2 });
    assert.deepEqual((await bench.look(held.id)).rows, ["ingress IB_1 pending 0"]);
    assert.deepEqual((await bench.look(waiting.id)).rows, ["ingress IB_1 pending 0"]);
    assert.deepEqual((await bench.look(other.id)).rows, ["ingress IB_2 inflight 1"]);
    assert.deepEqual(await bench.store.submit(resync), { open: 2 });
    assert.deepEqual((await bench.look(held.id)).rows, ["ingress IB_1 pending 0"]);
    assert.equal((await bench.handOff(held)).mine, false);
    const elsewhere = { ...resync, stage: "outbound" } as const;
    assert.deepEqual(await bench.store.submit(elsewhere), { open: 0 });
  });
}

/** A row of `stage` in flight: ingress and routed in lane IB_ADT, outbound in OB_A. */
async function inFlight(
  bench: StoreBench,
  stage: "ingress" | "routed" | "outbound",
): Promise<Held> {
  if (stage === "ingress") return bench.receive();
  const held = await bench.receive();
  if (stage === "routed") {
    const handlers = ["h"];
    await bench.store.submit({ kind: "route_hand_off", ...held, at: bench.now, handlers });
    return heldOf((await bench.claim("routed", held.channel)).rows[0]!);
  }
  await bench.handOff(held, { deliveries: [delivery("OB_A")] });
  return bench.take("outbound", "OB_A");
}
