import assert from "node:assert/strict";
import type { ConnectionRow } from "../../src/api/connection_rows.ts";
import { MllpSender } from "../connectors/mllp_sender.ts";
import { pause } from "../connectors/waiting.ts";
import { hasPostgres } from "../postgres/server.ts";
import { admission } from "../walk/bench.ts";
import { ClusterSite } from "./cluster_site.ts";

// Goal: whoever leads knows what it is to know before the first message: sets that no node has read
// yet, for none led when it started; and how much waits, whatever was done while nobody led.
// Method: a new cluster's first message reads a set; dead letters are replayed between two leaders.
if (hasPostgres()) {
  Deno.test("the first leader has its reference sets, the next one counts what was replayed before it once", async () => {
    await using site = await ClusterSite.open();
    await site.bundle.write("wards.csv", "code,floor\nW1,third\n");
    const set = `fileRef({ path: ${JSON.stringify(`${site.bundle.dir}/wards.csv`)} })`;
    const graph = site.graph
      .replace("import {", "import { fileRef, reference,")
      .replace("const retry", `const wards = reference("wards", { source: ${set} });\nconst retry`)
      .replace('"count." + count', 'wards.get("W1") ?? "none"');
    await site.bundle.write("graph/pass.ts", graph);
    const nodes = await site.spawnAll(2);
    const leader = await site.leader();
    const standby = nodes.find((node) => node !== leader)!;
    site.partner.otherwise = { do: "ack", code: "AR" };
    using sender = await MllpSender.connect(site.inboundOf(leader).port, site.inboundOf(leader));
    for (const id of ["D1", "D2"]) sender.send(admission(id));
    await site.partner.waitForFrames(2);
    assert.match(site.partner.received[0]!.text, /\|third\|/);
    await site.drained();

    await leader.kill();
    assert.deepEqual((await standby.post("/dead-letters/replay", {})).json, { requeued: 2 });
    site.partner.otherwise = { do: "ack" };
    assert.equal(await site.leader(), standby);
    await site.drained();
    // Word of the act is gone with the next beat at the latest.
    while (await wordsLeft(site) > 0) await pause(20);
    await pause(600);
    const { json } = await standby.get("/connections");
    const rows = json as unknown as readonly ConnectionRow[];
    assert.equal(rows.find(({ destination }) => destination === "OB_LAB")?.queue_depth, 0);
    assert.deepEqual((await standby.get("/stats")).json.outbox_by_status, { done: 2 });
  });
}

async function wordsLeft(site: ClusterSite): Promise<number> {
  const [row] = await site.query("SELECT count(*)::integer AS n FROM cluster_act");
  return Number(row!.n);
}
