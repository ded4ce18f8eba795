// Goal: the whole walk over a PostgreSQL store, and what intake does while the server is away (I8).
import assert from "node:assert/strict";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, pause } from "../connectors/waiting.ts";
import { hasPostgres, PostgresServer } from "../postgres/server.ts";
import { admission, answered, timeline, Walk } from "./bench.ts";

const ignore = !hasPostgres();

/** Lines of `[store]`; the walk's own settings begin in that section. */
function storeOf(server: PostgresServer): string {
  return `backend = "postgres"\nserver = "127.0.0.1"\nport = ${server.port}\n` +
    `database = "postgres"\nusername = "postgres"\nencrypt = false\ndb_schema = "engine"\n` +
    `connect_timeout = 1\n`;
}

function pass(port: number, partner: ScriptedPartner): string {
  return `
    import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
    const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${partner.port} }));
    const pass = handler("pass", (msg) => send(lab, msg));
    const route = router("route", () => pass);
    inbound("IB_ADT", mllp({ port: ${port} }), { router: route });
  `;
}

Deno.test({
  name: "a message walks over a PostgreSQL store, before and after a restart of the engine",
  ignore,
  async fn() {
    await using server = await PostgresServer.start();
    await using partner = await ScriptedPartner.start();
    const port = await freePort();
    await using walk = await Walk.open({ graph: pass(port, partner), settings: storeOf(server) });
    const key = `MEFOR_STORE_PASSWORD`;
    assert.ok(!walk.log.join("\n").includes(key));
    for (const id of ["A1", "A2"]) {
      assert.equal(answered(await walk.exchange(port, admission(id))).code, "AA");
      const message = await walk.disposition(id, "processed");
      assert.deepEqual(timeline(message), ["received", "routed", "transformed", "delivered"]);
      await walk.stop();
      await walk.start();
    }
    assert.deepEqual(partner.controlIds, ["A1", "A2"]);
    const { ok } = await walk.engine.store.checkIntegrity();
    assert.ok(ok);
    // I69: what only nodes of a cluster write is not even there.
    const { rows } = await server.ask({ schema: "engine" }, (it) =>
      it.ask(
        "SELECT relname FROM pg_class " +
          "WHERE relname IN ('leader_lease', 'nodes', 'cluster_config', 'cluster_act')",
      ));
    assert.deepEqual(rows, []);
  },
});

Deno.test({
  name: "while the server is away nobody is acknowledged; with it back intake resumes by itself",
  ignore,
  async fn() {
    await using server = await PostgresServer.start();
    await using partner = await ScriptedPartner.start();
    const port = await freePort();
    await using walk = await Walk.open({ graph: pass(port, partner), settings: storeOf(server) });
    const acknowledged: string[] = [];
    for (let round = 0; round < 3; round += 1) {
      for (let index = 0; index < 5; index += 1) {
        const id = `R${round}M${index}`;
        assert.equal(answered(await walk.exchange(port, admission(id))).code, "AA");
        acknowledged.push(id);
      }
      await server.down(round === 1 ? "SIGKILL" : "SIGINT");
      using sender = await walk.sender(port);
      sender.send(admission(`R${round}LOST`));
      await assert.rejects(sender.waitForReplies(1, 10_000), "no answer, and the connection ends");
      await server.up();
      await untilTaken(walk, port, `R${round}AGAIN`);
      acknowledged.push(`R${round}AGAIN`);
    }
    for (const id of acknowledged) await walk.disposition(id, "processed", 30_000);
    const firsts = [...new Set(partner.controlIds)];
    const taken = firsts.filter((id) => acknowledged.includes(id));
    assert.deepEqual(taken, acknowledged, "delivered in the order they came");
    assert.ok(walk.log.some((line) => line.includes("store.connection_lost")));
    assert.ok(walk.log.some((line) => line.includes("store.connection_restored")));
    assert.deepEqual(await walk.engine.store.checkIntegrity(), { ok: true, detail: "ok" });
  },
});

/** Sends until it is acknowledged, as a partner does. */
async function untilTaken(walk: Walk, port: number, id: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    try {
      const reply = await walk.exchange(port, admission(id));
      if (answered(reply).code === "AA") return;
    } catch {
      // Closed on it: the store is not back yet.
    }
    if (performance.now() > deadline) throw new Error(`"${id}" is not taken`);
    await pause(100);
  }
}
