/** What retention takes away, what it leaves, and how it accounts for it. Spec §5, I41 to I44. */
import assert from "node:assert/strict";
import { noCounts } from "../../../src/store/purge.ts";
import { delivery, heldOf, readdressed, type StoreBackend, StoreBench } from "./bench.ts";

export function testRetention(backend: StoreBackend): void {
  testMessages(backend);
  testDeadLetters(backend);
  testWindows(backend);
  testOtherRows(backend);
  testAccounts(backend);
}

function testMessages(backend: StoreBackend): void {
  const { name } = backend;

  Deno.test(`${name} purge empties messages older than the moment, to the microsecond`, async () => {
    await using bench = await StoreBench.open(backend);
    const made = [];
    for (const offset of [-1, 0, 1]) {
      const held = await bench.receive({ receivedAt: bench.now + offset, raw: `body ${offset}` });
      await bench.handOff(held, { handlers: 0 });
      made.push(held.id);
    }
    assert.equal(await bench.purge("messages", bench.now), 1);
    assert.deepEqual(await rawsOf(bench, made), ["", "body 0", "body 1"]);
    assert.equal(await bench.purge("messages", bench.now), 0);
    assert.equal(await bench.purge("messages", bench.now + 1), 1);
    assert.deepEqual(await rawsOf(bench, made), ["", "", "body 1"]);
  });

  Deno.test(`${name} purge leaves rows, counts, dispositions and timelines, and no content`, async () => {
    await using bench = await StoreBench.open(backend);
    const held = await bench.receive({ raw: "raw" });
    await bench.handOff(held, {
      deliveries: [
        delivery("OB_A", { payload: "own" }),
        delivery("OB_B", { payload: "own" }),
        delivery("OB_C"),
      ],
      failures: [{ handler: "h", error: "failed h" }],
    });
    await bench.retry(await bench.take("outbound", "OB_A"), "OB_A", bench.now, "no answer A");
    await bench.complete(await bench.take("outbound", "OB_A"), "OB_A");
    await bench.complete(await bench.take("outbound", "OB_B"), "OB_B");
    await bench.retry(await bench.take("outbound", "OB_C"), "OB_C", bench.now, "no answer C");
    await bench.store.submit({ kind: "cancel", destination: "OB_C", scope: "all", at: bench.now });
    const refused = bench.message({ raw: "refused" });
    await bench.store.submit({ kind: "record_error", message: refused, error: "not HL7" });
    const ids = [held.id, refused.id];
    const [look, outbox, totals] = await lookAt(bench, ids);
    bench.passSeconds(60);

    assert.equal(await bench.purge("messages", bench.now), 2);
    const [after, outboxAfter, totalsAfter] = await lookAt(bench, ids);
    assert.deepEqual(after, look.map((one) => ({ ...one, error: null })));
    assert.deepEqual([outboxAfter, totalsAfter.messages], [outbox, totals.messages]);
    for (const id of ids) {
      const detail = (await bench.store.message(id))!;
      assert.deepEqual(
        [detail.raw, detail.error, detail.purgedAt],
        ["", null, bench.now],
      );
      assert.deepEqual(detail.rows.filter(({ lastError }) => lastError !== null), []);
      assert.deepEqual(detail.events.filter((event) => event.detail !== null), []);
      assert.deepEqual(
        (await bench.store.outboundOf(id))!.filter(({ payload }) => payload !== ""),
        [],
      );
    }
    const { requeued, bodyPurged } = await replay(bench, held.id);
    assert.deepEqual([requeued, bodyPurged], [0, true]);
    assert.deepEqual((await lookAt(bench, ids))[0], after);
  });

  // Goal: I41. A message with a row that is pending or in flight, at whatever stage, is left as it
  // is; when the row has ended, it is not.
  Deno.test(`${name} purge leaves a message alone while any row of it is open`, async () => {
    await using bench = await StoreBench.open(backend);
    const flying = await bench.receive({ channel: "IB_1" });
    const waiting = await bench.receiveCold({ channel: "IB_2" });
    const routed = await bench.receive({ channel: "IB_3" });
    const handlers = ["a", "b"];
    await bench.store.submit({ kind: "route_hand_off", ...routed, at: bench.now, handlers });
    const claimed = await bench.take("routed", "IB_3");
    const halfDone = await bench.queued(["OB_A", "OB_B"]);
    await bench.complete(await bench.take("outbound", "OB_A"), "OB_A");
    const backingOff = await bench.queued(["OB_C"]);
    await bench.retry(await bench.take("outbound", "OB_C"), "OB_C", bench.now + 1e12, "no");
    const ids = [flying.id, waiting.id, routed.id, halfDone.id, backingOff.id];
    const before = await Promise.all(ids.map((id) => bench.store.message(id)));
    for (const limit of [1, 2, 100]) {
      assert.equal(await bench.purge("messages", bench.now + 1, limit), 0);
    }
    assert.deepEqual(await Promise.all(ids.map((id) => bench.store.message(id))), before);

    await bench.handOff(flying, { handlers: 0 });
    await bench.handOff(await bench.take("ingress", "IB_2"), { handlers: 0 });
    await bench.bury(claimed, "a", "no");
    await bench.bury(await bench.take("routed", "IB_3"), "b", "no");
    await bench.complete(await bench.take("outbound", "OB_B"), "OB_B");
    await bench.store.submit({ kind: "cancel", destination: "OB_C", scope: "all", at: bench.now });
    assert.equal(await bench.purge("messages", bench.now + 1, 1), 5);
    assert.deepEqual(await rawsOf(bench, ids), ["", "", "", "", ""]);
  });

  Deno.test(`${name} purge takes dead ingress and routed rows with their message`, async () => {
    await using bench = await StoreBench.open(backend);
    const ingress = await bench.receive();
    await bench.bury(ingress, undefined, "no handler named x");
    const routed = await bench.receive();
    await bench.handOff(routed, { failures: [{ handler: "h", error: "failed" }] });
    assert.equal(await bench.purge("messages", bench.now + 1), 2);
    for (const { id } of [ingress, routed]) {
      const detail = (await bench.store.message(id))!;
      assert.deepEqual([detail.raw, detail.rows[0]?.lastError], ["", null]);
      assert.equal((await replay(bench, id)).bodyPurged, true);
      assert.equal((await bench.look(id)).status, "error");
    }
  });

  // Method: batches of one and more, messages of the same moment, open ones between the others.
  Deno.test(`${name} purge reaches every message, however small its batches are`, async () => {
    for (const limit of [1, 2, 3, 7]) {
      await using bench = await StoreBench.open(backend);
      const open: string[] = [];
      const closed: string[] = [];
      for (let index = 0; index < 24; index += 1) {
        // A wall clock that steps back: what came later may be older.
        const receivedAt = bench.now - [5, 5, 3, 9][index % 4]! * 1_000_000;
        if (index % 3 === 0) open.push((await bench.receiveCold({ receivedAt })).id);
        else {
          const held = await bench.receive({ receivedAt });
          await bench.handOff(held, { handlers: 0 });
          closed.push(held.id);
        }
      }
      assert.equal(await bench.purge("messages", bench.now, limit), closed.length);
      assert.ok((await rawsOf(bench, closed)).every((raw) => raw === ""));
      assert.ok((await rawsOf(bench, open)).every((raw) => raw !== ""));
    }
  });
}

