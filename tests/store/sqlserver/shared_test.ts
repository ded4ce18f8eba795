// Goal: nodes of a cluster share one store: who does not lead claims nothing, each sees what another has
// done, and nobody waits for a node that is cut off. The server is a stand-in; what the store does about
// it is its own.
import assert from "node:assert/strict";
import { ensureTables } from "../../../src/cluster/sqlserver/tables.ts";
import type { ServerStoreOptions } from "../../../src/store/server/store.ts";
import { sqlserver } from "../../../src/store/sqlserver/dialect.ts";
import { statements } from "../../../src/store/sqlserver/statements.ts";
import { SqlServerStore } from "../../../src/store/sqlserver/store.ts";
import { FaultProxy } from "../../cluster/fault_proxy.ts";
import { until } from "../../connectors/waiting.ts";
import { delivery, StoreBench } from "../../contract/store/bench.ts";
import { hasPostgres, PostgresServer } from "../../postgres/server.ts";
import { standIn } from "./stand_in.ts";
import { TdsServer } from "./tds_server.ts";
import { translatedOptions } from "./translated.ts";

const server = hasPostgres() ? await PostgresServer.start() : undefined;
globalThis.addEventListener("unload", () => server?.kill());

let databases = 0;

class Place implements AsyncDisposable {
  readonly tds: TdsServer;
  readonly database = `shared_${databases += 1}`;

  constructor(script = standIn(server!)) {
    this.tds = new TdsServer(script);
  }

  options(parts: { readonly port?: number; readonly commandTimeoutMs?: number } = {}) {
    return { ...translatedOptions(this.tds, this.database), ...parts };
  }

  open(
    { port, commandTimeoutMs = 30_000, ...parts }: Partial<ServerStoreOptions> & {
      readonly port?: number;
      readonly commandTimeoutMs?: number;
    } = {},
  ): Promise<SqlServerStore> {
    const { port: own } = this.options();
    return SqlServerStore.open({
      server: this.options({ port: port ?? own, commandTimeoutMs }),
      ...{ poolSize: 2, isShared: true, now: () => 1 },
      ...parts,
    });
  }

  bench(parts: Parameters<Place["open"]>[0] = {}): Promise<StoreBench> {
    return StoreBench.open({
      name: "",
      open: (now) => this.open({ ...parts, now }),
      reopen: (_, now) => this.open({ ...parts, now }),
      remove: () => Promise.resolve(),
    });
  }

  /** A statement of an onlooker's, to PostgreSQL. */
  ask(text: string) {
    return server!.ask({ schema: this.database }, (it) => it.ask(text));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tds[Symbol.asyncDispose]();
  }
}

function test(name: string, act: () => Promise<void>): void {
  Deno.test({ name, ignore: server === undefined, fn: act });
}

test("several engines that open a new store at once make one schema, each with its epoch", async () => {
  await using place = new Place();
  const stores = await Promise.all(Array.from({ length: 4 }, () => place.open()));
  assert.equal(new Set(stores.map((store) => store.nextToken())).size, 4);
  await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
});

test("who does not lead claims nothing; what it received and sent is stored all the same", async () => {
  await using place = new Place();
  let closed = 0;
  await using bench = await place.bench({ onFenced: () => closed += 1 });
  const connection = await sqlserver.connect(place.options(), "writer");
  await ensureTables(connection, place.options());
  await connection.close();
  const lead = (epoch: number) => place.ask(`UPDATE leader_lease SET leader_epoch = ${epoch}`);
  const store = bench.store as SqlServerStore;
  await lead(1);
  store.lead(1);
  const held = await bench.receive();
  const { seqs: [seq] } = await bench.handOff(held, {
    deliveries: [delivery("OB_A", { token: store.nextToken() }), delivery("OB_A")],
  });
  const flying = await bench.receive();
  assert.equal(closed, 0);
  await lead(2);
  const late = await bench.receive();
  assert.equal(closed, 1, "told before the answer");
  assert.deepEqual((await bench.look(late.id)).rows, ["ingress IB_ADT pending 0"]);
  assert.deepEqual((await bench.claim("ingress", "IB_ADT")).rows, []);
  const { mine } = await bench.handOff(flying, {
    deliveries: [delivery("OB_B", { token: store.nextToken() })],
  });
  assert.equal(mine, true, "what is in flight is resolved");
  assert.deepEqual((await bench.look(flying.id)).rows, ["outbound OB_B pending 0"]);
  await assert.rejects(bench.purge("messages", bench.now + 1), { code: "store.not_leader" });

  // The next leader takes over what this one left in flight, and nothing of its own.
  await using other = await place.open({ now: () => bench.now });
  other.lead(2);
  const message = bench.message({ channel: "IB_OTHER" });
  await other.submit({ kind: "receive", message, token: other.nextToken() });
  assert.equal(await other.recoverOthers(bench.now), 1);
  assert.equal((await bench.complete({ ...held, seq: seq!, token: 1 }, "OB_A")).mine, false);
  const { rows } = await place.ask("SELECT count(*) AS n FROM queue WHERE status = 'inflight'");
  assert.deepEqual(rows, [{ n: 1 }]);
});

