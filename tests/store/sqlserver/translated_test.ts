/**
 * A day of a store in SQL Server, on its own statements: they go out over TDS and are translated for
 * PostgreSQL. Each of them is said at least once; `deno task proof:sqlserver` runs the whole store
 * contract so.
 */
import assert from "node:assert/strict";
import { verifyServerAudit } from "../../../src/audit/mod.ts";
import type { QueryName } from "../../../src/store/query_names.ts";
import { registerChanges, registerQueries } from "../../../src/store/registers/mod.ts";
import { openServerAuditRows } from "../../../src/store/server/audit_rows.ts";
import { checkNames, statementNames } from "../../../src/store/server/statement_names.ts";
import { sqlserver } from "../../../src/store/sqlserver/dialect.ts";
import { SqlServerStore } from "../../../src/store/sqlserver/store.ts";
import { inSchema } from "../../../src/store/sqlserver/words.ts";
import { delivery, readdressed, StoreBench } from "../../contract/store/bench.ts";
import { changeValues, queryValues } from "../../contract/store/registers.ts";
import { hasPostgres, PostgresServer } from "../../postgres/server.ts";
import { testKeys } from "../ciphers.ts";
import { standIn } from "./stand_in.ts";
import { TdsServer } from "./tds_server.ts";
import { translatedOptions } from "./translated.ts";

Deno.test({
  name: "every statement of the SQL Server store is said and means what it should",
  ignore: !hasPostgres(),
  async fn() {
    await using behind = await PostgresServer.start();
    await using tds = new TdsServer(standIn(behind));
    const server = translatedOptions(tds, "day");
    const open = (now: () => number) =>
      SqlServerStore.open({ server, poolSize: 2, now, keys: testKeys });
    {
      await using bench = await StoreBench.open({
        ...{ name: "day", open, remove: () => Promise.resolve() },
        reopen: (_closed, now) => open(now),
      });
      await deliveries(bench);
      await operators(bench);
      await reads(bench);
      await registers(bench);
      // A lost connection, and a start over what an earlier one left in flight.
      await bench.receive();
      tds.drop();
      await bench.queued(["OB_LATE"]);
      await bench.reopen();
      assert.equal(bench.store.recovered, 1);
      await retention(bench);
      assert.deepEqual(await bench.store.checkIntegrity(), { ok: true, detail: "ok" });
    }
    await using log = await openServerAuditRows(sqlserver, server, testKeys);
    const { ok, rows } = await verifyServerAudit(log.rows(), log.key);
    assert.deepEqual([ok, rows], [true, 2]);
    assert.deepEqual(unsaid(tds.heard), []);
  },
});

/** Claims in order and out of it, retries, answers, state, and giving up. */
async function deliveries(bench: StoreBench): Promise<void> {
  const { store } = bench;
  const held = await bench.receive();
  const state = [{ namespace: "seen", key: "4711", value: "once" }];
  const names = ["OB_A", "OB_B", "OB_B"];
  await bench.handOff(held, { deliveries: names.map((name) => delivery(name)), state });
  const again = await bench.receive();
  await bench.handOff(again, { state: [{ ...state[0]!, value: "twice" }] });
  assert.deepEqual(await store.state(), [{ ...state[0]!, value: "twice" }]);
  await bench.retry(await bench.take("outbound", "OB_A"), "OB_A", bench.now + 1);
  assert.equal((await bench.claim("outbound", "OB_A")).dueAt, bench.now + 1);
  bench.passSeconds(1);
  const { seq, token, messageSeq } = await bench.take("outbound", "OB_A");
  const answer = await store.submit({
    ...{ kind: "complete_with_response", at: bench.now, seq, token, messageSeq },
    ...{ destination: "OB_A", next: undefined },
    response: {
      ...{ outcome: "accepted", detail: "fine", body: "MSA|AA" },
      reingress: { lane: "LOOP", token: undefined },
    },
  });
  assert.deepEqual([answer.mine, answer.responseSeq], [true, 1]);
  assert.deepEqual((await bench.lane("response", "LOOP"))[0]?.answer, {
    seq: 1,
    outcome: "accepted",
  });
  const due = await bench.claim("outbound", "OB_B", { unordered: true, limit: 1 });
  assert.deepEqual([due.rows.length, due.drained], [1, false]);
  assert.equal(await bench.resync("outbound", "OB_B"), 2);
  await store.submit({ kind: "note_event", id: held.id, event: "viewed", at: bench.now });
  const opened = {
    ...{ at: bench.now, connection: "IB", transport: "mllp", direction: "inbound" as const },
    ...{ event: "opened", peer: undefined, reason: undefined },
  } as const;
  await store.submit({ kind: "connection_events", events: [opened] });
}

