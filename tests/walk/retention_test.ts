/** Retention in a whole engine: bodies, state and replay, and counters that reconcile (I75). */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { localOperator, reloadConfig, replayMessage } from "../../src/operations/mod.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { eventually, freePort } from "../connectors/waiting.ts";
import { admission, Walk } from "./bench.ts";

const settings = `
[retention]
messages_days = 1
state_max_age_days = 1
purge_interval_seconds = 0.1
`;

/** Counts the messages of a patient and says so in PV1-2. */
function graph(port: number, lab: number): string {
  return `
    import { handler, inbound, mllp, outbound, router, send, setState, state } from "messagefoundry";
    const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${lab} }));
    const count = handler("count", (msg) => {
      const key = msg.get("PID-5.1")!;
      const seen = (state<number>("seen", key) ?? 0) + 1;
      msg.set("PV1-2", String(seen));
      return [send(lab, msg), setState("seen", key, seen)];
    });
    inbound("IB_ADT", mllp({ port: ${port} }), { router: router("route", () => count) });
  `;
}

/** Everything in the store is two days older. */
function age(walk: Walk): void {
  using db = new DatabaseSync(walk.storePath, { timeout: 5_000 });
  const twoDays = 2 * 86_400_000_000;
  for (const [table, column] of [["messages", "received_at"], ["state", "set_at"]]) {
    db.exec(`UPDATE ${table} SET ${column} = ${column} - ${twoDays}`);
  }
}

function countsOf({ received }: ScriptedPartner): (string | undefined)[] {
  return received.map(({ text }) => /^PV1\|1\|(\d+)/m.exec(text)?.[1]);
}

Deno.test("an engine purges what is due, forgets old state, and goes on", async () => {
  await using lab = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({ graph: graph(port, lab.port), settings });
  const { engine } = walk;
  for (const id of ["A1", "A2"]) await walk.exchange(port, admission(id));
  await walk.drained();
  assert.deepEqual(countsOf(lab), ["1", "2"]);
  await engine.store.totals();
  age(walk);
  const { id } = await walk.message("A1");
  await eventually(async () => (await engine.store.message(id))!.purgedAt !== null, "the purge");
  await eventually(async () => (await engine.store.state()).length === 0, "old state to go");

  const message = (await engine.store.message(id))!;
  assert.deepEqual([message.raw, message.status, message.controlId], ["", "processed", "A1"]);
  assert.deepEqual((await engine.store.outboundOf(id))!.map(({ payload }) => payload), [""]);
  await assert.rejects(replayMessage.perform({ engine, actor: localOperator }, { id }), {
    code: "message.body_purged",
  });

  // The handler counts from the start again, and what it writes now stays.
  for (const id of ["A3", "A4"]) await walk.exchange(port, admission(id));
  await walk.drained();
  assert.deepEqual(countsOf(lab), ["1", "2", "1", "2"]);
  assert.equal((await walk.message("A4")).purgedAt, null);
  assert.equal(typeof (await walk.audited("retention_purge")).detail.messages, "number");
  await walk.stop();
  await walk.start();
  await walk.exchange(port, admission("A5"));
  await walk.drained();
  assert.deepEqual(countsOf(lab).at(-1), "3");
  const rows = await walk.engine.store.register("auditNewest", 1_000);
  const purges = rows.filter(({ action }) => action === "retention_purge")
    .map(({ detail }) => JSON.parse(String(detail)));
  const sum = (key: string) => purges.reduce((total, counts) => total + counts[key], 0);
  assert.deepEqual([sum("messages"), sum("state")], [2, 1]);
});

Deno.test("counters are those of the store, purged or not", async () => {
  await using lab = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({ graph: graph(port, lab.port), settings });
  const { engine: { store, pipeline } } = walk;
  for (let n = 0; n < 30; n += 1) {
    if (n % 10 === 9) await walk.exchange(port, "no message at all");
    else await walk.exchange(port, admission(`C${n}`));
    if (n % 7 === 0) {
      await store.totals();
      age(walk);
    }
  }
  await walk.drained();
  await eventually(async () => (await store.retention()).counts.messages === 0, "a pass to end");
  const { read, errored } = pipeline.statistics.inbound("IB_ADT");
  const written = pipeline.statistics.edges().reduce((sum, edge) => sum + edge.written, 0);
  const { total } = await store.messages({}, { limit: 1, offset: 0 });
  const byStatus = await Promise.all(
    ["received", "routed", "unrouted", "filtered", "processed", "error"].map(async (status) =>
      (await store.messages({ status }, { limit: 1, offset: 0 })).total
    ),
  );
  const { done = 0, pending = 0, inflight = 0 } = await walk.rowsByStatus();
  assert.deepEqual([read, total], [30, 30]);
  assert.equal(byStatus.reduce((sum, count) => sum + count, 0), 30, "each has one disposition");
  assert.deepEqual([errored, written], [byStatus[5], done]);
  assert.equal(pipeline.openRows, pending + inflight);
  assert.deepEqual(await store.outbox(), { deliveries: done, dead: 0, cancelled: 0 });
});

// Goal: an inbound's own window counts in the running engine, and changing it drops no connection.
Deno.test("an inbound keeps bodies for a time of its own, which a reload may change", async () => {
  await using lab = await ScriptedPartner.start();
  const [port, other] = [await freePort(), await freePort()];
  const text = (days: number) =>
    graph(port, lab.port).replace("router: router(", `messagesDays: ${days}, router: router(`) +
    `inbound("IB_OTHER", mllp({ port: ${other} }), { router: "route" });`;
  const interval = "[retention]\npurge_interval_seconds = 0.1\n";
  await using walk = await Walk.open({
    graph: text(0),
    settings: `${interval}messages_days = 1\n`,
  });
  const { engine } = walk;
  await walk.exchange(port, admission("K1"));
  await walk.exchange(other, admission("O1"));
  await walk.drained();
  const sender = await walk.sender(port);
  await engine.store.totals();
  age(walk);
  const [kept, gone] = [await walk.message("K1"), await walk.message("O1")];
  const isPurged = async (id: string) => (await engine.store.message(id))!.purgedAt !== null;
  await eventually(() => isPurged(gone.id), "the purge of the other inbound");
  assert.equal(await isPurged(kept.id), false);
  const { detail } = await walk.audited("retention_purge");
  assert.equal(detail.messages_days_of, "IB_ADT=0");

  await Deno.writeTextFile(`${walk.dir}/graph/walk.ts`, text(2));
  await reloadConfig.perform({ engine, actor: localOperator }, { dir: undefined, dryRun: false });
  await eventually(() => isPurged(kept.id), "the purge by the new window");
  sender.send(admission("K2"));
  const [reply] = await sender.waitForReplies(1);
  assert.match(reply!, /MSA\|AA\|K2/, "the connection from before the reload is still there");
});
