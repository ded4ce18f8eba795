/** T3 and T4, fused and split: dispositions, order, and all or nothing. */
import assert from "node:assert/strict";
import { stateKeyBytesMax } from "../../../src/authoring/effects.ts";
import type { NewDelivery } from "../../../src/store/intents.ts";
import {
  delivery,
  type HandOffParts,
  type Held,
  heldOf,
  notText,
  readdressed,
  type StoreBackend,
  StoreBench,
} from "./bench.ts";

interface DispositionCase {
  readonly title: string;
  readonly parts: HandOffParts;
  /** Disposition right after the handoff. */
  readonly first: string;
  /** Outcome of each delivery in turn, and the disposition after it. */
  readonly then?: readonly (readonly ["done" | "dead" | "cancelled", string])[];
  readonly events: readonly string[];
}

const failed = { handler: "broken", error: "TypeError: [redacted]" };
const remembered = { namespace: "last", key: "bed", value: '"7"' };

/** Spec pipeline-store-cluster §1.4 and §1.5 for the fused handoff. */
const fused: readonly DispositionCase[] = [
  {
    title: "no handler is UNROUTED",
    parts: { handlers: 0 },
    first: "unrouted",
    events: ["received", "unrouted"],
  },
  {
    title: "a handler that returns nothing is FILTERED",
    parts: { handlers: 1 },
    first: "filtered",
    events: ["received", "routed", "transformed"],
  },
  {
    title: "a handler that only sets state is FILTERED",
    parts: { handlers: 1, state: [remembered] },
    first: "filtered",
    events: ["received", "routed", "transformed"],
  },
  {
    title: "one delivery is PROCESSED once delivered",
    parts: { deliveries: [delivery("OB_A")] },
    first: "routed",
    then: [["done", "processed"]],
    events: ["received", "routed", "transformed", "delivered OB_A"],
  },
  {
    title: "one delivery given up is ERROR",
    parts: { deliveries: [delivery("OB_A")] },
    first: "routed",
    then: [["dead", "error"]],
    events: ["received", "routed", "transformed", "dead OB_A"],
  },
  {
    title: "a cancelled delivery is PROCESSED",
    parts: { deliveries: [delivery("OB_A")] },
    first: "routed",
    then: [["cancelled", "processed"]],
    events: ["received", "routed", "transformed", "cancelled OB_A"],
  },
  {
    title: "two deliveries are PROCESSED with the second",
    parts: { deliveries: [delivery("OB_A"), delivery("OB_B")] },
    first: "routed",
    then: [["done", "routed"], ["done", "processed"]],
    events: ["received", "routed", "transformed", "delivered OB_A", "delivered OB_B"],
  },
  {
    title: "a dead delivery makes ERROR whatever its siblings did",
    parts: { deliveries: [delivery("OB_A"), delivery("OB_B"), delivery("OB_C")] },
    first: "routed",
    then: [["dead", "routed"], ["cancelled", "routed"], ["done", "error"]],
    events: [
      "received",
      "routed",
      "transformed",
      "dead OB_A",
      "cancelled OB_B",
      "delivered OB_C",
    ],
  },
  {
    title: "the only handler failing is ERROR",
    parts: { failures: [failed] },
    first: "error",
    events: ["received", "routed", "dead broken"],
  },
  {
    title: "one handler failing beside one that filters is ERROR",
    parts: { handlers: 2, failures: [failed] },
    first: "error",
    events: ["received", "routed", "transformed", "dead broken"],
  },
  {
    title: "one handler failing beside one that delivers is ERROR once delivered",
    parts: { deliveries: [delivery("OB_A")], failures: [failed] },
    first: "routed",
    then: [["done", "error"]],
    events: ["received", "routed", "transformed", "dead broken", "delivered OB_A"],
  },
];