function testDeadLetters(backend: StoreBackend): void {
  const { name } = backend;

  Deno.test(`${name} purge of dead letters goes by when they died, to the microsecond`, async () => {
    await using bench = await StoreBench.open(backend);
    const diedAt = bench.now + 50_000_000;
    const made: string[] = [];
    for (const offset of [-1, 0, 1]) {
      bench.now = diedAt + offset;
      made.push((await deadLetter(bench, `payload ${offset}`)).id);
    }
    assert.equal(await bench.purge("dead_letters", diedAt), 1);
    const payloads = await Promise.all(made.map((id) => bench.store.outboundOf(id)));
    assert.deepEqual(payloads.map((rows) => rows![0]!.payload), ["", "payload 0", "payload 1"]);
    const detail = (await bench.store.message(made[0]!))!;
    assert.deepEqual(
      [detail.rows[0]!.status, detail.rows[0]!.lastError, detail.raw === ""],
      ["dead", null, false],
    );
    assert.deepEqual(await bench.store.outbox(), { deliveries: 3, dead: 3, cancelled: 0 });
    assert.equal((await replay(bench, made[0]!)).bodyPurged, true);
    const all = { kind: "replay_dead", channel: undefined, destination: undefined } as const;
    const { requeued, bodyPurged } = await bench.store.submit({ ...all, at: bench.now });
    assert.deepEqual([requeued, bodyPurged], [2, true]);
  });

  Deno.test(`${name} purge of dead letters takes outbound rows alone`, async () => {
    await using bench = await StoreBench.open(backend);
    const held = await bench.receive();
    await bench.handOff(held, {
      deliveries: [delivery("OB_A")],
      failures: [{ handler: "h", error: "failed" }],
    });
    await bench.bury(await bench.take("outbound", "OB_A"), "OB_A", "AR");
    bench.passSeconds(1);
    assert.equal(await bench.purge("dead_letters", bench.now, 1), 1);
    const [outbound, routed] = (await bench.store.message(held.id))!.rows;
    assert.deepEqual([outbound?.lastError, routed?.lastError], [null, "failed"]);
    const { requeued, bodyPurged } = await replay(bench, held.id);
    assert.deepEqual([requeued, bodyPurged], [1, true], "the handler can run again");
  });
}

