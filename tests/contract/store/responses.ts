/** T5r and T9: answers of partners, and messages made of them. Spec §1.7, I22, I23. */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { ReingressResult } from "../../../src/store/intent_results.ts";
import type { NewResponse } from "../../../src/store/intents.ts";
import { delivery, type Held, heldOf, type StoreBackend, StoreBench } from "./bench.ts";

const LOOP = "IB_LOOP";

export function testResponses(backend: StoreBackend): void {
  testAnswers(backend);
  testReingress(backend);
  testReentries(backend);
  testExactlyOnce(backend);
}

function testAnswers(backend: StoreBackend): void {
  const { name } = backend;

  Deno.test(`${name} complete_with_response keeps the answer with the delivery it answers`, async () => {
    await using bench = await StoreBench.open(backend);
    const { id } = await bench.queued(["OB_A", "OB_B"]);
    const head = await bench.take("outbound", "OB_A");
    const { mine, responseSeq, reingressSeq } = await keep(bench, head, { body: "MSA|AA" });
    assert.deepEqual([mine, responseSeq, reingressSeq], [true, 1, undefined]);
    await keep(bench, await bench.take("outbound", "OB_B"), {
      destination: "OB_B",
      outcome: "no_reply",
      detail: "204",
    });
    assert.deepEqual(await answersOf(bench, id), [
      "OB_A 1 accepted null MSA|AA",
      "OB_B 1 no_reply 204 null",
    ]);
    const { status, rows, events } = await bench.look(id);
    assert.equal(status, "processed");
    assert.deepEqual(rows, ["outbound OB_A done 1", "outbound OB_B done 1"]);
    assert.deepEqual(events.slice(-2), ["delivered OB_A", "delivered OB_B"]);
  });

  Deno.test(`${name} complete_with_response acts once, on its own row in flight only`, async () => {
    await using bench = await StoreBench.open(backend);
    const { id } = await bench.queued(["OB_A"]);
    const head = await bench.take("outbound", "OB_A");
    const foreign = { ...head, token: head.token + 1_000 };
    assert.equal((await keep(bench, foreign, { body: "x", lane: LOOP })).mine, false);
    assert.deepEqual(await answersOf(bench, id), []);
    await keep(bench, head, { body: "x", lane: LOOP });
    const again = await keep(bench, head, { body: "y", lane: LOOP });
    assert.deepEqual([again.mine, again.responseSeq, again.reingressSeq], [false, 0, undefined]);
    assert.deepEqual(await answersOf(bench, id), ["OB_A 1 accepted null x"]);
    assert.equal((await bench.lane("response", LOOP)).length, 1);
  });

  Deno.test(`${name} each replay of a message has an answer of its own`, async () => {
    await using bench = await StoreBench.open(backend);
    const { id } = await bench.queued(["OB_A"]);
    for (const turn of [1, 2, 3]) {
      const { responseSeq } = await keep(bench, await bench.take("outbound", "OB_A"), {
        body: `answer ${turn}`,
      });
      assert.equal(responseSeq, turn);
      // Whether the message is in memory or in the tables, the count goes on.
      if (turn === 2) await bench.reopen();
      bench.passSeconds(1);
      await bench.store.submit({ kind: "replay", id, at: bench.now });
    }
    assert.deepEqual(await answersOf(bench, id), [
      "OB_A 1 accepted null answer 1",
      "OB_A 2 accepted null answer 2",
      "OB_A 3 accepted null answer 3",
    ]);
  });

  Deno.test(`${name} purge takes the content of answers and leaves that there was one`, async () => {
    await using bench = await StoreBench.open(backend);
    const { id } = await bench.queued(["OB_A"]);
    await keep(bench, await bench.take("outbound", "OB_A"), { body: "secret", detail: "why" });
    bench.passSeconds(1);
    assert.equal(await bench.purge("messages", bench.now), 1);
    assert.deepEqual(await answersOf(bench, id), ["OB_A 1 accepted null null"]);
  });

  Deno.test(`${name} a simulated delivery says so in the timeline`, async () => {
    await using bench = await StoreBench.open(backend);
    const { id } = await bench.queued(["OB_A"]);
    const { seq, token, messageSeq } = await bench.take("outbound", "OB_A");
    await bench.store.submit({
      ...{ kind: "complete", at: bench.now, seq, token, messageSeq },
      ...{ destination: "OB_A", next: undefined, simulated: true },
    });
    const { status, events } = await bench.look(id);
    assert.deepEqual([status, events.at(-1)], ["processed", "simulated OB_A"]);
  });
}

