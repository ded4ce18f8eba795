import assert from "node:assert/strict";
import { hasTool } from "../connectors/foreign_tool.ts";
import { ClusterSite } from "./cluster_site.ts";
import { Haproxy, haproxyPath } from "./haproxy.ts";
import { hasPostgres } from "../postgres/server.ts";
import { judge, Traffic } from "./traffic.ts";

if (hasPostgres() && await hasTool(haproxyPath, ["-v"])) {
  // Goal: the page's HAProxy sends every message to the node that works, and cuts the others off.
  Deno.test("behind HAProxy a sender knows one address, whoever leads", async () => {
    await using site = await ClusterSite.open();
    const nodes = await site.spawnAll(2);
    await using proxy = await Haproxy.start(nodes.map((node) => site.memberOf(node)));
    const traffic = new Traffic(site, { address: { host: "127.0.0.1", port: proxy.port } });
    traffic.start();
    try {
      await traffic.acknowledges(20);
      const first = await site.leader();
      first.signal("SIGSTOP");
      assert.notEqual(await site.leader(), first);
      await traffic.acknowledges(20);
      first.signal("SIGCONT");
      await traffic.acknowledges(10);
    } finally {
      await site.thaw();
      await traffic.stop();
    }
    await site.drained();
    const { lost, inversions, gapsInState } = judge(traffic, site.partner);
    assert.deepEqual({ lost, inversions, gapsInState }, {
      lost: [],
      inversions: [],
      gapsInState: [],
    });
  });
}
