import assert from "node:assert/strict";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, until } from "../connectors/waiting.ts";
import { admission, timeline, Walk } from "./bench.ts";

// Goal: what waits when the engine stops is there when it starts again, also with another graph.

interface GraphOptions {
  readonly port: number;
  readonly lab: number;
  readonly outbound?: string;
  readonly handler?: string;
  readonly inbound?: string;
  readonly body?: string;
}

function graph(
  { port, lab, outbound = "OB_LAB", handler = "pass", inbound = "IB_ADT", body }: GraphOptions,
): string {
  return `
    import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
    const lab = outbound("${outbound}", mllp({ host: "127.0.0.1", port: ${lab} }), {
      retry: { backoffSeconds: 0.05, backoffMultiplier: 1 },
    });
    const pass = handler("${handler}", (msg) => { ${body ?? "return send(lab, msg);"} });
    const route = router("route", () => pass);
    inbound("${inbound}", mllp({ port: ${port} }), { router: route });
  `;
}

Deno.test("rows of an outbound that is gone are dead letters, everything else goes on", async () => {
  await using partner = await ScriptedPartner.start();
  const [port, away] = [await freePort(), await freePort()];
  await using walk = await Walk.open({ graph: graph({ port, lab: away }) });
  await walk.exchange(port, admission("G1"));
  await walk.logged("delivery.retried");
  await walk.stop();
  await walk.bundle.write("graph/walk.ts", graph({ port, lab: partner.port, outbound: "OB_NEW" }));
  await walk.start();
  const swept = await walk.disposition("G1", "error");
  assert.deepEqual(swept.rows.map(({ status, lastError }) => [status, lastError]), [
    ["dead", "destination removed"],
  ]);
  assert.ok(timeline(swept).includes("dead"));
  await walk.exchange(port, admission("G2"));
  await walk.disposition("G2", "processed");
  assert.deepEqual(partner.controlIds, ["G2"]);
});

Deno.test("messages of an inbound that is gone wait until it is back", async () => {
  await using partner = await ScriptedPartner.start();
  const port = await freePort();
  const lab = partner.port;
  await using walk = await Walk.open({
    graph: graph({ port, lab, body: `throw new Error("not today");` }),
    settings: `[delivery]\ninternal_error = "stop"\n`,
  });
  await walk.exchange(port, admission("W1"));
  await walk.logged("connection.stopped");
  await walk.exchange(port, admission("W2"));
  await walk.stop();
  await walk.bundle.write("graph/walk.ts", graph({ port, lab, inbound: "IB_OTHER" }));
  await walk.start();
  await walk.exchange(port, admission("W3"));
  await walk.disposition("W3", "processed");
  for (const id of ["W1", "W2"]) {
    const { status, rows } = await walk.message(id);
    assert.deepEqual([status, rows[0]?.status, rows[0]?.attempts], ["received", "pending", 0]);
  }
  await walk.stop();
  await walk.bundle.write("graph/walk.ts", graph({ port, lab }));
  await walk.start();
  await walk.disposition("W2", "processed");
  assert.deepEqual(partner.controlIds, ["W3", "W1", "W2"]);
});

Deno.test("a head that backs off keeps its due time and its attempts over a restart", async () => {
  await using partner = await ScriptedPartner.start({ otherwise: { do: "ack", code: "AE" } });
  const port = await freePort();
  await using walk = await Walk.open({
    graph: graph({ port, lab: partner.port }).replace("0.05", "1.5"),
  });
  await walk.exchange(port, admission("B1"));
  await walk.exchange(port, admission("B2"));
  await walk.logged("delivery.retried");
  const { rows: [before] } = await walk.message("B1");
  await walk.stop();
  partner.otherwise = { do: "ack" };
  await walk.start();
  await walk.disposition("B2", "processed");
  const done = await walk.message("B1");
  const delivered = done.events.find(({ event }) => event === "delivered")!.at;
  assert.deepEqual(partner.controlIds, ["B1", "B1", "B2"]);
  assert.equal(done.rows[0]?.attempts, 2);
  assert.ok(delivered >= before!.nextAttemptAt, "not before it was due");
  assert.ok(delivered < before!.nextAttemptAt + 2_000_000, "and soon after");
});

Deno.test("a purged queue is cancelled row by row, and the lane goes on with what comes next", async () => {
  await using partner = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({ graph: graph({ port, lab: partner.port }) });
  const { pipeline, store, clock } = walk.engine;
  const lane = pipeline.outbounds.get("OB_LAB")!;
  await lane.pause();
  for (const id of ["P1", "P2", "P3"]) await walk.exchange(port, admission(id));
  await until(() => lane.depth === 3 && pipeline.openRows === 3, "the rows");
  const at = Math.round(clock.now() * 1000);
  const cancel = { kind: "cancel", destination: "OB_LAB", at } as const;
  assert.equal((await store.submit({ ...cancel, scope: "top" })).cancelled, 1);
  pipeline.touched([{ stage: "outbound", lane: "OB_LAB" }]);
  assert.deepEqual(timeline(await walk.disposition("P1", "processed")).at(-1), "cancelled");
  assert.equal((await walk.message("P2")).status, "routed");
  assert.equal((await store.submit({ ...cancel, scope: "all" })).cancelled, 2);
  pipeline.touched([{ stage: "outbound", lane: "OB_LAB" }]);
  await walk.exchange(port, admission("P4"));
  lane.resume();
  await walk.disposition("P4", "processed");
  await walk.drained();
  assert.deepEqual(partner.controlIds, ["P4"]);
});

Deno.test("a peer that is not on the list leaves an event and no message", async () => {
  await using partner = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({
    graph: graph({ port, lab: partner.port })
      .replace("router: route", `router: route, sourceIpAllowlist: ["10.9.8.7"]`),
  });
  using sender = await walk.sender(port);
  sender.send(admission("X1"));
  await sender.closed;
  assert.deepEqual(sender.replies, []);
  await walk.engine.pipeline.events.flush();
  const events = await walk.engine.store.connectionEvents({ limit: 10 });
  assert.deepEqual(events.map(({ event }) => event), ["peer_not_allowlisted"]);
  assert.deepEqual(await walk.summaries(), []);
  assert.equal(walk.engine.pipeline.statistics.inbound("IB_ADT").read, 0);
});
