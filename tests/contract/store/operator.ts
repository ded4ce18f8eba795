/** What operators and start-up do to rows: replay, cancel, sweep, notes. Spec §3.5, §3.6. */
import assert from "node:assert/strict";
import type { ReplayResult } from "../../../src/store/intent_results.ts";
import { delivery, type Held, type StoreBackend, StoreBench } from "./bench.ts";

const states = ["done", "dead", "pending", "cancelled", "inflight"] as const;
type State = (typeof states)[number];

export function testOperator(backend: StoreBackend): void {
  const { name } = backend;
  testReplay(backend);
  testReplayDead(backend);
  testCancel(backend);
  testSweep(backend);

  Deno.test(`${name} note_event records who looked, and knows its message`, async () => {
    await using bench = await StoreBench.open(backend);
    const { id } = await bench.receive();
    const note = { kind: "note_event", event: "viewed", at: bench.now } as const;
    assert.deepEqual(await bench.store.submit({ ...note, id }), { found: true });
    assert.deepEqual(await bench.store.submit({ ...note, id: "f".repeat(32) }), { found: false });
    assert.deepEqual((await bench.look(id)).events, ["received", "viewed"]);
  });
}

function testReplay(backend: StoreBackend): void {
  const { name } = backend;

  // Goal: I37. Dead or pending rows first, else the done ones; never a done sibling of anything
  // unfinished, never a cancelled row, never one in flight.
  // Method: every combination of three rows' states.
  Deno.test(`${name} replay chooses rows by all of its message's states`, async () => {
    await using bench = await StoreBench.open(backend);
    const combinations = states.flatMap((a) => states.flatMap((b) => states.map((c) => [a, b, c])));
    const made = await Promise.all(
      combinations.map((combination, index) => messageWith(bench, index, combination)),
    );
    bench.passSeconds(60);
    for (const [index, combination] of combinations.entries()) {
      const { id } = made[index]!;
      const before = await bench.store.message(id);
      const result = await replay(bench, id);
      const isFinished = combination.every((state) => state === "done" || state === "cancelled");
      const isChosen = (state: State) =>
        isFinished ? state === "done" : state === "dead" || state === "pending";
      const chosen = combination.filter(isChosen).length;
      const title = combination.join(" ");
      assert.deepEqual(
        result,
        {
          found: true,
          requeued: chosen,
          bodyPurged: false,
          lanes: combination.flatMap((state, row) =>
            isChosen(state) ? [{ stage: "outbound" as const, lane: `OB_${index}_${row}` }] : []
          ),
          edges: combination.flatMap((state, row) =>
            isChosen(state) && state !== "pending"
              ? [{ channel: "IB_ADT", destination: `OB_${index}_${row}`, rows: 1 }]
              : []
          ),
        },
        title,
      );
      const after = await bench.store.message(id);
      assert.deepEqual(
        after?.rows.map((
          { status, attempts, nextAttemptAt, lastError },
        ) => [status, attempts, nextAttemptAt, lastError]),
        before?.rows.map((row, position) =>
          isChosen(combination[position]!)
            ? ["pending", 0, bench.now, null]
            : [row.status, row.attempts, row.nextAttemptAt, row.lastError]
        ),
        title,
      );
      const replayed = after!.events.length - before!.events.length;
      assert.equal(replayed, chosen > 0 ? 1 : 0, title);
      assert.deepEqual(
        [after?.status, after?.error],
        chosen > 0 ? ["routed", null] : [before?.status, before?.error],
        title,
      );
    }
  });

  Deno.test(`${name} replay of a done message delivers it once more`, async () => {
    await using bench = await StoreBench.open(backend);
    const { id } = await bench.queued(["OB_A"]);
    await bench.complete(await bench.take("outbound", "OB_A"), "OB_A");
    await replay(bench, id);
    await bench.complete(await bench.take("outbound", "OB_A"), "OB_A");
    const look = await bench.look(id);
    assert.equal(look.status, "processed");
    assert.deepEqual(look.events.slice(-3), ["delivered OB_A", "replayed", "delivered OB_A"]);
  });

  Deno.test(`${name} replay of a router's failure routes the message again`, async () => {
    await using bench = await StoreBench.open(backend);
    const held = await bench.receive();
    await bench.bury(held, undefined, "no handler named x");
    const result = await replay(bench, held.id);
    assert.deepEqual(result.lanes, [{ stage: "ingress", lane: "IB_ADT" }]);
    const look = await bench.look(held.id);
    assert.deepEqual([look.status, look.error], ["received", null]);
    const again = await bench.take("ingress", "IB_ADT");
    assert.equal((await bench.handOff(again, { handlers: 1 })).mine, true);
    assert.equal((await bench.look(held.id)).status, "filtered");
  });

  Deno.test(`${name} replay leaves a message that has nothing to replay`, async () => {
    await using bench = await StoreBench.open(backend);
    const unrouted = await bench.receive();
    await bench.handOff(unrouted, { handlers: 0 });
    const before = await bench.look(unrouted.id);
    const nothing = { requeued: 0, bodyPurged: false, lanes: [], edges: [] };
    assert.deepEqual(await replay(bench, unrouted.id), { found: true, ...nothing });
    assert.deepEqual(await bench.look(unrouted.id), before);
    assert.deepEqual(await replay(bench, "f".repeat(32)), { found: false, ...nothing });
  });

  Deno.test(`${name} replay never sends a purged body`, async () => {
    await using bench = await StoreBench.open(backend);
    const held = await bench.receive();
    await bench.handOff(held, {
      deliveries: [delivery("OB_A", { payload: "own" })],
      failures: [{ handler: "h", error: "failed" }],
    });
    await bench.bury(await bench.take("outbound", "OB_A"), "OB_A");
    await bench.purge("messages", bench.now + 1);
    await bench.purge("dead_letters", bench.now + 1);
    const before = await bench.look(held.id);
    const purged = { found: true, requeued: 0, bodyPurged: true, lanes: [], edges: [] };
    assert.deepEqual(await replay(bench, held.id), purged);
    const all = { kind: "replay_dead", at: bench.now } as const;
    assert.deepEqual(
      await bench.store.submit({ ...all, channel: undefined, destination: undefined }),
      purged,
    );
    assert.deepEqual(await bench.look(held.id), before);
  });
}

