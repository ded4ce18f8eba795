import assert from "node:assert/strict";
import { SqliteStore } from "../../src/store/sqlite/store.ts";

// Goal: one message walks through the rows, each step durable and guarded.
Deno.test("SqliteStore carries a message from receive to processed", async () => {
  const dir = await Deno.makeTempDir();
  const at = () => Date.now() * 1000;
  {
    await using store = await SqliteStore.open({
      path: `${dir}/store.db`,
      synchronous: "full",
      now: at,
    });
    const token = store.nextToken();
    const message = {
      id: "a".repeat(32),
      channel: "IB_A",
      receivedAt: at(),
      sourceType: "mllp",
      controlId: "MSG1",
      messageType: "ADT^A01",
      raw: "MSH|^~\\&|A\r",
    };
    const received = await store.submit({ kind: "receive", message, token });
    const sendToken = store.nextToken();
    const handOff = {
      kind: "hand_off" as const,
      at: at(),
      seq: received.seq,
      token,
      messageSeq: received.messageSeq,
      channel: "IB_A",
      handlers: 1,
      deliveries: [{ destination: "OB_B", handler: "h", payload: "MSH|changed\r", token: sendToken }],
      failures: [],
      state: [{ namespace: "n", key: "k", value: "1" }],
    };
    const handedOff = await store.submit(handOff);
    assert.equal(handedOff.mine, true);
    assert.equal(handedOff.seqs.length, 1);
    assert.deepEqual(await store.submit(handOff), { mine: false, seqs: [] });
    const done = await store.submit({
      kind: "complete",
      at: at(),
      seq: handedOff.seqs[0]!,
      token: sendToken,
      messageSeq: received.messageSeq,
      destination: "OB_B",
      next: undefined,
    });
    assert.deepEqual(done, { mine: true, nextClaimed: false });
    const detail = await store.message(message.id);
    assert.equal(detail?.status, "processed");
    assert.equal(detail?.raw, message.raw);
    assert.deepEqual(detail?.events.map((e) => e.event), [
      "received",
      "routed",
      "transformed",
      "delivered",
    ]);
    assert.deepEqual(await store.state(), [{ namespace: "n", key: "k", value: "1" }]);
    assert.deepEqual(await store.outboundOf(message.id), [{
      seq: handedOff.seqs[0]!,
      destination: "OB_B",
      status: "done",
      payload: "MSH|changed\r",
    }]);
  }
  await Deno.remove(dir, { recursive: true });
});
