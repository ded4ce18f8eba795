/**
 * Connections that go away under the store, at the worst moments: nothing is lost and nothing done
 * twice. The server is a stand-in; what the store does about it is its own.
 */
import assert from "node:assert/strict";
import { ConnectionLost } from "../../../src/store/server/connection_lost.ts";
import { SqlServerStore } from "../../../src/store/sqlserver/store.ts";
import { delivery, StoreBench } from "../../contract/store/bench.ts";
import { hasPostgres, PostgresServer } from "../../postgres/server.ts";
import { standIn } from "./stand_in.ts";
import { type Act, TdsServer } from "./tds_server.ts";
import { translatedBackend, translatedOptions } from "./translated.ts";

type Fault = "before" | "after";

interface Place {
  readonly bench: StoreBench;
  readonly tds: TdsServer;
  /** The next act of this kind ends its connection, before it takes place or after. */
  fail(act: Act, when: Fault): void;
}

function test(name: string, act: (place: Place) => Promise<void>): void {
  Deno.test({
    name,
    ignore: server === undefined,
    async fn() {
      let fault: { readonly act: Act; readonly when: Fault } | undefined;
      const inner = standIn(server!);
      await using tds = new TdsServer({
        async open(drop, login) {
          const session = await inner.open(drop, login);
          const failing = (one: Act, when: Fault) => {
            if (fault?.act !== one || fault.when !== when) return false;
            fault = undefined;
            drop();
            return true;
          };
          return {
            ask: (call, signal) => session.ask(call, signal),
            async act(one) {
              if (failing(one, "before")) throw new ConnectionLost();
              await session.act(one);
              failing(one, "after");
            },
            close: () => session.close?.(),
          };
        },
      });
      await using bench = await StoreBench.open(translatedBackend(server!, tds));
      await act({ bench, tds, fail: (one, when) => fault = { act: one, when } });
    },
  });
}

const server = hasPostgres() ? await PostgresServer.start() : undefined;
globalThis.addEventListener("unload", () => server?.kill());

for (const when of ["before", "after"] as const) {
  test(`a connection lost ${when} a commit: it took place once, whoever asked is told`, async (place) => {
    const { bench, fail } = place;
    await bench.queued(["OB_ONE"]);
    fail("commit", when);
    const { id, seqs } = await bench.queued(["OB_TWO"]);
    assert.equal(seqs.length, 1);
    const look = await bench.look(id);
    assert.deepEqual(look.rows, ["outbound OB_TWO pending 0"]);
    assert.deepEqual(look.events, ["received", "routed", "transformed"]);
    const { total } = await bench.store.messages({}, { limit: 10, offset: 0 });
    assert.equal(total, 2);
  });

  test(`a delivery whose commit's connection is lost ${when} it is counted once`, async (place) => {
    const { bench, fail } = place;
    const { id } = await bench.queued(["OB_ONE"]);
    const held = await bench.take("outbound", "OB_ONE");
    fail("commit", when);
    assert.deepEqual(await bench.complete(held, "OB_ONE"), { mine: true, nextClaimed: false });
    const { rows, events, status } = await bench.look(id);
    assert.deepEqual([status, rows], ["processed", ["outbound OB_ONE done 1"]]);
    assert.equal(events.filter((event) => event === "delivered OB_ONE").length, 1);
  });
}

test("a transaction that was not begun is begun over the next connection", async ({ bench, fail }) => {
  fail("begin", "before");
  const held = await bench.receive();
  await bench.handOff(held, { deliveries: [delivery("OB_ONE")] });
  assert.deepEqual((await bench.look(held.id)).rows, ["outbound OB_ONE pending 0"]);
});

test("reads find another connection when theirs is gone", async ({ bench, tds }) => {
  const { id } = await bench.queued(["OB_ONE"]);
  await bench.look(id);
  tds.drop();
  assert.equal((await bench.look(id)).status, "routed");
  await bench.queued(["OB_TWO"]);
});

test("a second engine is kept off the store, and comes in once the first has left", async ({ bench, tds }) => {
  await bench.queued(["OB_ONE"]);
  const { path } = bench.store;
  const options = translatedOptions(tds, path.slice(path.indexOf("/") + 1));
  const open = () => SqlServerStore.open({ server: options, poolSize: 2, now: () => bench.now });
  await assert.rejects(open(), { code: "store.locked" });
  await bench.store[Symbol.asyncDispose]();
  await using second = await open();
  assert.equal((await second.messages({}, { limit: 1, offset: 0 })).total, 1);
});

test("a node that does not lead claims nothing and resolves what it holds", async ({ bench }) => {
  const { id } = await bench.queued(["OB_ONE", "OB_TWO"]);
  const held = await bench.take("outbound", "OB_ONE");
  (bench.store as SqlServerStore).lead(undefined);
  assert.deepEqual((await bench.claim("outbound", "OB_TWO")).rows, []);
  assert.equal((await bench.complete(held, "OB_ONE")).mine, true);
  const { status, rows } = await bench.look(id);
  assert.deepEqual([status, rows], ["routed", [
    "outbound OB_ONE done 1",
    "outbound OB_TWO pending 0",
  ]]);
});