test("an act of another node is seen by the next commit of this one", async () => {
  await using place = new Place();
  await using bench = await place.bench();
  await using standby = await place.open();
  for (let round = 0; round < 3; round += 1) {
    const { id, seqs } = await bench.queued(["OB_A", "OB_B"]);
    const cancel = { kind: "cancel", destination: "OB_B", scope: "all", at: bench.now } as const;
    assert.equal((await standby.submit(cancel)).cancelled, 1);
    const claim = { kind: "claim_row", at: bench.now, seq: seqs[1]!, token: 9 } as const;
    assert.equal((await bench.store.submit(claim)).mine, false, "cancelled meanwhile");
    await bench.complete(await bench.take("outbound", "OB_A"), "OB_A");
    assert.deepEqual((await bench.look(id)).rows, [
      "outbound OB_A done 1",
      "outbound OB_B cancelled 0",
    ]);
  }
  assert.deepEqual(await bench.store.checkIntegrity(), { ok: true, detail: "ok" });
});

/** A store whose node is cut off right after it has taken the lock. */
async function cutOffInside(place: Place, proxy: FaultProxy): Promise<SqlServerStore> {
  const cut = await place.open({ port: proxy.port, commandTimeoutMs: 2_500 });
  const { heard } = place.tds;
  const before = heard.length;
  const message = {
    ...{ id: "a".repeat(32), channel: "IB_ADT", receivedAt: 1, sourceType: "mllp" },
    ...{ controlId: "C1", messageType: "ADT^A01", raw: "MSH|" },
  };
  proxy.latencyMs = 20;
  void cut.submit({ kind: "receive", message, token: undefined }).catch(() => {});
  const lock = statements.begin.replaceAll("mefor.", "");
  await until(() => heard.slice(before).includes(lock), "the lock");
  proxy.hold("to_database", "to_node");
  return cut;
}

test("a node that is cut off inside a transaction is not waited for", async () => {
  await using place = new Place();
  await using proxy = await FaultProxy.start(place.tds.port);
  const cut = await cutOffInside(place, proxy);
  const begunAt = performance.now();
  await using next = await place.open();
  assert.equal(await next.recoverOthers(2), 0);
  const tookMs = performance.now() - begunAt;
  assert.ok(tookMs < 5_000, `${tookMs} ms`);
  proxy.latencyMs = 0;
  proxy.release();
  // It finds its connection gone, and that nothing was stored; then it says it again.
  await cut[Symbol.asyncDispose]();
  assert.equal((await next.messages({}, { limit: 9, offset: 0 })).total, 1);
});

test("without the right to end it, it is waited for as long as a lock may take", async () => {
  await using place = new Place(standIn(server!, { seesOthers: false }));
  await using proxy = await FaultProxy.start(place.tds.port);
  const cut = await cutOffInside(place, proxy);
  await assert.rejects(place.open({ commandTimeoutMs: 2_500 }), { code: "store.busy" });
  place.tds.drop();
  proxy.release();
  await using next = await place.open();
  assert.equal(await next.recoverOthers(2), 0);
  await cut[Symbol.asyncDispose]();
});