export function testHandOffs(backend: StoreBackend): void {
  const { name } = backend;

  // Goal: a message walks the whole way, each step durable, guarded and visible.
  Deno.test(`${name} carries a message from receive to processed`, async () => {
    await using bench = await StoreBench.open(backend);
    const held = await bench.receive({ raw: "MSH|^~\\&|A\r" });
    const token = bench.store.nextToken();
    const intent = bench.handOffIntent(held, {
      deliveries: [delivery("OB_B", { payload: "MSH|changed\r", token })],
      state: [{ namespace: "n", key: "k", value: "1" }],
    });
    const handedOff = await bench.store.submit(intent);
    assert.equal(handedOff.mine, true);
    const [seq] = handedOff.seqs;
    assert.ok(seq !== undefined && handedOff.seqs.length === 1);
    assert.deepEqual(await bench.store.submit(intent), { mine: false, seqs: [] });
    assert.deepEqual(await bench.look(held.id), {
      status: "routed",
      error: null,
      rows: ["outbound OB_B inflight 1"],
      events: ["received", "routed", "transformed"],
    });
    const done = await bench.complete({ ...held, seq, token }, "OB_B");
    assert.deepEqual(done, { mine: true, nextClaimed: false });
    const detail = await bench.store.message(held.id);
    assert.equal(detail?.status, "processed");
    assert.equal(detail?.raw, "MSH|^~\\&|A\r");
    assert.deepEqual(await bench.store.state(), [{ namespace: "n", key: "k", value: "1" }]);
    assert.deepEqual(await bench.store.outboundOf(held.id), [
      { seq, destination: "OB_B", status: "done", payload: "MSH|changed\r" },
    ]);
  });

  Deno.test(`${name} hand_off leads to the dispositions of the specification`, async (t) => {
    await using bench = await StoreBench.open(backend);
    for (const { title, parts, first, then = [], events } of fused) {
      await t.step(title, async () => {
        const held = await bench.receive();
        const { mine, seqs } = await bench.handOff(held, parts);
        assert.equal(mine, true);
        assert.equal(seqs.length, parts.deliveries?.length ?? 0);
        assert.equal((await bench.look(held.id)).status, first);
        await resolveInTurn(bench, held.id, parts.deliveries ?? [], then);
        const look = await bench.look(held.id);
        assert.deepEqual(look.events, events);
        assert.equal(look.error !== null, look.status === "error");
      });
    }
    assert.deepEqual(await bench.store.state(), [remembered]);
  });

  Deno.test(`${name} the durable split leads to the same dispositions`, async (t) => {
    await using bench = await StoreBench.open(backend);
    for (const { title, parts, first, then = [] } of fused) {
      await t.step(title, async () => {
        const held = await bench.receive();
        const { deliveries = [], failures = [], state = [] } = parts;
        const count = parts.handlers ?? Math.max(1, deliveries.length + failures.length);
        await splitHandOff(bench, held, { count, deliveries, failed: failures.length, state });
        assert.equal((await bench.look(held.id)).status, first);
        await resolveInTurn(bench, held.id, deliveries, then);
      });
    }
    assert.deepEqual(await bench.store.state(), [remembered]);
  });

  Deno.test(`${name} numbers produced rows in the order of handlers and sends`, async () => {
    await using bench = await StoreBench.open(backend);
    const fusedOne = await bench.receive();
    const deliveries = ["OB_C", "OB_A", "OB_B", "OB_A"].map((to) => delivery(to));
    const { seqs } = await bench.handOff(fusedOne, { deliveries });
    assert.deepEqual(seqs, seqs.toSorted((a, b) => a - b));
    assert.deepEqual((await bench.look(fusedOne.id)).rows, [
      "outbound OB_C pending 0",
      "outbound OB_A pending 0",
      "outbound OB_B pending 0",
      "outbound OB_A pending 0",
    ]);
    const splitOne = await bench.receive();
    const routed = await bench.store.submit({
      kind: "route_hand_off",
      at: bench.now,
      handlers: ["z", "a", "m"],
      ...splitOne,
    });
    assert.deepEqual(routed.seqs, routed.seqs.toSorted((a, b) => a - b));
    assert.deepEqual((await bench.look(splitOne.id)).rows, [
      "routed z pending 0",
      "routed a pending 0",
      "routed m pending 0",
    ]);
    const lane = await bench.lane("routed", splitOne.channel);
    assert.deepEqual(lane.map(({ handler }) => handler), ["z", "a", "m"]);
  });

  Deno.test(`${name} an outbound row has its own payload, or the message's body`, async () => {
    await using bench = await StoreBench.open(backend);
    const held = await bench.receive({ raw: "as received" });
    await bench.handOff(held, {
      deliveries: [
        delivery("OB_A"),
        delivery("OB_B", { payload: "changed" }),
        delivery("OB_C", { payload: "changed" }),
        delivery("OB_D", { payload: "" }),
      ],
    });
    const bodies = await Promise.all(
      ["OB_A", "OB_B", "OB_C", "OB_D"].map(async (to) => (await bench.claim("outbound", to)).rows),
    );
    assert.deepEqual(bodies.map(([row]) => row?.body), ["as received", "changed", "changed", ""]);
  });

  // Goal: a backend may keep payloads as changes of the message; nobody who reads one sees that.
  Deno.test(`${name} a payload that is mostly the message comes back as it was sent`, async () => {
    await using bench = await StoreBench.open(backend);
    const { raw } = bench.message();
    const odd = raw.replace("DOE", 'D\u0000\ud83d\ude00\u2028"\\OE');
    const sent = [
      readdressed(raw, "LAB"),
      readdressed(raw, "LAB"),
      raw.replace(/PID[^\r]*\r/, ""),
      `${raw}${raw}`,
      odd,
      '[0,20,"LAB"]',
    ];
    const held = await bench.receive({ raw });
    const deliveries = sent.map((payload, index) => delivery(`OB_${index}`, { payload }));
    const { seqs } = await bench.handOff(held, { deliveries });
    const read = async () => (await bench.store.outboundOf(held.id))!.map((row) => row.payload);
    assert.deepEqual(await read(), sent);
    await bench.reopen();
    assert.deepEqual(await read(), sent);
    for (const [index, payload] of sent.entries()) {
      const unordered = index % 2 === 1;
      const { rows: [row] } = await bench.claim("outbound", `OB_${index}`, { unordered });
      assert.deepEqual([row?.seq, row?.body], [seqs[index], payload]);
      await bench.bury(heldOf(row!), `OB_${index}`, "AR");
    }
    assert.equal(
      (await bench.store.submit({ kind: "replay", id: held.id, at: bench.now })).requeued,
      6,
    );
    for (const [index, payload] of sent.entries()) {
      assert.equal((await bench.claim("outbound", `OB_${index}`)).rows[0]?.body, payload);
    }
  });

  Deno.test(`${name} applies SetState in order, the last write of a key wins`, async () => {
    await using bench = await StoreBench.open(backend);
    const write = (key: string, value: string) => ({ namespace: "n", key, value });
    await bench.handOff(await bench.receive(), { state: [write("a", "1"), write("b", "2")] });
    await bench.handOff(await bench.receive(), { state: [write("a", "3"), write("a", "4\0")] });
    const state = await bench.store.state();
    const sorted = state.toSorted((x, y) => x.key < y.key ? -1 : 1);
    assert.deepEqual(sorted, [write("a", "4\0"), write("b", "2")]);
  });

  // Method: texts that do not compress, of characters that take three bytes each.
  Deno.test(`${name} keeps state under keys as long as an author may make them`, async () => {
    await using bench = await StoreBench.open(backend);
    const long = (seed: number) =>
      Array.from(
        { length: stateKeyBytesMax / 3 },
        (_, at) => String.fromCharCode(0x4e00 + (at * at * 7 + at * 131 + seed) % 20_000),
      ).join("");
    const written = [1, 2, 3].map((seed) => ({
      namespace: long(seed),
      key: long(seed * 1000),
      value: `${seed}`,
    }));
    await bench.handOff(await bench.receive(), { state: written });
    const state = await bench.store.state();
    assert.deepEqual(state.toSorted((x, y) => Number(x.value) - Number(y.value)), written);
  });

  // Goal: consumed row gone exactly when produced rows, state, status and events stand (I11).
  // Method: the last thing each handoff writes cannot be stored; the same handoff, mended, then
  // finds everything as it was, once its lane has counted its rows.
  Deno.test(`${name} a handoff that cannot be stored whole is not stored at all`, async () => {
    await using bench = await StoreBench.open(backend);
    let held = await bench.receive();
    const before = await bench.look(held.id);
    const good = { deliveries: [delivery("OB_A"), delivery("OB_B", { payload: "x" })] };
    const bad: readonly HandOffParts[] = [
      { deliveries: [...good.deliveries, delivery(notText())] },
      { ...good, state: [remembered, { namespace: "n", key: "k", value: notText() }] },
    ];
    for (const parts of bad) {
      await assert.rejects(bench.handOff(held, parts), { code: "store.failed" });
      assert.deepEqual(await bench.look(held.id), before);
      await bench.resync("ingress", "IB_ADT");
      held = await bench.take("ingress", "IB_ADT");
      assert.deepEqual(await bench.look(held.id), before);
    }
    await assert.rejects(
      bench.store.submit({
        kind: "route_hand_off",
        ...held,
        at: bench.now,
        handlers: ["a", "b"],
        channel: notText(),
      }),
      { code: "store.failed" },
    );
    assert.deepEqual(await bench.look(held.id), before);
    assert.deepEqual(await bench.store.state(), []);
    assert.deepEqual(await bench.lane("outbound", "OB_A"), []);
    assert.equal((await bench.handOff(held, good)).mine, true);

    const routed = await routedRow(bench, "h");
    const beforeTransform = await bench.look(routed.id);
    await assert.rejects(
      bench.store.submit({
        kind: "transform_hand_off",
        ...routed,
        at: bench.now,
        deliveries: good.deliveries,
        state: [remembered, { namespace: "n", key: "k", value: notText() }],
      }),
      { code: "store.failed" },
    );
    assert.deepEqual(await bench.look(routed.id), beforeTransform);
    assert.deepEqual(await bench.store.state(), []);
  });

  Deno.test(`${name} replaying a failed handler runs it alone, its siblings stand`, async () => {
    await using bench = await StoreBench.open(backend);
    const held = await bench.receive();
    await bench.handOff(held, { deliveries: [delivery("OB_A")], failures: [failed] });
    await bench.complete(await bench.take("outbound", "OB_A"), "OB_A");
    assert.equal((await bench.look(held.id)).status, "error");

    const replay = await bench.store.submit({ kind: "replay", id: held.id, at: bench.now });
    const lanes = [{ stage: "routed", lane: "IB_ADT" }];
    assert.deepEqual(replay, { found: true, requeued: 1, bodyPurged: false, lanes, edges: [] });
    const look = await bench.look(held.id);
    assert.deepEqual([look.status, look.error], ["received", null]);
    assert.deepEqual(look.rows, ["outbound OB_A done 1", "routed broken pending 0"]);

    const rerun = await bench.claim("routed", "IB_ADT");
    assert.equal(rerun.rows[0]?.handler, "broken");
    await transform(bench, heldOf(rerun.rows[0]!), [delivery("OB_B")]);
    await bench.complete(await bench.take("outbound", "OB_B"), "OB_B");
    const after = await bench.look(held.id);
    assert.equal(after.status, "processed");
    assert.deepEqual(after.rows, ["outbound OB_A done 1", "outbound OB_B done 1"]);
  });

  // A replay sets RECEIVED; a finalizer that knew only ROUTED would leave the message so for ever.
  Deno.test(`${name} a replayed handler that now returns nothing ends FILTERED`, async () => {
    await using bench = await StoreBench.open(backend);
    const held = await bench.receive();
    await bench.handOff(held, { failures: [failed] });
    await bench.store.submit({ kind: "replay", id: held.id, at: bench.now });
    assert.equal((await bench.look(held.id)).status, "received");
    await transform(bench, await bench.take("routed", "IB_ADT"), []);
    const { status, rows } = await bench.look(held.id);
    assert.deepEqual([status, rows], ["filtered", []]);
  });
}