function testReplayDead(backend: StoreBackend): void {
  const { name } = backend;

  Deno.test(`${name} replay_dead requeues outbound dead letters by inbound and destination`, async () => {
    await using bench = await StoreBench.open(backend);
    const make = async (channel: string) => {
      const held = await bench.receive({ channel });
      await bench.handOff(held, {
        deliveries: [delivery("OB_A"), delivery("OB_B")],
        failures: [{ handler: "h", error: "failed" }],
      });
      await bench.bury(await bench.take("outbound", "OB_A"), "OB_A", "AR from A");
      await bench.bury(await bench.take("outbound", "OB_B"), "OB_B", "AR from B");
      return held.id;
    };
    const [one, two] = [await make("IB_1"), await make("IB_2")];
    const replayDead = (channel: string | undefined, destination: string | undefined) =>
      bench.store.submit({ kind: "replay_dead", channel, destination, at: bench.now });

    const none = { found: true, requeued: 0, bodyPurged: false, lanes: [], edges: [] };
    assert.deepEqual(await replayDead("IB_3", undefined), none);
    assert.deepEqual(await replayDead("IB_1", "OB_C"), none);
    assert.equal((await bench.look(one)).status, "error");

    assert.deepEqual(await replayDead("IB_1", "OB_A"), {
      found: true,
      requeued: 1,
      bodyPurged: false,
      lanes: [{ stage: "outbound", lane: "OB_A" }],
      edges: [{ channel: "IB_1", destination: "OB_A", rows: 1 }],
    });
    const look = await bench.look(one);
    assert.deepEqual(look.rows, [
      "outbound OB_A pending 0",
      "outbound OB_B dead 1",
      "routed h dead 1",
    ]);
    assert.equal(look.status, "routed");
    assert.equal(look.error, "AR from B", "what is still dead keeps its reason");
    assert.equal(look.events.at(-1), "replayed OB_A");
    assert.deepEqual((await bench.look(two)).rows.slice(0, 2), [
      "outbound OB_A dead 1",
      "outbound OB_B dead 1",
    ]);

    const everything = await replayDead(undefined, undefined);
    assert.equal(everything.requeued, 3);
    assert.deepEqual(
      everything.edges.map(({ channel, destination, rows }) => `${channel} ${destination} ${rows}`)
        .toSorted(),
      ["IB_1 OB_B 1", "IB_2 OB_A 1", "IB_2 OB_B 1"],
    );
    assert.deepEqual(
      everything.lanes.map(({ lane }) => lane).toSorted(),
      ["OB_A", "OB_B"],
    );
    for (const lane of ["OB_A", "OB_A", "OB_B", "OB_B"]) {
      await bench.complete(await bench.take("outbound", lane), lane);
    }
    const after = await bench.look(one);
    assert.equal(after.status, "error", "the dead handler was not replayed");
    assert.equal(after.error, "failed");
    assert.ok(after.rows.includes("routed h dead 1"));
  });

  Deno.test(`${name} replay_dead leaves a message that is on its way RECEIVED`, async () => {
    await using bench = await StoreBench.open(backend);
    const held = await bench.receive();
    await bench.handOff(held, {
      deliveries: [delivery("OB_A")],
      failures: [{ handler: "h", error: "failed" }],
    });
    const outbound = await bench.take("outbound", "OB_A");
    await replay(bench, held.id);
    assert.equal((await bench.look(held.id)).status, "received");
    await bench.bury(outbound, "OB_A");
    const all = { channel: undefined, destination: undefined, at: bench.now };
    await bench.store.submit({ kind: "replay_dead", ...all });
    assert.equal((await bench.look(held.id)).status, "received");
  });
}