function testReingress(backend: StoreBackend): void {
  const { name } = backend;

  Deno.test(`${name} an answer to take in holds its message open until it is taken in`, async () => {
    await using bench = await StoreBench.open(backend);
    const { id } = await bench.queued(["OB_A"]);
    await keep(bench, await bench.take("outbound", "OB_A"), { body: "MSA|AA", lane: LOOP });
    assert.equal((await bench.look(id)).status, "routed");
    const { rows: [row] } = await bench.claim("response", LOOP);
    assert.equal(row?.body, "MSA|AA");
    assert.deepEqual(row?.answer, { seq: 1, outcome: "accepted" });
    assert.deepEqual([row?.messageId, row?.handler, row?.channel], [id, "OB_A", "IB_ADT"]);

    const child = bench.message({ channel: LOOP, raw: "MSA|AA", metadata: '{"a":1}' });
    const { mine } = await takeIn(bench, heldOf(row!), child);
    assert.equal(mine, true);
    const origin = await bench.look(id);
    assert.equal(origin.status, "processed");
    assert.deepEqual(origin.rows, ["outbound OB_A done 1"]);
    assert.equal(origin.events.at(-1), `reingressed ${LOOP}`);
    const made = await bench.store.message(child.id);
    assert.deepEqual(
      [made?.status, made?.channel, made?.raw, made?.metadata],
      ["received", LOOP, "MSA|AA", '{"a":1}'],
    );
    assert.deepEqual((await bench.look(child.id)).rows, [`ingress ${LOOP} pending 0`]);
    const [head] = await bench.lane("ingress", LOOP);
    assert.equal(head?.metadata, '{"a":1}', "the lane gets it with the row");
  });

  Deno.test(`${name} reingress acts once, on its own row in flight only`, async () => {
    await using bench = await StoreBench.open(backend);
    await bench.queued(["OB_A"]);
    await keep(bench, await bench.take("outbound", "OB_A"), { body: "x", lane: LOOP });
    const held = await bench.take("response", LOOP);
    const child = () => bench.message({ channel: LOOP, raw: "x" });
    const foreign = { ...held, token: held.token + 1_000 };
    assert.equal((await takeIn(bench, foreign, child())).mine, false);
    assert.equal((await takeIn(bench, held, child())).mine, true);
    assert.equal((await takeIn(bench, held, child())).mine, false);
    assert.equal((await messagesOf(bench)).length, 1);
  });

  Deno.test(`${name} an answer that cannot enter is stored as an error and holds nothing up`, async () => {
    await using bench = await StoreBench.open(backend);
    const { id } = await bench.queued(["OB_A"]);
    await keep(bench, await bench.take("outbound", "OB_A"), { body: "?", lane: LOOP });
    const child = bench.message({ channel: LOOP, raw: "?" });
    await takeIn(bench, await bench.take("response", LOOP), child, "no MSH");
    assert.equal((await bench.look(id)).status, "processed");
    const { status, error, rows } = await bench.look(child.id);
    assert.deepEqual([status, error, rows], ["error", "no MSH", []]);
  });

  Deno.test(`${name} an answer given up makes its message an error, and a replay brings it back`, async () => {
    await using bench = await StoreBench.open(backend);
    const { id } = await bench.queued(["OB_A"]);
    await keep(bench, await bench.take("outbound", "OB_A"), { body: "x", lane: LOOP });
    await bench.bury(await bench.take("response", LOOP), LOOP, "too deep");
    const { status, error, rows } = await bench.look(id);
    assert.deepEqual([status, error], ["error", "too deep"]);
    assert.deepEqual(rows, ["outbound OB_A done 1", `response ${LOOP} dead 1`]);
    const { requeued, lanes } = await bench.store.submit({ kind: "replay", id, at: bench.now });
    assert.deepEqual([requeued, lanes], [1, [{ stage: "response", lane: LOOP }]]);
    assert.equal((await bench.take("response", LOOP)).id, id);
  });

  Deno.test(`${name} a reingress behind one that failed waits for the lane to be counted`, async () => {
    await using bench = await StoreBench.open(backend);
    for (const body of ["1", "2"]) {
      await bench.queued(["OB_A"]);
      await keep(bench, await bench.take("outbound", "OB_A"), { body, lane: LOOP });
    }
    const { rows } = await bench.claim("response", LOOP, { limit: 2 });
    const [first, second] = rows.map(heldOf);
    const broken = { ...bench.message({ channel: LOOP }), raw: null as unknown as string };
    const answers = await Promise.allSettled([
      takeIn(bench, first!, broken),
      takeIn(bench, second!, bench.message({ channel: LOOP, raw: "2" })),
    ]);
    assert.deepEqual(answers.map(({ status }) => status), ["rejected", "rejected"]);
    assert.equal(await bench.resync("response", LOOP), 2);
    assert.equal((await messagesOf(bench)).length, 0);
  });
}

