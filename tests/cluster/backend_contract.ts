/**
 * What a cluster needs of its database, whichever it is: the lease's algebra on the database's clock,
 * nodes, configuration and acts. Source: spec pipeline-store-cluster §7.2, §7.8, I60.
 */
import assert from "node:assert/strict";
import type { ClusterBackend, News } from "../../src/cluster/cluster.ts";
import { type Ask, NO_EPOCH } from "../../src/cluster/lease.ts";
import { openBackend } from "../../src/cluster/open.ts";
import type { ServerBackend } from "../../src/store/open.ts";
import type { ServerOptions } from "../../src/store/server/dialect.ts";
import { pause } from "../connectors/waiting.ts";

export interface BackendPlace {
  /** Ends every test's name. */
  readonly name: string;
  readonly backend: ServerBackend;
  /** A schema nobody used before; removed at the end. */
  open(): { readonly options: ServerOptions } & Partial<AsyncDisposable>;
}

const TTL_MS = 600;
const BEYOND_MS = TTL_MS + 100;
const never = new AbortController().signal;

const silent: News = {
  leaseReleased: () => {},
  configMoved: () => {},
  actNoted: () => {},
  connected: () => {},
  lost: () => {},
};

/** Nodes over one schema. */
class Bench implements AsyncDisposable {
  readonly #backend: ServerBackend;
  readonly #schema: ReturnType<BackendPlace["open"]>;
  readonly #nodes = new AsyncDisposableStack();

  constructor({ backend, open }: BackendPlace) {
    this.#backend = backend;
    this.#schema = open();
  }

  async node(
    nodeId: string,
    { incarnation = `of-${nodeId}`, ttlMs = TTL_MS, knowsHost = true } = {},
  ): Promise<Node> {
    const backend = await openBackend(this.#backend, {
      ...{ server: this.#schema.options, me: { nodeId, incarnation }, pid: 4_711, news: silent },
      host: knowsHost ? "here" : undefined,
      // Of the lease itself: an ask may take as long as it does on a busy machine.
      timings: { heartbeatMs: ttlMs - 40_000, fenceMs: ttlMs - 20_000, ttlMs },
      nodeTimeoutMs: BEYOND_MS,
    });
    return new Node(this.#nodes.use(backend));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#nodes.disposeAsync();
    await this.#schema[Symbol.asyncDispose]?.();
  }
}

class Node {
  readonly store: ClusterBackend["store"];
  readonly #backend: ClusterBackend;

  constructor(backend: ClusterBackend) {
    this.#backend = backend;
    this.store = backend.store;
  }

  ask(ask: Ask) {
    return this.#backend.lease.ask(ask, never);
  }

  acquire(expectedEpoch: number) {
    return this.ask({ kind: "acquire", expectedEpoch });
  }

  /** `granted`, who holds it, and its epoch. */
  async told(kind: "acquire" | "renew" | "release", epoch: number) {
    const ask: Ask = kind === "acquire" ? { kind, expectedEpoch: epoch } : { kind, epoch };
    const { granted, view } = await this.ask(ask);
    return [granted, view.holder?.nodeId, view.epoch] as const;
  }

