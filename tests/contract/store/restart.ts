/** What a restart keeps, gives back and never does again. Spec §3.4. */
import assert from "node:assert/strict";
import { delivery, type StoreBackend, StoreBench } from "./bench.ts";

export function testRestart(backend: StoreBackend): void {
  const { name } = backend;

  Deno.test(`${name} a restart re-pends what was in flight, due now, attempts kept`, async () => {
    await using bench = await StoreBench.open(backend);
    const ingress = await bench.receive({ channel: "IB_1" });
    const routed = await bench.receive({ channel: "IB_2" });
    const handlers = ["h"];
    await bench.store.submit({ kind: "route_hand_off", ...routed, at: bench.now, handlers });
    await bench.take("routed", "IB_2");
    const outbound = await bench.queued(["OB_A", "OB_B"], { channel: "IB_3" });
    const head = await bench.take("outbound", "OB_A");
    await bench.retry(head, "OB_A", bench.now + 5_000_000);
    bench.passSeconds(5);
    const second = await bench.take("outbound", "OB_A");
    const waiting = await bench.queued(["OB_B"], { channel: "IB_4" });
    const backingOff = await bench.queued(["OB_C"], { channel: "IB_3" });
    await bench.retry(await bench.take("outbound", "OB_C"), "OB_C", bench.now + 9_000_000);
    bench.passSeconds(1);
    await bench.reopen();

    assert.equal(bench.store.recovered, 3);
    assert.deepEqual((await bench.look(ingress.id)).rows, ["ingress IB_1 pending 1"]);
    assert.deepEqual((await bench.look(routed.id)).rows, ["routed h pending 1"]);
    assert.deepEqual((await bench.look(outbound.id)).rows, [
      "outbound OB_A pending 2",
      "outbound OB_B pending 0",
    ]);
    const due = async (id: string) => (await bench.store.message(id))?.rows[0]?.nextAttemptAt;
    assert.equal(await due(outbound.id), bench.now);
    assert.equal(await due(backingOff.id), bench.now + 8_000_000, "a backoff outlives a restart");
    assert.deepEqual((await bench.look(waiting.id)).rows, ["outbound OB_B pending 0"]);
    const lanes = bench.store.openLanes.map(({ stage, lane, channel, open }) =>
      `${stage} ${lane} ${channel} ${open}`
    );
    assert.deepEqual(lanes.toSorted(), [
      "ingress IB_1 IB_1 1",
      "outbound OB_A IB_3 1",
      "outbound OB_B IB_3 1",
      "outbound OB_B IB_4 1",
      "outbound OB_C IB_3 1",
      "routed IB_2 IB_2 1",
    ]);
    assert.equal(
      (await bench.complete(second, "OB_A")).mine,
      false,
      "a claim ends with its process",
    );
    assert.equal((await bench.handOff(ingress)).mine, false);
  });

  Deno.test(`${name} tokens and numbers never come again`, async () => {
    await using bench = await StoreBench.open(backend);
    const tokens: number[] = [];
    const seqs: number[] = [];
    for (let opening = 0; opening < 4; opening += 1) {
      for (let index = 0; index < 3; index += 1) {
        const held = await bench.receive();
        const { seqs: made } = await bench.handOff(held, { deliveries: [delivery("OB_A")] });
        tokens.push(held.token, bench.store.nextToken(5), bench.store.nextToken());
        seqs.push(held.messageSeq, held.seq, ...made);
      }
      await bench.reopen();
    }
    assert.deepEqual(tokens, tokens.toSorted((a, b) => a - b));
    assert.deepEqual(seqs, seqs.toSorted((a, b) => a - b));
    assert.equal(new Set(tokens).size, tokens.length);
    assert.equal(new Set(seqs).size, seqs.length);
    assert.ok(tokens.every(Number.isSafeInteger) && seqs.every(Number.isSafeInteger));
  });

  Deno.test(`${name} an empty store opens without anything to recover`, async () => {
    await using bench = await StoreBench.open(backend);
    assert.deepEqual([bench.store.recovered, bench.store.openLanes], [0, []]);
    await bench.reopen();
    assert.deepEqual([bench.store.recovered, bench.store.openLanes], [0, []]);
    assert.deepEqual(await bench.store.messages({}, { limit: 5, offset: 0 }), {
      total: 0,
      messages: [],
    });
  });

  Deno.test(`${name} oldestOpen knows since when each inbound of a lane waits`, async () => {
    await using bench = await StoreBench.open(backend);
    const start = bench.now;
    for (const channel of ["IB_1", "IB_2", "IB_1"]) {
      await bench.queued(["OB_A"], { channel });
      bench.passSeconds(1);
    }
    const expected = new Map([["IB_1", start], ["IB_2", start + 1_000_000]]);
    assert.deepEqual(await bench.store.oldestOpen("OB_A"), expected);
    await bench.complete(await bench.take("outbound", "OB_A"), "OB_A");
    expected.set("IB_1", start + 2_000_000);
    assert.deepEqual(await bench.store.oldestOpen("OB_A"), expected);
    assert.deepEqual(await bench.store.oldestOpen("OB_B"), new Map());
  });

  Deno.test(`${name} oldestInLane knows since when the first open row of any stage waits`, async () => {
    await using bench = await StoreBench.open(backend);
    const { store } = bench;
    assert.equal(await store.oldestInLane("ingress", "IB_ADT"), undefined);
    const start = bench.now;
    await bench.receiveCold({});
    bench.passSeconds(1);
    await bench.queued(["OB_A"], { channel: "IB_OTHER" });
    bench.passSeconds(1);
    await bench.queued(["OB_A"], { channel: "IB_OTHER" });
    assert.equal(await store.oldestInLane("ingress", "IB_ADT"), start);
    assert.equal(await store.oldestInLane("ingress", "IB_OTHER"), undefined, "they were routed");
    assert.equal(await store.oldestInLane("outbound", "OB_A"), start + 1_000_000);
    // In flight it still waits.
    const head = await bench.take("outbound", "OB_A");
    assert.equal(await store.oldestInLane("outbound", "OB_A"), start + 1_000_000);
    await bench.complete(head, "OB_A");
    assert.equal(await store.oldestInLane("outbound", "OB_A"), start + 2_000_000);
    assert.equal(await store.oldestInLane("routed", "OB_A"), undefined);
  });
}
