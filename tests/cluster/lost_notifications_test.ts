import assert from "node:assert/strict";
import { pause, until } from "../connectors/waiting.ts";
import { hasPostgres } from "../postgres/server.ts";
import { BenchNode, leaderOf, settings } from "./cluster_bench.ts";
import { ClusterDatabase } from "./databases.ts";
import { DeafProxy } from "./deaf_proxy.ts";

/** What a busy machine adds to a beat. */
const SLACK_MS = 1_000;

// Goal: I71 between nodes: what a notification would have told is found by the next beat, and a lease
// that was given back at its end.
if (hasPostgres()) {
  Deno.test("a node that hears no notification learns everything by its beats", async () => {
    await using database = await ClusterDatabase.start("postgres");
    await using proxy = await DeafProxy.start(database.port);
    await using one = await BenchNode.join(database, "a", { port: proxy.port });
    await using other = await BenchNode.join(database, "b", { port: proxy.port });
    const leader = await leaderOf([one, other]);
    const standby = leader === one ? other : one;

    await standby.cluster.noteAct("first");
    await standby.cluster.noteAct("second");
    const beat = settings.heartbeatMs + SLACK_MS;
    await until(() => leader.heard.length === 2, "word of the standby", beat);
    assert.deepEqual(leader.heard, ["first", "second"]);

    assert.equal(await leader.cluster.bumpConfig(), 1);
    await until(() => standby.configVersion === 1, "the configuration's number", beat);
    await pause(settings.heartbeatMs * 2);
    assert.deepEqual([leader.heard.length, standby.heard.length], [2, 0], "each once");

    await leader[Symbol.asyncDispose]();
    await until(
      () => standby.cluster.isServing,
      "the next leader",
      settings.leaderLeaseTtlMs + SLACK_MS,
    );
    assert.deepEqual(standby.acts, ["lead 2"]);
    assert.ok(proxy.dropped > 2, `${proxy.dropped} notifications were dropped`);
  });
}
