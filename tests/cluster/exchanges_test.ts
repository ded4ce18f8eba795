/**
 * Over changes of leaders that come without a warning: one delivery of a lane is on the wire at a
 * time, in the whole cluster (I28); nothing acknowledged is lost, nothing turned around, everything
 * drains, and the gap is the lease, the bring-up and a second at most (I64).
 */
import assert from "node:assert/strict";
import type { PartnerFrame } from "../connectors/scripted_partner.ts";
import { pause, until } from "../connectors/waiting.ts";
import { hasPostgres } from "../postgres/server.ts";
import { ClusterSite } from "./cluster_site.ts";
import type { NodeProcess } from "./node_process.ts";
import { judge, Traffic } from "./traffic.ts";

/** Seconds; a pause of the leader longer than this has a successor. */
const TIMINGS = { heartbeat: 0.3, fence: 1, ttl: 1.5 } as const;
/** The partner takes up to so long, far less than what the lease outlives the fence. */
const ANSWER_MS = 60;
const SECOND_MS = 1_000;

/** Watches what is open between a partner's receipt of a frame and its answer. */
class Exchanges {
  readonly overlaps: string[] = [];
  count = 0;
  readonly #open = new Map<number, string>();

  /** Notes a frame; resolves when it is to be answered. */
  async take({ connection, controlId }: PartnerFrame): Promise<void> {
    const id = this.count += 1;
    const mine = `${controlId} over connection ${connection}`;
    for (const other of this.#open.values()) this.overlaps.push(`${other} and ${mine}`);
    this.#open.set(id, mine);
    await pause(Math.random() * ANSWER_MS);
    this.#open.delete(id);
  }
}

if (hasPostgres()) {
  Deno.test("leaders that freeze, wake and die leave one exchange open at most, and a gap as long as their lease", async () => {
    await using site = await ClusterSite.open(TIMINGS);
    await site.spawnAll(3);
    const exchanges = new Exchanges();
    site.partner.otherwise = (frame) => ({ do: "ack", when: exchanges.take(frame) });
    const traffic = new Traffic(site, { pauseMs: 0 });
    traffic.start();
    const gaps: string[] = [];
    try {
      for (const strike of ["freeze", "kill", "freeze"] as const) {
        await traffic.acknowledges(30);
        // Anywhere between the receipt of a message and the end of its delivery.
        await pause(Math.random() * ANSWER_MS);
        if (strike === "freeze") await freeze(site);
        else gaps.push(...await kill(site, traffic));
      }
      await traffic.acknowledges(30);
    } finally {
      site.thaw();
      assert.ok(await traffic.stop());
    }
    await site.drained();
    assert.deepEqual(exchanges.overlaps, []);
    assert.ok(exchanges.count >= 120, `${exchanges.count} exchanges`);
    assert.deepEqual(gaps, []);
    const { lost, inversions, gapsInState, duplicates, duplicatesOfSender } = judge(
      traffic,
      site.partner,
    );
    assert.deepEqual({ lost, inversions, gapsInState }, {
      lost: [],
      inversions: [],
      gapsInState: [],
    });
    // One row for each change of leaders, those that a busy machine adds included (I35).
    const changes = site.processes.reduce((sum, node) => sum + promotionsOf(node).length, 0) - 1;
    assert.ok(changes >= 3, `${changes} changes of leaders`);
    assert.ok(duplicates <= changes + duplicatesOfSender, `${duplicates} after ${changes} changes`);
  });
}

/** For longer than the lease: when the leader wakes another one works. */
async function freeze(site: ClusterSite): Promise<void> {
  const leader = await site.leader();
  leader.signal("SIGSTOP");
  await pause(site.ttlMs + 300);
  assert.notEqual(await site.leader(), leader);
  await pause(Math.random() * 500);
  leader.signal("SIGCONT");
}

/** Returns what was wrong with the gap. */
async function kill(site: ClusterSite, traffic: Traffic): Promise<readonly string[]> {
  const leader = await site.leader();
  const others = site.living.filter((node) => node !== leader);
  const before = new Map(others.map((node) => [node, promotionsOf(node).length]));
  const received = () => site.partner.received.length;
  await leader.kill();
  const killedAt = performance.now();
  const isNew = (node: NodeProcess) => promotionsOf(node).length > before.get(node)!;
  let delivered = received();
  await until(
    () => {
      if (others.some(isNew)) return true;
      delivered = received();
      return false;
    },
    "a successor",
    20_000,
  );
  await until(() => received() > delivered, "its first delivery", 20_000);
  const gapMs = performance.now() - killedAt;
  const promoted = String(promotionsOf(others.find(isNew)!).at(-1)!.text);
  const bringUpMs = Number(/\bms=(\d+)/.exec(promoted)?.[1]);
  const number = Number(leader.name.slice(-1));
  await site.spawn(number);
  await traffic.acknowledges(1);
  const allowedMs = site.ttlMs + bringUpMs + SECOND_MS;
  return gapMs <= allowedMs ? [] : [`${gapMs} ms after the kill, at most ${allowedMs}`];
}

function promotionsOf({ log }: NodeProcess) {
  return log.filter(({ event }) => event === "cluster.promoted");
}