function testWindows(backend: StoreBackend): void {
  const { name } = backend;

  // Goal: connections with a window of their own are held to that, all others to the common one,
  // however small the batches are. Method: messages and dead letters of three lanes by turns.
  Deno.test(`${name} purge keeps the windows that connections have of their own`, async () => {
    for (const limit of [1, 2, 100]) {
      await using bench = await StoreBench.open(backend);
      const [start, second] = [bench.now, 1_000_000];
      const made: { id: string; lane: number }[] = [];
      for (let n = 0; n < 12; n += 1) {
        const lane = n % 3;
        const held = await bench.receive({ channel: `IB_${lane}`, receivedAt: bench.now });
        await bench.handOff(held, { deliveries: [delivery(`OB_${lane}`, { payload: `p${n}` })] });
        await bench.bury(await bench.take("outbound", `OB_${lane}`), `OB_${lane}`, "AR");
        made.push({ id: held.id, lane });
        bench.now += second;
      }
      // Lane 1 is kept, lane 2 has a longer reach, lane 0 and whoever else has the common one.
      const [before, own] = [start + 6 * second, start + 9 * second];
      const windows = (side: string) => [[`${side}_1`, 0], [`${side}_2`, own]] as const;
      const isDue = (n: number, lane: number) => lane === 0 ? n < 6 : lane === 2 && n < 9;
      const due = made.filter(({ lane }, n) => isDue(n, lane)).length;
      assert.equal(await bench.purge("messages", before, limit, windows("IB")), due);
      assert.equal(await bench.purge("messages", before, limit, windows("IB")), 0);
      assert.equal(await bench.purge("dead_letters", before, limit, windows("OB")), due);
      assert.equal(await bench.purge("dead_letters", before, limit, windows("OB")), 0);
      for (const [n, { id, lane }] of made.entries()) {
        const isGone = [
          (await bench.store.message(id))!.raw === "",
          (await bench.store.outboundOf(id))![0]!.payload === "",
        ];
        assert.deepEqual(isGone, [isDue(n, lane), isDue(n, lane)], `message ${n}`);
      }
      assert.equal(await bench.purge("messages", 0, limit, [["IB_1", bench.now]]), 4);
      assert.equal(await bench.purge("messages", bench.now, limit), 12 - due - 4);
    }
  });

  // Goal: a body that a message and its dead delivery share ends for each at its own time (I41, I43).
  Deno.test(`${name} purge of a message leaves its dead delivery what it means`, async () => {
    await using bench = await StoreBench.open(backend);
    const { id } = await deadLetter(bench, undefined, "shared");
    bench.passSeconds(10);
    assert.equal(await bench.purge("messages", bench.now), 1);
    assert.deepEqual(await rawsOf(bench, [id]), [""]);
    assert.deepEqual((await bench.store.outboundOf(id))!.map(({ payload }) => payload), ["shared"]);
    assert.equal((await bench.store.message(id))!.rows[0]!.lastError, "AR");
    assert.equal((await replay(bench, id)).requeued, 1);
    const again = await bench.claim("outbound", "OB_A");
    assert.equal(again.rows[0]?.body, "shared");
    assert.equal(await bench.purge("messages", bench.now), 0, "it is on its way again");
    await bench.complete(heldOf(again.rows[0]!), "OB_A");
    assert.equal(
      await bench.purge("messages", bench.now),
      1,
      "and purged when it has come to rest",
    );
    assert.deepEqual((await bench.store.outboundOf(id))!.map(({ payload }) => payload), [""]);
    assert.equal(await bench.purge("messages", bench.now), 0);
  });

  // Goal: a payload that is stored as changes of the message outlives the message whole.
  Deno.test(`${name} purge of a message leaves its dead delivery what a handler made of it`, async () => {
    await using bench = await StoreBench.open(backend);
    const { raw } = bench.message();
    const payload = readdressed(raw, "LAB");
    const held = await bench.receive({ raw });
    await bench.handOff(held, {
      deliveries: [
        delivery("OB_A", { payload }),
        delivery("OB_B", { payload }),
        delivery("OB_C", { payload: readdressed(raw, "WARD") }),
      ],
    });
    await bench.bury(await bench.take("outbound", "OB_A"), "OB_A", "AR");
    await bench.bury(await bench.take("outbound", "OB_B"), "OB_B", "AR");
    await bench.complete(await bench.take("outbound", "OB_C"), "OB_C");
    bench.passSeconds(10);
    assert.equal(await bench.purge("messages", bench.now), 1);
    const payloads = async () => (await bench.store.outboundOf(held.id))!.map((row) => row.payload);
    assert.deepEqual(await rawsOf(bench, [held.id]), [""]);
    assert.deepEqual(await payloads(), [payload, payload, ""]);
    await bench.reopen();
    assert.equal((await replay(bench, held.id)).requeued, 2);
    const { rows: [row] } = await bench.claim("outbound", "OB_A");
    assert.equal(row?.body, payload);
    await bench.bury(heldOf(row!), "OB_A", "AR");
    await bench.complete(await bench.take("outbound", "OB_B"), "OB_B");
    bench.passSeconds(10);
    assert.equal(await bench.purge("dead_letters", bench.now), 1);
    assert.equal(await bench.purge("messages", bench.now), 1);
    assert.deepEqual(await payloads(), ["", "", ""]);
  });

  Deno.test(`${name} purge of a dead delivery leaves its message what it means`, async () => {
    await using bench = await StoreBench.open(backend);
    const { id } = await deadLetter(bench, undefined, "shared");
    bench.passSeconds(10);
    assert.equal(await bench.purge("dead_letters", bench.now), 1);
    assert.deepEqual(await rawsOf(bench, [id]), ["shared"]);
    assert.deepEqual((await bench.store.outboundOf(id))!.map(({ payload }) => payload), [""]);
    assert.equal(await bench.purge("dead_letters", bench.now), 0);
    assert.equal(await bench.purge("messages", bench.now), 1);
    assert.deepEqual(await rawsOf(bench, [id]), [""]);
  });

  Deno.test(`${name} replay_dead of a purged message has it purged again`, async () => {
    await using bench = await StoreBench.open(backend);
    const { id } = await deadLetter(bench, "payload");
    bench.passSeconds(10);
    assert.equal(await bench.purge("messages", bench.now), 1);
    const all = { kind: "replay_dead", channel: undefined, destination: undefined } as const;
    assert.equal((await bench.store.submit({ ...all, at: bench.now })).requeued, 1);
    await bench.bury(await bench.take("outbound", "OB_A"), "OB_A", "AR once more");
    assert.equal(await bench.purge("dead_letters", bench.now), 0, "it died only now");
    assert.equal(await bench.purge("messages", bench.now), 1);
    const detail = (await bench.store.message(id))!;
    assert.deepEqual(
      [detail.error, detail.events.filter((event) => event.detail !== null)],
      [null, []],
    );
    assert.equal(detail.rows[0]!.lastError, "AR once more");
  });
}

