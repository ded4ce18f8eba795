/** T2 from cold: which rows of a lane are taken, in which order, and which block it. */
import assert from "node:assert/strict";
import { delivery, heldOf, type StoreBackend, StoreBench } from "./bench.ts";

/** What a claim says of an empty lane beside its rows. */
const nothing = { drained: true, dueAt: undefined, exhausted: 0, suspect: false };

export function testClaims(backend: StoreBackend): void {
  const { name } = backend;

  Deno.test(`${name} claim takes the due prefix of a lane and numbers its claims`, async () => {
    await using bench = await StoreBench.open(backend);
    const sent = await messagesIn(bench, "IB_ADT", 5);
    const token = bench.store.nextToken(3);
    const claim = await bench.claim("ingress", "IB_ADT", { limit: 3, readAhead: 1, token });
    assert.deepEqual(
      claim.rows.map(({ messageId, attempts, token }) => [messageId, attempts, token]),
      [
        [sent[0], 1, token],
        [sent[1], 1, token + 1],
        [sent[2], 1, token + 2],
        [sent[3], 0, undefined],
      ],
    );
    const { rows: _, ...rest } = claim;
    assert.deepEqual(rest, { ...nothing, drained: false });
    assert.deepEqual((await bench.look(sent[2]!)).rows, ["ingress IB_ADT inflight 1"]);
    assert.deepEqual((await bench.look(sent[3]!)).rows, ["ingress IB_ADT pending 0"]);
  });

  Deno.test(`${name} claim says when nothing open is left beyond its rows`, async () => {
    await using bench = await StoreBench.open(backend);
    assert.deepEqual(await bench.claim("ingress", "IB_ADT"), { ...nothing, rows: [] });
    await messagesIn(bench, "IB_ADT", 3);
    const lane = (limit: number, readAhead: number) =>
      bench.claim("ingress", "IB_ADT", { limit, readAhead });
    assert.equal((await lane(0, 2)).drained, false);
    assert.equal((await lane(0, 3)).drained, true);
    assert.equal((await lane(1, 2)).drained, true);
  });

  Deno.test(`${name} claim reads a row with all that running it needs`, async () => {
    await using bench = await StoreBench.open(backend);
    const receivedAt = bench.now;
    const held = await bench.receive({ raw: "the body", receivedAt });
    bench.passSeconds(7);
    const handlers = ["to_lab"];
    await bench.store.submit({ kind: "route_hand_off", ...held, at: bench.now, handlers });
    const { rows: [row] } = await bench.claim("routed", "IB_ADT");
    assert.ok(row);
    const { seq, token, ...rest } = row;
    assert.ok(seq > held.seq && token !== undefined);
    assert.deepEqual(rest, {
      messageSeq: held.messageSeq,
      messageId: held.id,
      channel: "IB_ADT",
      handler: "to_lab",
      body: "the body",
      attempts: 1,
      createdAt: bench.now,
      receivedAt,
      metadata: undefined,
      answer: undefined,
    });
  });

  // Spec pipeline-store-cluster §3.1: a head that backs off yields nothing, never the next row.
  Deno.test(`${name} a head that backs off blocks its lane until it is due`, async () => {
    await using bench = await StoreBench.open(backend);
    const first = await bench.queued(["OB_A"]);
    await bench.queued(["OB_A"]);
    const dueAt = bench.now + 5_000_000;
    await bench.retry(await bench.take("outbound", "OB_A"), "OB_A", dueAt);
    const blocked = { ...nothing, rows: [], drained: false, dueAt };
    assert.deepEqual(await bench.claim("outbound", "OB_A", { readAhead: 9 }), blocked);
    bench.now = dueAt - 1;
    assert.deepEqual(await bench.claim("outbound", "OB_A", { readAhead: 9 }), blocked);
    bench.now = dueAt;
    const { rows } = await bench.claim("outbound", "OB_A", { readAhead: 9 });
    assert.deepEqual(rows.map(({ messageId, attempts }) => [messageId, attempts])[0], [
      first.id,
      2,
    ]);
  });

  Deno.test(`${name} the prefix ends at the first row that is not due`, async () => {
    await using bench = await StoreBench.open(backend);
    await messagesIn(bench, "IB_ADT", 4);
    const { rows } = await bench.claim("ingress", "IB_ADT", { limit: 4 });
    const held = rows.map(heldOf);
    await bench.retry(held[1]!, "IB_ADT", bench.now + 1_000_000);
    for (const other of [held[0]!, held[2]!, held[3]!]) await bench.release(other);
    for (const limit of [1, 4]) {
      const claim = await bench.claim("ingress", "IB_ADT", { limit, readAhead: 4 - limit });
      assert.deepEqual(claim.rows.map(({ seq }) => seq), [held[0]!.seq]);
      assert.deepEqual([claim.drained, claim.dueAt], [false, undefined]);
      await bench.release(heldOf(claim.rows[0]!));
    }
  });

  Deno.test(`${name} a head in flight blocks its lane`, async () => {
    await using bench = await StoreBench.open(backend);
    const first = await bench.queued(["OB_A"]);
    await bench.queued(["OB_A"]);
    const head = await bench.take("outbound", "OB_A");
    assert.deepEqual(await bench.claim("outbound", "OB_A", { limit: 2, readAhead: 2 }), {
      ...nothing,
      rows: [],
      drained: false,
    });
    assert.equal(head.id, first.id);
  });

  Deno.test(`${name} lanes are one stage of one connection`, async () => {
    await using bench = await StoreBench.open(backend);
    const held = await bench.receive({ channel: "SAME" });
    await bench.handOff(held, { deliveries: [delivery("SAME")] });
    const other = await bench.receiveCold({ channel: "OTHER" });
    const same = await bench.receiveCold({ channel: "SAME" });
    const claimed = async (stage: "ingress" | "outbound", lane: string) =>
      (await bench.claim(stage, lane, { limit: 9 })).rows.map(({ messageId }) => messageId);
    assert.deepEqual(await claimed("outbound", "SAME"), [held.id]);
    assert.deepEqual(await claimed("ingress", "SAME"), [same.id]);
    assert.deepEqual(await claimed("outbound", "OTHER"), []);
    assert.deepEqual(await claimed("ingress", "OTHER"), [other.id]);
  });

  Deno.test(`${name} claim leaves rows that memory already holds`, async () => {
    await using bench = await StoreBench.open(backend);
    const sent = await messagesIn(bench, "IB_ADT", 4);
    const lane = await bench.lane("ingress", "IB_ADT");
    const after = lane[1]!.seq;
    const claim = await bench.claim("ingress", "IB_ADT", { limit: 9, after });
    assert.deepEqual(claim.rows.map(({ messageId }) => messageId), sent.slice(2));
    assert.equal(claim.drained, true);
  });

  // Goal: an unordered lane never starves, however many of its rows back off (I29).
  // Method: more failing rows in front than one claim looks at.
  Deno.test(`${name} an unordered claim reaches past any number of rows that back off`, async () => {
    await using bench = await StoreBench.open(backend);
    const poison = 60;
    const ids = await Promise.all(
      Array.from({ length: poison + 5 }, async () => (await bench.queued(["OB_X"])).id),
    );
    const first = await bench.claim("outbound", "OB_X", { limit: poison, unordered: true });
    assert.deepEqual(first.rows.map(({ messageId }) => messageId), ids.slice(0, poison));
    assert.equal(first.drained, false);
    for (const [index, row] of first.rows.entries()) {
      await bench.retry(heldOf(row), "OB_X", bench.now + 1_000_000 * (poison - index));
    }
    const token = bench.store.nextToken(20);
    const good = await bench.claim("outbound", "OB_X", { limit: 20, unordered: true, token });
    assert.deepEqual(
      good.rows.map(({ messageId, token, attempts }) => [messageId, token, attempts]),
      ids.slice(poison).map((id, index) => [id, token + index, 1]),
    );
    assert.deepEqual([good.drained, good.dueAt], [false, undefined]);
    for (const row of good.rows) await bench.complete(heldOf(row), "OB_X");

    const none = await bench.claim("outbound", "OB_X", { limit: 20, unordered: true });
    assert.deepEqual([none.rows, none.drained, none.dueAt], [[], false, bench.now + 1_000_000]);
    bench.passSeconds(2);
    const due = await bench.claim("outbound", "OB_X", { limit: 20, unordered: true });
    assert.deepEqual(due.rows.map(({ messageId }) => messageId), ids.slice(poison - 2, poison));
  });

  Deno.test(`${name} an unordered claim says when it took all there is`, async () => {
    await using bench = await StoreBench.open(backend);
    for (let count = 0; count < 3; count += 1) await bench.queued(["OB_X"]);
    const two = await bench.claim("outbound", "OB_X", { limit: 2, unordered: true });
    assert.deepEqual([two.rows.length, two.drained], [2, false]);
    for (const row of two.rows) await bench.complete(heldOf(row), "OB_X");
    const last = await bench.claim("outbound", "OB_X", { limit: 2, unordered: true });
    assert.deepEqual([last.rows.length, last.drained], [1, true]);
    const empty = await bench.claim("outbound", "OB_Y", { limit: 2, unordered: true });
    assert.deepEqual(empty, { ...nothing, rows: [] });
  });

  // Spec pipeline-store-cluster §1.8, I15: what ends the process is given up, its lane goes on.
  Deno.test(`${name} a row claimed too often without an outcome is given up`, async () => {
    await using bench = await StoreBench.open(backend);
    const sent = await messagesIn(bench, "IB_ADT", 3);
    await spend(bench, 5);
    const claim = await bench.claim("ingress", "IB_ADT", { limit: 9, attemptsMax: 5 });
    assert.deepEqual(claim.rows.map(({ messageId }) => messageId), sent.slice(1));
    assert.deepEqual([claim.exhausted, claim.drained], [1, true]);
    const look = await bench.look(sent[0]!);
    assert.deepEqual(look, {
      status: "error",
      error: "attempts exhausted",
      rows: ["ingress IB_ADT dead 5"],
      events: ["received", ...Array<string>(5).fill("failed IB_ADT"), "dead"],
    });
  });

  Deno.test(`${name} without a ceiling a row is claimed for ever`, async () => {
    await using bench = await StoreBench.open(backend);
    const [id] = await messagesIn(bench, "IB_ADT", 1);
    await spend(bench, 12);
    const { rows, exhausted } = await bench.claim("ingress", "IB_ADT", { limit: 9 });
    assert.deepEqual(rows.map(({ messageId, attempts }) => [messageId, attempts]), [[id, 13]]);
    assert.equal(exhausted, 0);
  });

  // A row that was claimed before without an outcome may be what ended the process. It is claimed
  // alone, and only by a caller that runs nothing else, so that a crash is known to be its own.
  Deno.test(`${name} a suspect is claimed alone, and only when asked for`, async () => {
    await using bench = await StoreBench.open(backend);
    const sent = await messagesIn(bench, "IB_ADT", 4);
    await spend(bench, 1);
    const ask = { limit: 9, attemptsMax: 5 };
    const once = await claimIds(bench, ask);
    assert.deepEqual([once.ids, once.drained], [sent, true], "one attempt may be any restart's");
    await resync(bench);
    await spend(bench, 1);

    const refused = await bench.claim("ingress", "IB_ADT", ask);
    assert.deepEqual(refused, { ...nothing, rows: [], drained: false, suspect: true });
    const alone = await claimIds(bench, { ...ask, suspects: true });
    assert.deepEqual([alone.ids, alone.drained, alone.suspect], [[sent[0]], false, false]);
    await bench.bury(alone.held[0]!, undefined);
    const rest = await claimIds(bench, ask);
    assert.deepEqual([rest.ids, rest.drained, rest.suspect], [sent.slice(1), true, false]);
  });

  Deno.test(`${name} rows before a suspect are claimed without it`, async () => {
    await using bench = await StoreBench.open(backend);
    const sent = await messagesIn(bench, "IB_ADT", 3);
    for (let round = 0; round < 2; round += 1) {
      const { rows } = await bench.claim("ingress", "IB_ADT", { limit: 3 });
      const held = rows.map(heldOf);
      await bench.retry(held[1]!, "IB_ADT", bench.now);
      for (const other of [held[0]!, held[2]!]) await bench.release(other);
    }
    for (const suspects of [false, true]) {
      const before = await claimIds(bench, { limit: 9, attemptsMax: 5, suspects });
      assert.deepEqual([before.ids, before.drained, before.suspect], [[sent[0]], false, false]);
      await bench.release(before.held[0]!);
    }
  });
}

/** Cold messages of one inbound; returns their ids in order. */
async function messagesIn(bench: StoreBench, channel: string, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    ids.push((await bench.receiveCold({ channel })).id);
  }
  return ids;
}

/** Claims the head of IB_ADT `times` times without an outcome. */
async function spend(bench: StoreBench, times: number): Promise<void> {
  for (let round = 0; round < times; round += 1) {
    await bench.retry(await bench.take("ingress", "IB_ADT"), "IB_ADT", bench.now);
  }
}

function resync(bench: StoreBench) {
  return bench.store.submit({ kind: "resync", stage: "ingress", lane: "IB_ADT", at: bench.now });
}

async function claimIds(
  bench: StoreBench,
  parts: { limit: number; attemptsMax: number; suspects?: boolean },
) {
  const { rows, drained, suspect } = await bench.claim("ingress", "IB_ADT", parts);
  return { ids: rows.map(({ messageId }) => messageId), held: rows.map(heldOf), drained, suspect };
}
