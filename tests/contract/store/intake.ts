/** T0 and T1: what a message is the moment its sender may be answered. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { type StoreBackend, StoreBench } from "./bench.ts";

export function testIntake(backend: StoreBackend): void {
  const { name } = backend;

  Deno.test(`${name} receive stores the message and its ingress row in flight`, async () => {
    await using bench = await StoreBench.open(backend);
    const { id } = await bench.receive();
    assert.deepEqual(await bench.look(id), {
      status: "received",
      error: null,
      rows: ["ingress IB_ADT inflight 1"],
      events: ["received"],
    });
  });

  Deno.test(`${name} receive without a token stores the row pending, unclaimed`, async () => {
    await using bench = await StoreBench.open(backend);
    const { id } = await bench.receiveCold();
    assert.deepEqual((await bench.look(id)).rows, ["ingress IB_ADT pending 0"]);
  });

  Deno.test(`${name} receive numbers messages in the order they were submitted`, async () => {
    await using bench = await StoreBench.open(backend);
    const received = await Promise.all(Array.from({ length: 50 }, () => bench.receiveCold()));
    const seqs = received.map(({ seq }) => seq);
    assert.deepEqual(seqs, seqs.toSorted((a, b) => a - b));
    assert.equal(new Set(seqs).size, 50);
    const lane = await bench.lane("ingress", "IB_ADT");
    assert.deepEqual(lane.map(({ messageId }) => messageId), received.map(({ id }) => id));
  });

  Deno.test(`${name} record_error leaves nothing to process and nothing to replay`, async () => {
    await using bench = await StoreBench.open(backend);
    const message = bench.message({ controlId: undefined, messageType: undefined });
    await bench.store.submit({ kind: "record_error", message, error: "decode error" });
    const look = { status: "error", error: "decode error", rows: [], events: ["error"] };
    assert.deepEqual(await bench.look(message.id), look);
    const detail = await bench.store.message(message.id);
    assert.equal(detail?.events[0]?.detail, "decode error");
    assert.deepEqual([detail?.controlId, detail?.messageType], [null, null]);
    const replay = await bench.store.submit({ kind: "replay", id: message.id, at: bench.now });
    assert.deepEqual(replay, {
      found: true,
      requeued: 0,
      bodyPurged: false,
      lanes: [],
      edges: [],
    });
    assert.deepEqual(await bench.look(message.id), look);
  });

  // Goal: what was received is what is read, whatever characters it holds (I7). The runtime's
  // SQLite binding ends texts at NUL; a store that believed it would cut such a message in two.
  // Method: any well-formed text, read back over the API's path and over a cold claim.
  Deno.test(`${name} keeps bodies exactly, NUL, BOM and all planes of Unicode included`, async () => {
    await using bench = await StoreBench.open(backend);
    const awkward = fc.constantFrom("\0", "\ufeff", "\r", "\n", "|", "é", "\u{1F600}", "\uffff");
    const texts = fc.array(
      fc.oneof(
        fc.string({ unit: "binary", maxLength: 200 }),
        fc.string({ unit: awkward, maxLength: 20 }),
      ),
      { minLength: 1, maxLength: 20 },
    );
    let run = 0;
    await fc.assert(
      fc.asyncProperty(texts, async (texts) => {
        const raws = texts.map((text) => text.toWellFormed());
        const channel = `IB_${run += 1}`;
        const ids = await Promise.all(
          raws.map(async (raw) => (await bench.receiveCold({ channel, raw })).id),
        );
        const details = await Promise.all(ids.map((id) => bench.store.message(id)));
        assert.deepEqual(details.map((detail) => detail?.raw), raws);
        const claimed = await bench.claim("ingress", channel, { limit: raws.length });
        assert.deepEqual(claimed.rows.map(({ body }) => body), raws);
      }),
      { numRuns: 30 },
    );
  });
}