function testReentries(backend: StoreBackend): void {
  const { name } = backend;

  Deno.test(`${name} what a handler sends to a loopback is a delivery once it is taken in`, async () => {
    await using bench = await StoreBench.open(backend);
    const held = await bench.receive({ raw: "origin" });
    const { seqs } = await bench.store.submit({
      ...bench.handOffIntent(held, { handlers: 1 }),
      reentries: [
        { lane: LOOP, handler: "h", payload: "own", token: undefined },
        { lane: LOOP, handler: "h", payload: undefined, token: undefined },
      ],
    });
    assert.equal(seqs.length, 2);
    assert.equal((await bench.look(held.id)).status, "routed");
    const bodies: (string | undefined)[] = [];
    for (const _ of seqs) {
      const { rows: [row] } = await bench.claim("response", LOOP);
      bodies.push(row?.body);
      assert.deepEqual([row?.answer, row?.handler], [undefined, "h"]);
      const child = bench.message({ channel: LOOP, raw: row!.body! });
      await takeIn(bench, heldOf(row!), child, undefined, false);
    }
    assert.deepEqual(bodies, ["own", "origin"]);
    const { status, rows } = await bench.look(held.id);
    assert.equal(status, "processed");
    assert.deepEqual(rows, [`response ${LOOP} done 1`, `response ${LOOP} done 1`]);
    assert.equal((await messagesOf(bench)).length, 2);
  });

  Deno.test(`${name} the rows of the durable split may go to loopbacks, too`, async () => {
    await using bench = await StoreBench.open(backend);
    const held = await bench.receive();
    await bench.store.submit({
      kind: "route_hand_off",
      ...held,
      at: bench.now,
      handlers: ["h"],
    });
    const { seqs } = await bench.store.submit({
      ...{ kind: "transform_hand_off", ...await bench.take("routed", "IB_ADT"), at: bench.now },
      ...{ deliveries: [delivery("OB_A")], state: [] },
      reentries: [{ lane: LOOP, handler: "h", payload: "own", token: undefined }],
    });
    assert.equal(seqs.length, 2);
    assert.deepEqual((await bench.look(held.id)).rows, [
      "outbound OB_A pending 0",
      `response ${LOOP} pending 0`,
    ]);
  });
}

