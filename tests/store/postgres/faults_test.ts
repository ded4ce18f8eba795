// Goal: whatever happens between writer and server, an answer says what the rows say: nothing that
// was answered is lost, nothing is written twice, nothing is invented (I3, I8, I9).
import assert from "node:assert/strict";
import type { PostgresStore } from "../../../src/store/postgres/store.ts";
import { delivery, StoreBench } from "../../contract/store/bench.ts";
import { pause } from "../../connectors/waiting.ts";
import { openStore, postgresBackend } from "./bench.ts";
import { CuttingProxy } from "./proxy.ts";
import { hasPostgres, PostgresServer } from "../../postgres/server.ts";

const isHere = hasPostgres();
const server = isHere ? await PostgresServer.start() : undefined;
if (server !== undefined) globalThis.addEventListener("unload", () => server.kill());

function test(name: string, act: (server: PostgresServer) => Promise<void>): void {
  Deno.test({ name, ignore: !isHere, fn: () => act(server!) });
}

function benchBehind(proxy: CuttingProxy, to: PostgresServer): Promise<StoreBench> {
  const { port } = proxy;
  return StoreBench.open({
    ...postgresBackend(to),
    open: async (now) => {
      const place = { ...to.options(), port };
      return openStore(place, { now });
    },
    remove: async () => {},
  });
}

test("a commit that the server never heard of is made again, once", async (server) => {
  await using proxy = await CuttingProxy.start(server.port);
  await using bench = await benchBehind(proxy, server);
  for (let round = 1; round <= 5; round += 1) {
    proxy.cutNext("before_commit");
    const { id, seq } = await bench.receiveCold();
    assert.equal(proxy.cuts, round);
    assert.deepEqual((await bench.look(id)).rows, ["ingress IB_ADT pending 0"]);
    assert.equal((await bench.lane("ingress", "IB_ADT")).at(-1)?.seq, seq);
  }
  assert.equal((await bench.store.totals()).messages, 5);
  assert.deepEqual(await bench.store.checkIntegrity(), { ok: true, detail: "ok" });
});

test("a commit whose answer was lost is looked up, and answered as what it was", async (server) => {
  await using proxy = await CuttingProxy.start(server.port);
  await using bench = await benchBehind(proxy, server);
  for (let round = 1; round <= 5; round += 1) {
    proxy.cutNext("after_commit");
    const held = await bench.receive();
    assert.equal(proxy.cuts, 3 * round - 2);
    proxy.cutNext("after_commit");
    const { mine, seqs } = await bench.handOff(held, { deliveries: [delivery("OB_A")] });
    assert.deepEqual([mine, seqs.length], [true, 1]);
    proxy.cutNext("after_commit");
    const head = await bench.take("outbound", "OB_A");
    assert.equal((await bench.complete(head, "OB_A")).mine, true);
    const look = await bench.look(held.id);
    assert.deepEqual([look.status, look.rows], ["processed", ["outbound OB_A done 1"]]);
    assert.deepEqual(look.events, ["received", "routed", "transformed", "delivered OB_A"]);
  }
  assert.equal((await bench.store.totals()).messages, 5);
  assert.deepEqual(await bench.store.checkIntegrity(), { ok: true, detail: "ok" });
});

test("a lost answer of a register's change leaves one audit row", async (server) => {
  await using proxy = await CuttingProxy.start(server.port);
  await using bench = await benchBehind(proxy, server);
  const audit = [{ at: 1, actor: "ann", action: "test", channel: null, detail: null }];
  for (const cut of ["after_commit", "before_commit", "after_commit"] as const) {
    proxy.cutNext(cut);
    const { applied } = await bench.store.submit({ kind: "register", changes: [], audit });
    assert.ok(applied);
  }
  assert.equal((await bench.store.register("auditCount"))[0]?.total, 3);
});

// I9: while nobody can tell whether it took place, nobody is told that it did.
test("a commit in doubt fails when the server stays away, and is there once at most", async (server) => {
  await using proxy = await CuttingProxy.start(server.port);
  const options = { ...server.options({ connectTimeoutMs: 500 }), port: proxy.port };
  await using store = await openStore(options, { patienceMs: 300 });
  const message = messageOf("a");
  proxy.cutNext("after_commit_and_closed");
  await assert.rejects(store.submit({ kind: "receive", message, token: undefined }), {
    code: "store.unavailable",
  });
  // At once: whoever waits for a server that is away waits for nothing.
  const start = performance.now();
  const other = { kind: "receive", message: messageOf("b"), token: undefined } as const;
  await assert.rejects(store.submit(other), { code: "store.unavailable" });
  assert.ok(performance.now() - start < 2_000);
  proxy.open();
  const done = await untilStored(store, messageOf("c"));
  assert.ok(done > 0);
  const { messages } = await store.messages({}, { limit: 9, offset: 0 });
  assert.deepEqual(messages.map(({ id }) => id[0]), ["c", "a"]);
});