/** Resolves the deliveries one by one, holding the disposition after each against the table. */
async function resolveInTurn(
  bench: StoreBench,
  id: string,
  deliveries: readonly NewDelivery[],
  outcomes: NonNullable<DispositionCase["then"]>,
): Promise<void> {
  for (const [index, [outcome, disposition]] of outcomes.entries()) {
    const { destination } = deliveries[index]!;
    if (outcome === "cancelled") {
      const cancel = { kind: "cancel", destination, scope: "all", at: bench.now } as const;
      assert.equal((await bench.store.submit(cancel)).cancelled, 1);
    } else {
      const held = await bench.take("outbound", destination);
      const { mine } = outcome === "done"
        ? await bench.complete(held, destination)
        : await bench.bury(held, destination);
      assert.equal(mine, true);
    }
    assert.equal((await bench.look(id)).status, disposition, `after ${destination} ${outcome}`);
  }
}

interface SplitParts {
  /** Handlers the router chose: those that deliver, then those that fail, the rest filter. */
  readonly count: number;
  readonly deliveries: readonly NewDelivery[];
  readonly failed: number;
  readonly state: readonly typeof remembered[];
}

/** The same outcome over the durable split: T3, then a T4 or T7 a handler. */
async function splitHandOff(bench: StoreBench, held: Held, parts: SplitParts): Promise<void> {
  const handlers = Array.from({ length: parts.count }, (_, index) => `h${index}`);
  const route = { kind: "route_hand_off", ...held, at: bench.now, handlers } as const;
  const { mine, seqs } = await bench.store.submit(route);
  assert.equal(mine, true);
  assert.equal(seqs.length, parts.count);
  assert.deepEqual(await bench.store.submit(route), { mine: false, seqs: [] });
  const { deliveries } = parts;
  for (const index of handlers.keys()) {
    const row = await bench.take("routed", held.channel);
    if (index < deliveries.length) await transform(bench, row, [deliveries[index]!], parts.state);
    else if (index < deliveries.length + parts.failed) await bench.bury(row, `h${index}`);
    else await transform(bench, row, [], parts.state);
  }
}

async function transform(
  bench: StoreBench,
  row: Held,
  deliveries: readonly NewDelivery[],
  state: SplitParts["state"] = [],
): Promise<void> {
  const intent = { kind: "transform_hand_off", ...row, at: bench.now, deliveries, state } as const;
  const { mine, seqs } = await bench.store.submit(intent);
  assert.equal(mine, true);
  assert.equal(seqs.length, deliveries.length);
  assert.deepEqual(await bench.store.submit(intent), { mine: false, seqs: [] });
}

/** A routed row in flight. */
async function routedRow(bench: StoreBench, handler: string): Promise<Held> {
  const held = await bench.receive();
  const handlers = [handler];
  await bench.store.submit({ kind: "route_hand_off", ...held, at: bench.now, handlers });
  return bench.take("routed", held.channel);
}