function testCancel(backend: StoreBackend): void {
  const { name } = backend;

  // Goal: I39. `top` is the head of the lane, not the row that happens to be due.
  Deno.test(`${name} cancel top takes the head, even while it backs off`, async () => {
    await using bench = await StoreBench.open(backend);
    const [one, two] = [await bench.queued(["OB_A"]), await bench.queued(["OB_A"])];
    await bench.retry(await bench.take("outbound", "OB_A"), "OB_A", bench.now + 300_000_000);
    const edges = [{ channel: "IB_ADT", destination: "OB_A", rows: -1 }];
    assert.deepEqual(await cancel(bench, "top"), { cancelled: 1, edges });
    const look = await bench.look(one.id);
    assert.deepEqual(look.rows, ["outbound OB_A cancelled 1"]);
    assert.equal(look.status, "processed");
    assert.equal(look.events.at(-1), "cancelled OB_A");
    assert.deepEqual((await bench.look(two.id)).rows, ["outbound OB_A pending 0"]);
    assert.equal((await bench.take("outbound", "OB_A")).id, two.id);
  });

  Deno.test(`${name} cancel top spares a head in flight and those behind it`, async () => {
    await using bench = await StoreBench.open(backend);
    await bench.queued(["OB_A"]);
    await bench.queued(["OB_A"]);
    const head = await bench.take("outbound", "OB_A");
    assert.deepEqual(await cancel(bench, "top"), { cancelled: 0, edges: [] });
    const rows = (await bench.lane("outbound", "OB_A")).length;
    assert.equal(rows, 0, "the head is in flight");
    assert.deepEqual(await bench.store.outbox(), { deliveries: 2, dead: 0, cancelled: 0 });
    await bench.release(head);
    const edges = [{ channel: "IB_ADT", destination: "OB_A", rows: -1 }];
    assert.deepEqual(await cancel(bench, "top"), { cancelled: 1, edges });
    assert.deepEqual((await bench.look(head.id)).rows, ["outbound OB_A cancelled 0"]);
  });

  Deno.test(`${name} cancel all takes pending rows of every inbound, and only those`, async () => {
    await using bench = await StoreBench.open(backend);
    const dead = await bench.queued(["OB_A"]);
    await bench.bury(await bench.take("outbound", "OB_A"), "OB_A");
    const flying = await bench.queued(["OB_A"], { channel: "IB_1" });
    const head = await bench.take("outbound", "OB_A");
    const waiting = await bench.queued(["OB_A", "OB_B"], { channel: "IB_2" });
    const alone = await bench.queued(["OB_A"], { channel: "IB_3" });
    assert.deepEqual(await cancel(bench, "all"), {
      cancelled: 2,
      edges: [
        { channel: "IB_2", destination: "OB_A", rows: -1 },
        { channel: "IB_3", destination: "OB_A", rows: -1 },
      ],
    });
    assert.deepEqual((await bench.look(dead.id)).rows, ["outbound OB_A dead 1"]);
    assert.deepEqual((await bench.look(flying.id)).rows, ["outbound OB_A inflight 1"]);
    assert.deepEqual((await bench.look(waiting.id)).rows, [
      "outbound OB_A cancelled 0",
      "outbound OB_B pending 0",
    ]);
    assert.equal((await bench.look(waiting.id)).status, "routed");
    assert.equal((await bench.look(alone.id)).status, "processed");
    assert.deepEqual(await cancel(bench, "all"), { cancelled: 0, edges: [] });
    assert.equal((await bench.complete(head, "OB_A")).mine, true);
    assert.deepEqual(await bench.store.outbox(), { deliveries: 5, dead: 1, cancelled: 2 });
  });

  Deno.test(`${name} cancel with a limit takes that many from the head on`, async () => {
    await using bench = await StoreBench.open(backend);
    const made = [];
    for (let index = 0; index < 5; index += 1) made.push(await bench.queued(["OB_A"]));
    await bench.take("outbound", "OB_A");
    const some = {
      kind: "cancel",
      destination: "OB_A",
      scope: "all",
      at: bench.now,
      limit: 3,
    } as const;
    const { cancelled, edges } = await bench.store.submit(some);
    assert.deepEqual([cancelled, edges], [
      3,
      [{ channel: "IB_ADT", destination: "OB_A", rows: -3 }],
    ]);
    const rows = await Promise.all(made.map(async ({ id }) => (await bench.look(id)).rows[0]));
    assert.deepEqual(rows, [
      "outbound OB_A inflight 1",
      "outbound OB_A cancelled 0",
      "outbound OB_A cancelled 0",
      "outbound OB_A cancelled 0",
      "outbound OB_A pending 0",
    ]);
    assert.equal((await bench.store.submit(some)).cancelled, 1);
    assert.equal((await bench.store.submit(some)).cancelled, 0);
  });
}