  beat(isLeader = false, epoch = 0) {
    return this.store.beat({ isLeader, epoch });
  }
}

export function testBackend(place: BackendPlace): void {
  const test = (name: string, act: (bench: Bench) => Promise<void>) =>
    Deno.test(`${name}, over ${place.name}`, async () => {
      await using bench = new Bench(place);
      await act(bench);
    });

  test("a lease that runs is its holder's alone, and an epoch counts its holders", async (bench) => {
    const a = await bench.node("a", { ttlMs: 60_000 });
    const b = await bench.node("b");
    const { granted, view } = await a.acquire(NO_EPOCH);
    assert.deepEqual([granted, view.holder, view.epoch], [false, undefined, 0]);
    assert.ok(view.remainingMs <= 0);

    assert.deepEqual(await a.told("acquire", 0), [true, "a", 1]);
    const seen = await b.acquire(NO_EPOCH);
    assert.deepEqual(seen.view.holder, { nodeId: "a", incarnation: "of-a" });
    assert.ok(seen.view.remainingMs > 50_000 && seen.view.remainingMs <= 60_000);
    assert.deepEqual(await b.told("acquire", 1), [false, "a", 1]);
    // A copy that the network delivers late.
    assert.deepEqual(await a.told("acquire", 0), [false, "a", 1]);
    assert.deepEqual(await b.told("renew", 1), [false, "a", 1]);
    assert.deepEqual(await b.told("release", 1), [false, "a", 1]);
    assert.deepEqual(await a.told("renew", 2), [false, "a", 1]);
    // Mine, though the answer to the first ask was lost.
    assert.deepEqual(await a.told("acquire", 1), [true, "a", 2]);
  });

  test("a lease that has ended goes to another, or on with who has it", async (bench) => {
    const a = await bench.node("a");
    const b = await bench.node("b");
    assert.deepEqual(await a.told("acquire", 0), [true, "a", 1]);
    await pause(BEYOND_MS);
    assert.deepEqual(await a.told("renew", 1), [true, "a", 1], "nobody took it");
    await pause(BEYOND_MS);
    assert.deepEqual(await b.told("acquire", 1), [true, "b", 2]);
    assert.deepEqual(await a.told("renew", 1), [false, "b", 2]);
    assert.deepEqual(await a.told("release", 1), [false, "b", 2]);
    assert.deepEqual(await a.told("acquire", 1), [false, "b", 2]);
  });

  test("a lease that is given back can be had at once, and not be renewed", async (bench) => {
    const a = await bench.node("a", { ttlMs: 60_000 });
    const b = await bench.node("b", { ttlMs: 60_000 });
    await a.acquire(0);
    const { granted, view } = await a.ask({ kind: "release", epoch: 1 });
    assert.deepEqual([granted, view.holder, view.epoch], [true, undefined, 1]);
    assert.ok(view.remainingMs <= 0);
    assert.deepEqual(await b.store.lease(), { owner: "a", expiresAt: 0, epoch: 1 });
    assert.deepEqual(await a.told("renew", 1), [false, undefined, 1]);
    assert.deepEqual(await b.told("acquire", 1), [true, "b", 2]);
    const { owner, expiresAt, epoch } = await a.store.lease();
    assert.deepEqual([owner, epoch], ["b", 2]);
    const inMs = expiresAt / 1_000 - Date.now();
    assert.ok(inMs > 30_000 && inMs < 90_000, `${inMs} ms`);
  });

  test("of many who ask at one moment one gets it, also of two with one name", async (bench) => {
    const nodes = await Promise.all(
      Array.from(
        { length: 6 },
        (_, at) => bench.node(`n${at >> 1}`, { incarnation: `${at}`, ttlMs: 60_000 }),
      ),
    );
    for (const epoch of [0, 1]) {
      const answers = await Promise.all(nodes.map((node) => node.acquire(epoch)));
      const holders = nodes.filter((_, at) => answers[at]!.granted);
      assert.equal(holders.length, 1);
      assert.deepEqual(await holders[0]!.told("release", epoch + 1), [
        true,
        undefined,
        epoch + 1,
      ]);
    }
  });

  test("nodes say that they live, leave a tombstone, and are forgotten", async (bench) => {
    const a = await bench.node("a", { knowsHost: false });
    const b = await bench.node("b");
    const { databaseMs, ...answer } = await a.beat(true, 3);
    assert.deepEqual(answer, {
      ...{ configVersion: 0, graph: undefined, isMine: true, hasActs: false },
    });
    // The database's clock is this machine's.
    assert.ok(Math.abs(databaseMs - Date.now()) < 10_000, `${databaseMs - Date.now()} ms`);
    await b.beat();
    const [first, second] = await a.store.nodes();
    const { startedAt, lastSeen, silentMs, host, ...said } = first!;
    assert.deepEqual(said, {
      ...{ nodeId: "a", pid: 4_711, status: "active", isLeader: true, epoch: 3 },
    });
    assert.match(host, /^(local|<local machine>|\d+\.\d+\.\d+\.\d+|.*:.*)$/);
    assert.deepEqual([second!.nodeId, second!.host, second!.isLeader], ["b", "here", false]);
    assert.ok(Math.abs(lastSeen / 1_000 - Date.now()) < 60_000);
    assert.ok(startedAt <= lastSeen && silentMs >= 0 && silentMs < 60_000);

    await pause(20);
    await a.beat();
    await b.store.leave();
    const [again, gone] = await b.store.nodes();
    assert.deepEqual([again!.startedAt, again!.isLeader], [startedAt, false]);
    assert.ok(again!.lastSeen > lastSeen);
    assert.deepEqual([gone!.status, gone!.isLeader], ["left", false]);

    await pause(BEYOND_MS);
    await a.beat();
    await a.store.forgetNodes(BEYOND_MS);
    assert.deepEqual((await a.store.nodes()).map(({ nodeId }) => nodeId), ["a"]);
  });

  test("a name is its process's while that lives; who leads takes it all the same", async (bench) => {
    const first = await bench.node("same", { incarnation: "1" });
    const second = await bench.node("same", { incarnation: "2" });
    assert.equal((await first.beat()).isMine, true);
    assert.equal((await second.beat()).isMine, false);
    const [row] = await first.store.nodes();
    await second.store.leave();
    assert.equal((await first.store.nodes())[0]!.status, "active");
    assert.equal((await second.beat(true, 1)).isMine, true);
    assert.equal((await first.beat()).isMine, false);
    assert.ok((await first.store.nodes())[0]!.startedAt > row!.startedAt);
    await pause(BEYOND_MS);
    assert.equal((await first.beat()).isMine, true, "the other is silent");
    await first.store.leave();
    assert.equal((await second.beat()).isMine, true, "the other has left");
  });

  test("a configuration has the next number, and the graph of who leads", async (bench) => {
    const a = await bench.node("a", { ttlMs: 60_000 });
    const b = await bench.node("b");
    const numbers = await Promise.all([a, b, a, b].map(({ store }) => store.bumpConfig()));
    assert.deepEqual(numbers.toSorted(), [1, 2, 3, 4]);
    await a.acquire(0);
    await a.store.noteGraph("f00d", 1);
    await b.store.noteGraph("beef", 0);
    const { configVersion, graph } = await b.beat();
    assert.deepEqual([configVersion, graph], [4, "f00d"]);
  });

  test("word for the leader is taken by who leads, once, in order", async (bench) => {
    const a = await bench.node("a", { ttlMs: 60_000 });
    const b = await bench.node("b");
    await a.acquire(0);
    const long = JSON.stringify({ lanes: ["OB_MÜLLER ".repeat(900)] });
    for (const act of ["first", long, "third "]) await b.store.noteAct(act);
    assert.equal((await a.beat(true, 1)).hasActs, true);
    assert.deepEqual(await b.store.takeActs(0), []);
    const taken = await Promise.all([a.store.takeActs(1), a.store.takeActs(1)]);
    assert.deepEqual(taken.flat(), ["first", long, "third "]);
    assert.equal((await a.beat(true, 1)).hasActs, false);
  });

  test("nodes that come at one moment make the tables once", async (bench) => {
    const nodes = await Promise.all(["a", "b", "c", "d"].map((name) => bench.node(name)));
    await Promise.all(nodes.map((node) => node.beat()));
    assert.equal((await nodes[0]!.store.nodes()).length, 4);
    assert.equal((await nodes[0]!.store.lease()).epoch, 0);
  });
}