function testOtherRows(backend: StoreBackend): void {
  const { name } = backend;

  Deno.test(`${name} purge of state deletes by the last write and says what is gone`, async () => {
    await using bench = await StoreBench.open(backend);
    const write = async (key: string, value: string) => {
      const state = [{ namespace: "n", key, value }];
      await bench.handOff(await bench.receive(), { state });
    };
    for (const key of ["a", "b", "c", "d"]) await write(key, `"${key}"`);
    bench.passSeconds(10);
    await write("b", '"again"');
    const batch = { kind: "purge", of: "state", limit: 2, after: undefined } as const;
    const ask = { ...batch, at: bench.now, before: bench.now };
    const first = await bench.store.submit(ask);
    const second = await bench.store.submit(ask);
    assert.deepEqual([first.purged, first.next !== undefined], [2, true]);
    assert.deepEqual([second.purged, second.next], [1, undefined]);
    assert.deepEqual(
      [...first.state, ...second.state].map(({ namespace, key }) => `${namespace} ${key}`).sort(),
      ["n a", "n c", "n d"],
    );
    assert.deepEqual(await bench.store.state(), [{ namespace: "n", key: "b", value: '"again"' }]);
    assert.equal(await bench.purge("state", bench.now), 0, "of this very moment");
    assert.equal(await bench.purge("state", bench.now + 1), 1);
    await bench.reopen();
    assert.deepEqual(await bench.store.state(), []);
  });

  // Goal: a key is itself to the last character, also when a NUL stands in it.
  // Method: keys that are equal up to a NUL, of which one is written again before the purge.
  Deno.test(`${name} state of a key with a NUL is read back and purged as that key`, async () => {
    await using bench = await StoreBench.open(backend);
    const places = [["n", "k"], ["n", "k\0"], ["n", "k\0x"], ["n\0", "k"]] as const;
    const written = places.map(([namespace, key], at) => ({ namespace, key, value: `${at}` }));
    await bench.handOff(await bench.receive(), { state: written });
    await bench.reopen();
    const keyOf = ({ namespace, key }: { namespace: string; key: string }) => namespace + key;
    const read = (await bench.store.state()).toSorted((a, b) => keyOf(a) < keyOf(b) ? -1 : 1);
    assert.deepEqual(read, written.toSorted((a, b) => keyOf(a) < keyOf(b) ? -1 : 1));

    bench.passSeconds(10);
    await bench.handOff(await bench.receive(), { state: [written[0]!] });
    const batch = { kind: "purge", of: "state", limit: 9, after: undefined } as const;
    const { purged, state } = await bench.store.submit({
      ...batch,
      at: bench.now,
      before: bench.now,
    });
    assert.equal(purged, 3);
    assert.deepEqual(state.map(keyOf).sort(), written.slice(1).map(keyOf).sort());
    assert.deepEqual(await bench.store.state(), [written[0]]);
  });

  Deno.test(`${name} purge of connection events deletes what is older`, async () => {
    await using bench = await StoreBench.open(backend);
    const at = bench.now;
    await bench.store.submit({
      kind: "connection_events",
      events: [-2, -1, 0, 1].map((offset) => ({
        ...{ at: at + offset, connection: "IB", transport: "mllp", direction: "inbound" },
        ...{ event: "closed", peer: undefined, reason: `r ${offset}` },
      })),
    });
    assert.equal(await bench.purge("connection_events", at, 1), 2);
    const left = await bench.store.connectionEvents({ limit: 9 });
    assert.deepEqual(left.map((event) => event.at - at), [1, 0]);
  });
}

