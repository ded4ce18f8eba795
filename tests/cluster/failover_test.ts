import assert from "node:assert/strict";
import { MllpSender } from "../connectors/mllp_sender.ts";
import { ClusterSite } from "./cluster_site.ts";
import { hasPostgres } from "./postgres_server.ts";
import { admission } from "../walk/bench.ts";

if (await hasPostgres()) {
  Deno.test("two engines: one works, and the other when it has stopped in order", async () => {
    await using site = await ClusterSite.open();
    const [one, other] = await site.spawnAll(2);
    const leader = await site.leader();
    const standby = leader === one ? other! : one!;
    assert.deepEqual(await standby.readiness(), { status: 503, role: "standby" });
    using sender = await MllpSender.connect(site.inboundOf(leader).port, site.inboundOf(leader));
    sender.send(admission("A1"));
    await sender.waitForReplies(1);
    await site.partner.waitForFrames(1);
    assert.deepEqual(site.partner.controlIds, ["A1"]);
  });
}