function testSweep(backend: StoreBackend): void {
  const { name } = backend;

  Deno.test(`${name} sweep_missing gives up rows of names that are gone, and only those`, async () => {
    await using bench = await StoreBench.open(backend);
    const kept = await bench.queued(["OB_KEPT"]);
    const gone = await bench.queued(["OB_GONE", "OB_KEPT"]);
    const backingOff = await bench.queued(["OB_GONE"]);
    const done = await bench.queued(["OB_OLD"]);
    await bench.complete(await bench.take("outbound", "OB_OLD"), "OB_OLD");
    const ingress = await bench.receiveCold({ channel: "IB_GONE" });
    const routed = await bench.receive();
    const handlers = ["gone", "kept"];
    await bench.store.submit({ kind: "route_hand_off", ...routed, at: bench.now, handlers });

    const sweep = {
      kind: "sweep_missing",
      destinations: ["OB_KEPT", "OB_NEVER_USED"],
      handlers: ["kept"],
      at: bench.now,
    } as const;
    assert.deepEqual(await bench.store.submit(sweep), { dead: 3 });
    assert.deepEqual((await bench.look(kept.id)).rows, ["outbound OB_KEPT pending 0"]);
    assert.deepEqual((await bench.look(done.id)).status, "processed");
    assert.deepEqual((await bench.look(ingress.id)).rows, ["ingress IB_GONE pending 0"]);
    assert.deepEqual((await bench.look(routed.id)).rows, [
      "routed gone dead 0",
      "routed kept pending 0",
    ]);
    assert.deepEqual((await bench.look(gone.id)).rows, [
      "outbound OB_GONE dead 0",
      "outbound OB_KEPT pending 0",
    ]);
    assert.equal((await bench.look(gone.id)).status, "routed");
    const ended = await bench.look(backingOff.id);
    assert.deepEqual([ended.status, ended.error], ["error", "destination removed"]);
    assert.equal(ended.events.at(-1), "dead OB_GONE");
    assert.equal((await bench.look(routed.id)).events.at(-1), "dead gone");
    assert.deepEqual(await bench.store.submit(sweep), { dead: 0 });
  });
}

function replay(bench: StoreBench, id: string): Promise<ReplayResult> {
  return bench.store.submit({ kind: "replay", id, at: bench.now });
}

function cancel(bench: StoreBench, scope: "all" | "top") {
  return bench.store.submit({ kind: "cancel", destination: "OB_A", scope, at: bench.now });
}

/** A message of three deliveries in lanes of their own, each brought into the wanted state. */
async function messageWith(
  bench: StoreBench,
  index: number,
  wanted: readonly State[],
): Promise<Held> {
  const held = await bench.receive();
  const lanes = wanted.map((_, row) => `OB_${index}_${row}`);
  await bench.handOff(held, { deliveries: lanes.map((lane) => delivery(lane)) });
  await Promise.all(wanted.map(async (state, row) => {
    const destination = lanes[row]!;
    if (state === "pending") return;
    if (state === "cancelled") {
      await bench.store.submit({ kind: "cancel", destination, scope: "all", at: bench.now });
      return;
    }
    const claimed = await bench.take("outbound", destination);
    if (state === "done") await bench.complete(claimed, destination);
    if (state === "dead") await bench.bury(claimed, destination);
  }));
  return held;
}