function testAccounts(backend: StoreBackend): void {
  const { name } = backend;

  // Goal: I44. Whatever a pass changed is told of in one audit row, also when it was cut short.
  Deno.test(`${name} end_purge tells of everything since the last one, once`, async () => {
    await using bench = await StoreBench.open(backend);
    const rows = async () => {
      const found = await bench.store.register("auditNewest", 9);
      return found.map(({ actor, action, detail }) => ({
        ...{ actor, action },
        detail: JSON.parse(String(detail)),
      }));
    };
    assert.equal(await bench.endPurge(), undefined);
    assert.deepEqual(await rows(), []);
    const dead = await deadLetter(bench, "payload");
    const state = [{ namespace: "n", key: "k", value: "1" }];
    await bench.handOff(await bench.receive(), { state });
    bench.passSeconds(1);
    await bench.purge("messages", bench.now, 1);
    await bench.reopen();
    await bench.purge("dead_letters", bench.now);
    await bench.purge("state", bench.now);
    const counts = { ...noCounts, messages: 2, dead_letters: 1, state: 1 };
    const record = await bench.store.retention();
    assert.deepEqual(record, { counts, logsHoldPurged: true, reclaimedOn: undefined });

    assert.deepEqual(await bench.endPurge(), counts);
    const told = { actor: "system", action: "retention_purge" };
    assert.deepEqual(await rows(), [{ ...told, detail: { messages_days: 1, ...counts } }]);
    assert.equal(await bench.endPurge(), undefined);
    assert.deepEqual((await rows()).length, 1);
    assert.equal((await bench.store.retention()).logsHoldPurged, true);
    assert.equal(await bench.endPurge({ logsAreClean: true }), undefined);
    assert.equal((await bench.store.retention()).logsHoldPurged, false);

    const noted = { isNoted: true, reclaimedOn: "2026-11-28" };
    assert.deepEqual(await bench.endPurge(noted), noCounts);
    assert.equal((await rows()).length, 2);
    assert.equal(await bench.endPurge(), undefined);
    assert.equal((await bench.store.retention()).reclaimedOn, "2026-11-28");
    assert.equal((await bench.look(dead.id)).status, "error");
  });
}

/** A message whose one delivery is dead; without a payload it means the message's own body. */
async function deadLetter(bench: StoreBench, payload: string | undefined, raw = "raw") {
  const held = await bench.receive({ raw });
  await bench.handOff(held, { deliveries: [delivery("OB_A", { payload })] });
  await bench.bury(await bench.take("outbound", "OB_A"), "OB_A", "AR");
  return held;
}

function rawsOf(bench: StoreBench, ids: readonly string[]) {
  return Promise.all(ids.map(async (id) => (await bench.store.message(id))!.raw));
}

async function lookAt(bench: StoreBench, ids: readonly string[]) {
  const looks = await Promise.all(ids.map((id) => bench.look(id)));
  return [looks, await bench.store.outbox(), await bench.store.totals()] as const;
}

function replay(bench: StoreBench, id: string) {
  return bench.store.submit({ kind: "replay", id, at: bench.now });
}