/** Replays, cancels and sweeps. */
async function operators(bench: StoreBench): Promise<void> {
  const { store } = bench;
  const { id } = await bench.queued(["OB_C", "OB_D"]);
  await bench.bury(await bench.take("outbound", "OB_C"), "OB_C");
  const dead = { kind: "replay_dead", channel: undefined, destination: "OB_C" } as const;
  assert.equal((await store.submit({ ...dead, at: bench.now })).requeued, 1);
  await bench.complete(await bench.take("outbound", "OB_C"), "OB_C");
  await bench.complete(await bench.take("outbound", "OB_D"), "OB_D");
  assert.equal((await bench.look(id)).status, "processed");
  assert.equal((await store.submit({ kind: "replay", id, at: bench.now })).requeued, 2);
  const cancel = { kind: "cancel", at: bench.now } as const;
  const top = await store.submit({
    ...cancel,
    ...{ destination: "OB_C", scope: "top", limit: undefined },
  });
  const all = await store.submit({
    ...cancel,
    ...{ destination: "OB_D", scope: "all", limit: undefined },
  });
  assert.deepEqual([top.cancelled, all.cancelled], [1, 1]);
  await bench.queued(["OB_GONE"]);
  const destinations = ["OB_A", "OB_B", "OB_C", "OB_D"];
  const swept = { kind: "sweep_missing", destinations, handlers: [], at: bench.now } as const;
  assert.deepEqual(await store.submit(swept), { dead: 1 });
}

/** What people look at; each read finds by every filter it has. */
async function reads({ store }: StoreBench): Promise<void> {
  const page = { limit: 9, offset: 0 };
  const { total, messages: [first] } = await store.messages({}, page);
  assert.equal(total, 4);
  const { channel, controlId, id, status } = first!;
  const channels = [channel];
  const filters = [
    ...[{ channel }, { channels }, { channels, messageType: "ADT^A01" }, { controlId: controlId! }],
    ...[{ controlId: controlId!, channel }, { messageType: "ADT^A01" }, { status }, {
      channel,
      status,
    }],
    ...[{ status: "processed" }],
  ];
  for (const filter of filters) {
    const found = await store.messages(filter, page);
    assert.equal(found.messages.length, found.total, JSON.stringify(filter));
    assert.ok(found.total > 0, JSON.stringify(filter));
  }
  assert.deepEqual((await store.messages({ controlId: `${controlId} ` }, page)).total, 0);
  assert.equal((await store.messageBodies({}, { before: undefined, limit: 9 })).length, 4);
  const listed = (await store.messages({}, page)).messages;
  const held = listed.filter(({ hasBody }) => hasBody).map(({ seq }) => seq);
  assert.equal((await store.bodiesOf(held, 100_000)).size, held.length);
  assert.equal((await store.outboundOf(id))?.length, 1);
  const all = await Promise.all(
    (await store.messages({}, page)).messages.map(({ id }) => store.responsesOf(id)),
  );
  assert.deepEqual(all.flat().map(({ body }) => body), ["MSA|AA"]);
  assert.equal((await store.deadLetters({ channels }, page)).total, 1);
  assert.deepEqual(await store.outbox(), { deliveries: 6, dead: 1, cancelled: 2 });
  assert.ok((await store.openRows()).pending >= 1);
  assert.equal((await store.oldestOpen("OB_B")).size, 1);
  assert.ok(await store.oldestInLane("outbound", "OB_B"));
  for (const connection of [undefined, "IB"]) {
    assert.equal(
      (await store.connectionEvents({ connection, kinds: ["opened"], limit: 9 })).length,
      1,
    );
  }
  assert.ok((await store.totals()).events > 10);
}

/** Each statement once, and one act with its audit row. */
async function registers({ store }: StoreBench): Promise<void> {
  const audit = [{ at: 1, actor: "ann", action: "test", channel: null, detail: null }];
  for (const name of registerChanges) {
    const changes = [{ name, values: changeValues[name] }];
    const { applied } = await store.submit({
      ...{ kind: "register", changes },
      audit: name === "alertRaise" ? audit : [],
    });
    assert.ok(applied, name);
  }
  for (const name of registerQueries) {
    assert.ok(Array.isArray(await store.register(name, ...queryValues[name])), name);
  }
}

/** Everything is old a year later; a dead delivery outlives its message. */
async function retention(bench: StoreBench): Promise<void> {
  const held = await bench.receive();
  const { raw } = (await bench.store.message(held.id))!;
  const changed = readdressed(raw, "CHANGED");
  await bench.handOff(held, { deliveries: [delivery("OB_DEAD", { payload: changed })] });
  await bench.bury(await bench.take("outbound", "OB_DEAD"), "OB_DEAD");
  bench.passSeconds(365 * 86_400);
  assert.ok(await bench.purge("messages", bench.now, 2) > 2);
  assert.deepEqual((await bench.store.outboundOf(held.id))?.map(({ payload }) => payload), [
    changed,
  ]);
  for (const kind of ["dead_letters", "state", "connection_events", "alerts"] as const) {
    assert.ok(await bench.purge(kind, bench.now) > 0, kind);
  }
  assert.equal((await bench.store.retention()).logsHoldPurged, true);
  const counts = await bench.endPurge({ isNoted: true });
  assert.deepEqual([counts?.state, counts?.alerts], [1, 1]);
}

/** Names of texts that no client said, whatever number their values had. */
function unsaid(heard: readonly string[]): readonly string[] {
  const flat = (text: string) => inSchema(text, undefined).replaceAll(/@p\d+/g, "@p");
  const said = [...new Set(heard.map(flat))].join("\n");
  const { statements, queries, registers, checks } = sqlserver;
  const texts: readonly (readonly [string, string])[] = [
    ...statementNames.map((name) => [name, statements[name]] as const),
    ...(Object.keys(queries) as QueryName[]).map((name) => [name, queries[name]] as const),
    ...[...registerChanges, ...registerQueries].map((name) => [name, registers[name]] as const),
    ...checkNames.map((name) => [name, checks[name]] as const),
  ];
  return texts.filter(([, text]) => !said.includes(flat(text))).map(([name]) => name);
}
