/** Many intents, one commit: order, isolation, hints. */
import assert from "node:assert/strict";
import type { Intent } from "../../../src/store/intents.ts";
import { delivery, type Held, heldOf, notText, type StoreBackend, StoreBench } from "./bench.ts";

export function testBatches(backend: StoreBackend): void {
  const { name } = backend;

  // Goal: a bad member of a grouped commit harms nobody but itself (I17).
  // Method: three defects of different kinds among 64 intents of different kinds.
  Deno.test(`${name} one bad member of a batch does not fail its siblings`, async () => {
    await using bench = await StoreBench.open(backend);
    const held: Held[] = [];
    for (let index = 0; index < 20; index += 1) held.push(await bench.receive());
    await bench.queued(["OB_A"]);
    const head = await bench.take("outbound", "OB_A");
    const before = await bench.look(held[3]!.id);

    const bad = new Set([7, 23, 50]);
    const intents: Intent[] = Array.from({ length: 64 }, (_, index) => {
      if (index === 7) {
        return { kind: "receive", message: bench.message({ channel: notText() }), token: 1 };
      }
      if (index === 23) {
        const deliveries = [delivery("OB_A"), delivery(notText())];
        return bench.handOffIntent(held[3]!, { deliveries });
      }
      if (index === 50) return { ...retryOf(head, bench.now), dueAt: Number.NaN };
      if (index < 20 && index !== 3) {
        return bench.handOffIntent(held[index]!, { deliveries: [delivery("OB_B")] });
      }
      return { kind: "receive", message: bench.message({ channel: "IB_2" }), token: undefined };
    });
    const { commits } = await bench.store.counters();
    const outcomes = await Promise.allSettled(intents.map((intent) => bench.store.submit(intent)));
    const failed = outcomes.flatMap(({ status }, index) => status === "rejected" ? [index] : []);
    assert.deepEqual(failed, [...bad]);
    for (const index of bad) {
      const outcome = outcomes[index]!;
      assert.ok(outcome.status === "rejected");
      assert.equal(outcome.reason.name, "StoreError");
      assert.doesNotMatch(String(outcome.reason.message), /MSH|IB_|OB_/);
    }
    assert.ok((await bench.store.counters()).commits - commits <= 2, "one commit, one more try");

    assert.deepEqual(await bench.look(held[3]!.id), before);
    assert.deepEqual((await bench.look(head.id)).rows, ["outbound OB_A inflight 1"]);
    const expected = intents.filter((intent, index) =>
      intent.kind === "receive" && !bad.has(index)
    );
    const lane = await bench.lane("ingress", "IB_2");
    assert.deepEqual(
      lane.map(({ messageId }) => messageId),
      expected.map((intent) => intent.kind === "receive" ? intent.message.id : ""),
    );
    assert.equal((await bench.lane("outbound", "OB_B")).length, 18);
    assert.equal((await bench.complete(head, "OB_A")).mine, true);
  });

  // Goal: hand-offs of a lane keep their order when one of them is not written (I25), and what was
  // computed from its state is not written either (I56).
  // Method: the second of four fails, in one batch and with the last in a batch of its own.
  Deno.test(`${name} hand-offs behind a failed one fail until their lane is counted`, async () => {
    await using bench = await StoreBench.open(backend);
    const { store } = bench;
    const held: Held[] = [];
    for (let index = 0; index < 4; index += 1) held.push(await bench.receive());
    const other = await bench.receive({ channel: "IB_OTHER" });
    const intents = held.map((row, index) =>
      bench.handOffIntent(row, { deliveries: [delivery(index === 1 ? notText() : "OB_A")] })
    );
    const first = intents.slice(0, 3).map((intent) => store.submit(intent));
    const beside = store.submit(bench.handOffIntent(other, { deliveries: [delivery("OB_B")] }));
    const outcomes = await Promise.allSettled(first);
    assert.deepEqual(outcomes.map(({ status }) => status), ["fulfilled", "rejected", "rejected"]);
    assert.equal((await beside).mine, true);
    await assert.rejects(store.submit(intents[3]!), { code: "store.failed" });
    const handlers = ["h"];
    const { seq, token, messageSeq, channel } = held[3]!;
    const split = {
      kind: "route_hand_off",
      at: bench.now,
      seq,
      token,
      messageSeq,
      channel,
    } as const;
    await assert.rejects(store.submit({ ...split, handlers }), { code: "store.failed" });

    assert.equal(await bench.resync("ingress", "IB_ADT"), 3);
    for (const row of held.slice(1)) {
      const again = await bench.take("ingress", "IB_ADT");
      assert.equal(again.id, row.id);
      assert.equal((await bench.handOff(again, { deliveries: [delivery("OB_A")] })).mine, true);
    }
    const lane = await bench.lane("outbound", "OB_A");
    assert.deepEqual(lane.map(({ messageId }) => messageId), held.map(({ id }) => id));
  });

  Deno.test(`${name} intents of one batch act in the order they were submitted`, async () => {
    await using bench = await StoreBench.open(backend);
    const held = await bench.receive();
    const { store, now: at } = bench;
    const release = { kind: "release", at, seq: held.seq, token: held.token } as const;
    const again = bench.store.nextToken();
    const claim = { kind: "claim_row", at, seq: held.seq, token: again } as const;
    const handOff = bench.handOffIntent({ ...held, token: again }, {
      deliveries: [delivery("OB_A")],
    });
    const answers = await Promise.all([
      store.submit(release),
      store.submit(release),
      store.submit(claim),
      store.submit(claim),
      store.submit(handOff),
      store.submit(handOff),
      bench.claim("outbound", "OB_A"),
    ]);
    assert.deepEqual(
      answers.slice(0, 6).map((answer) => "mine" in answer && answer.mine),
      [true, false, true, false, true, false],
    );
    const claimed = answers[6] as Awaited<ReturnType<StoreBench["claim"]>>;
    assert.equal(heldOf(claimed.rows[0]!).id, held.id);
  });

  // `pressing` may put an intent before others of its batch, `waiter` may hold the batch open:
  // neither may lose or repeat one.
  Deno.test(`${name} hints change when an intent is stored, never what`, async () => {
    await using bench = await StoreBench.open(backend);
    bench.store.march(1);
    bench.store.crowd(true);
    const hints = [{}, { pressing: true }, { waiter: 1 }, { waiter: 2, pressing: true }];
    const messages = Array.from({ length: 40 }, () => bench.message());
    const received = await Promise.all(
      messages.map((message, index) =>
        bench.store.submit({ kind: "receive", message, token: undefined }, hints[index % 4])
      ),
    );
    bench.store.crowd(false);
    bench.store.march(-1);
    bench.store.flush();
    const lane = await bench.lane("ingress", "IB_ADT");
    assert.equal(lane.length, 40);
    assert.equal(new Set(lane.map(({ messageId }) => messageId)).size, 40);
    for (const [index, { seq }] of received.entries()) {
      assert.equal(lane.find((row) => row.seq === seq)?.messageId, messages[index]!.id);
    }
  });

  Deno.test(`${name} a closed store refuses, and waits for what was submitted before`, async () => {
    await using bench = await StoreBench.open(backend);
    const submitted = bench.receiveCold();
    const closing = bench.store[Symbol.asyncDispose]();
    await assert.rejects(bench.receiveCold(), { code: "store.closed" });
    const { id } = await submitted;
    await closing;
    await assert.rejects(bench.receiveCold(), { code: "store.closed" });
    await assert.rejects(bench.store.message(id), { code: "store.closed" });
    await assert.rejects(bench.store.counters(), { code: "store.closed" });
    await bench.store[Symbol.asyncDispose]();
    await bench.reopen();
    assert.equal((await bench.look(id)).status, "received");
  });
}

function retryOf({ seq, token, messageSeq }: Held, at: number) {
  const kind = "retry";
  return { kind, at, seq, token, messageSeq, destination: "OB_A", dueAt: at, error: "e" } as const;
}