test("a server that says nothing any more is given up, and found again", async (server) => {
  await using proxy = await CuttingProxy.start(server.port);
  const place = server.options({ connectTimeoutMs: 500, commandTimeoutMs: 500 });
  await using store = await openStore({ ...place, port: proxy.port }, { patienceMs: 100 });
  proxy.stall();
  const message = messageOf("a");
  await assert.rejects(store.submit({ kind: "receive", message, token: undefined }), {
    code: "store.unavailable",
  });
  proxy.open();
  await untilStored(store, messageOf("b"));
  const { messages } = await store.messages({}, { limit: 9, offset: 0 });
  assert.deepEqual(messages.map(({ id }) => id[0]), ["b"]);
});

// Goal: sessions that an administrator ends cost nobody an answer.
// Method: every connection of the engine is ended again and again under a stream of messages.
test("terminated backends are invisible to who submits", async (server) => {
  await using bench = await StoreBench.open(postgresBackend(server));
  let isDone = false;
  const ending = (async () => {
    while (!isDone) {
      await server.ask(
        { schema: undefined },
        (it) =>
          it.ask(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE application_name = 'messagefoundry' AND pid <> pg_backend_pid()`),
      );
      await pause(60);
    }
  })();
  const made: { id: string; seq: number }[] = [];
  for (let round = 0; round < 40; round += 1) {
    made.push(...await Promise.all(Array.from({ length: 10 }, () => bench.receiveCold())));
    await pause(10);
  }
  isDone = true;
  await ending;
  const lane = await bench.lane("ingress", "IB_ADT");
  assert.deepEqual(lane.map(({ seq }) => seq), made.map(({ seq }) => seq));
  assert.deepEqual(lane.map(({ messageId }) => messageId), made.map(({ id }) => id));
  const { total } = await bench.store.messages({}, { limit: 1, offset: 0 });
  assert.equal(total, 400);
});

for (const signal of ["SIGINT", "SIGKILL"] as const) {
  // I1, I8 of the server: what was answered is there after its restart or crash.
  test(`a server that ends by ${signal} and comes back loses nothing that was answered`, async () => {
    await using own = await PostgresServer.start();
    await using store = await openStore(own.options({ connectTimeoutMs: 500 }), {
      patienceMs: 200,
    });
    const answered = new Set<string>();
    let isDone = false;
    const sending = Array.from({ length: 4 }, async (_, task) => {
      for (let n = 0; !isDone; n += 1) {
        const message = messageOf(`${task}`, n);
        try {
          await store.submit({ kind: "receive", message, token: undefined });
          answered.add(message.id);
        } catch (thrown) {
          assert.match((thrown as { code: string }).code, /^store\.(unavailable|busy)$/);
          await pause(20);
        }
      }
    });
    for (let round = 0; round < 2; round += 1) {
      await pause(300);
      const before = answered.size;
      await own.down(signal);
      await pause(300);
      await own.up();
      const deadline = performance.now() + 15_000;
      while (answered.size < before + 50 && performance.now() < deadline) await pause(20);
      assert.ok(answered.size >= before + 50, "it went on by itself");
    }
    isDone = true;
    await Promise.all(sending);
    const { messages, total } = await store.messages({}, { limit: 100_000, offset: 0 });
    const stored = messages.map(({ id }) => id);
    assert.equal(new Set(stored).size, stored.length, "none twice");
    assert.equal(total, stored.length);
    for (const id of answered) assert.ok(stored.includes(id), `${id} was answered`);
    assert.deepEqual(await store.checkIntegrity(), { ok: true, detail: "ok" });
  });
}

test("a second engine is refused while the first one holds the store, and not after", async (server) => {
  const options = server.options();
  {
    await using _first = await openStore(options);
    await assert.rejects(openStore(options), { code: "store.locked" });
  }
  await using _second = await openStore(options);
  await using _shared = await openStore(options, { isShared: true });
});

function messageOf(mark: string, n = 0) {
  return {
    id: `${mark}${n.toString(16).padStart(31, "0")}`,
    channel: "IB",
    receivedAt: 1,
    sourceType: "mllp",
    controlId: undefined,
    messageType: undefined,
    raw: "MSH|",
  };
}

/** Submits until it is stored; returns how often it took. */
async function untilStored(
  store: PostgresStore,
  message: ReturnType<typeof messageOf>,
): Promise<number> {
  const deadline = performance.now() + 15_000;
  for (let tries = 1;; tries += 1) {
    try {
      await store.submit({ kind: "receive", message, token: undefined });
      return tries;
    } catch (thrown) {
      if (performance.now() > deadline) throw thrown;
      await pause(50);
    }
  }
}