function testExactlyOnce(backend: StoreBackend): void {
  const act = fc.record({
    kind: fc.constantFrom("send", "answer", "answer", "take_in", "take_in", "lose", "reopen"),
    hot: fc.boolean(),
    fails: fc.boolean(),
  });

  // Goal: one answer makes one message, whatever is lost, repeated or restarted on the way (I22).
  // Method: random acts; at the end every row is taken in, and messages are held against answers.
  Deno.test(`${backend.name} takes each answer in once and loses none`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 5, maxLength: 25 }), async (acts) => {
        await using bench = await StoreBench.open(backend);
        const answered: string[] = [];
        let held: Held[] = [];
        for (const { kind, hot, fails } of acts) {
          if (kind === "send") await bench.queued(["OB_A"]);
          if (kind === "answer") {
            const { rows: [row] } = await bench.claim("outbound", "OB_A");
            if (row === undefined) continue;
            const body = `answer ${answered.length}`;
            const token = hot ? bench.store.nextToken() : undefined;
            const { reingressSeq } = await keep(bench, heldOf(row), { body, lane: LOOP, token });
            answered.push(body);
            if (token !== undefined) held.push({ ...heldOf(row), seq: reingressSeq!, token });
          }
          if (kind === "take_in") {
            const { rows: [row] } = await bench.claim("response", LOOP);
            const holder = row === undefined ? held.at(-1) : heldOf(row);
            if (holder === undefined) continue;
            const raw = row?.body ?? await bodyOf(bench, holder);
            const child = bench.message({ channel: LOOP, raw });
            const error = fails ? "no MSH" : undefined;
            const took = await takeIn(bench, holder, child, error);
            // A repetition, and a message that an operator does not see.
            if (took.mine) assert.equal((await takeIn(bench, holder, child)).mine, false);
          }
          if (kind === "lose") {
            await bench.resync("response", LOOP);
            held = [];
          }
          if (kind === "reopen") {
            await bench.reopen();
            held = [];
          }
        }
        await bench.resync("response", LOOP);
        for (;;) {
          const { rows: [row] } = await bench.claim("response", LOOP);
          if (row === undefined) break;
          const child = bench.message({ channel: LOOP, raw: row.body! });
          await takeIn(bench, heldOf(row), child);
        }
        const made = await messagesOf(bench);
        assert.deepEqual(made.toSorted(), answered.toSorted());
      }),
      { numRuns: 15 },
    );
  });
}

/** The body of an answer whose row is held: the caller would have it in memory. */
async function bodyOf(bench: StoreBench, { id }: Held): Promise<string> {
  const [response] = await bench.store.responsesOf(id);
  return response!.body!;
}

/** T5r of a row of `OB_A`. */
function keep(
  bench: StoreBench,
  { seq, token, messageSeq }: Held,
  parts: {
    readonly destination?: string;
    readonly outcome?: NewResponse["outcome"];
    readonly detail?: string;
    readonly body?: string;
    readonly lane?: string;
    readonly token?: number;
  },
) {
  const { destination = "OB_A", outcome = "accepted", detail, body, lane } = parts;
  const reingress = lane === undefined ? undefined : { lane, token: parts.token };
  return bench.store.submit({
    ...{ kind: "complete_with_response", at: bench.now, seq, token, messageSeq },
    ...{ destination, next: undefined, response: { outcome, detail, body, reingress } },
  });
}

function takeIn(
  bench: StoreBench,
  { seq, token, messageSeq }: Held,
  message: ReturnType<StoreBench["message"]>,
  error?: string,
  isAnswer = true,
): Promise<ReingressResult> {
  return bench.store.submit({
    ...{ kind: "reingress", at: bench.now, seq, token, messageSeq, isAnswer, message, error },
    ingressToken: undefined,
  });
}

async function answersOf(bench: StoreBench, id: string): Promise<readonly string[]> {
  const responses = await bench.store.responsesOf(id);
  return responses.map(({ destination, responseSeq, outcome, detail, body }) =>
    [destination, responseSeq, outcome, detail, body].join(" ").replaceAll(/ (?= |$)/g, " null")
  );
}

/** Bodies of what the loopback took in. */
async function messagesOf(bench: StoreBench): Promise<readonly string[]> {
  const page = { before: undefined, limit: 100 };
  return (await bench.store.messageBodies({ channel: LOOP }, page)).map(({ raw }) => raw);
}
