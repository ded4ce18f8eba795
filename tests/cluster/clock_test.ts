import assert from "node:assert/strict";
import { pause, until } from "../connectors/waiting.ts";
import { hasPostgres } from "../postgres/server.ts";
import { inTurn } from "./cases.ts";
import { hasFakeClocks } from "./fake_clock.ts";
import type { NodeProcess } from "./node_process.ts";
import { type Bench, demotionsOf, underTraffic } from "./under_traffic.ts";

// Goal: nodes whose system clock is set, or wrong by an hour, cost nothing: no leader, no order, no
// message, no wait, no session.
// Method: the clock of each engine is moved as a whole, by a library that stands before the system's.

const HOUR = 3_600;
/** Beyond a beat of half a second: what renewals after a step conclude shows by then. */
const SETTLED_MS = 700;
/** What a step may hold up, on a busy machine too. */
const HELD_UP_MS = 10_000;

if (hasPostgres() && hasFakeClocks()) {
  Deno.test("a node whose system clock is set by an hour leads on, delivers on, and ends no session", async () => {
    const options = { count: 2, duplicatesMax: 2, hasClocks: true, hasAccounts: true };
    await underTraffic(options, async (bench) => {
      await bench.site.signIn();
      const leader = await bench.site.leader();
      const standby = bench.site.living.find((node) => node !== leader)!;
      await inTurn({
        leader: () => setClock(bench, leader, [HOUR, 0, -HOUR, 0]),
        standby: () => setClock(bench, standby, [HOUR, -HOUR, 0]),
        waitingRows: () => setClockWhileRowsWait(bench, leader),
        nextLeader: () => dieAhead(bench, { leader, standby }),
      });
    });
  });
}

/** Each of `steps`, seconds from the right time, shows on no node. */
async function setClock(
  { site, traffic }: Bench,
  node: NodeProcess,
  steps: readonly number[],
): Promise<void> {
  const leader = await site.leader();
  for (const seconds of steps) {
    await site.clockOf(node).set(seconds);
    await traffic.acknowledges(20, HELD_UP_MS);
    await pause(SETTLED_MS);
    for (const one of site.living) assert.equal((await one.get("/cluster/nodes")).status, 200);
  }
  assert.equal(await site.leader(), leader);
  assert.equal(demotionsOf(site), 0);
}

/** Rows that wait to be sent again do so no longer than without a step. */
async function setClockWhileRowsWait({ site }: Bench, leader: NodeProcess): Promise<void> {
  for (const seconds of [-HOUR, HOUR, 0]) {
    const { partner } = site;
    const refused = partner.refused;
    partner.otherwise = { do: "close" };
    await until(() => partner.refused > refused + 2, "deliveries that fail", HELD_UP_MS);
    await site.clockOf(leader).set(seconds);
    partner.otherwise = { do: "ack" };
    const accepted = partner.received.length - partner.refused;
    await until(
      () => partner.received.length - partner.refused > accepted + 5,
      `deliveries after a step to ${seconds} s`,
      HELD_UP_MS,
    );
  }
  assert.equal(demotionsOf(site), 0);
}

/** Rows that a leader an hour ahead has put off are taken over by one an hour behind. */
async function dieAhead(
  { site, traffic }: Bench,
  { leader, standby }: { leader: NodeProcess; standby: NodeProcess },
): Promise<void> {
  await site.clockOf(leader).set(HOUR);
  await site.clockOf(standby).set(-HOUR);
  const { partner } = site;
  const refused = partner.refused;
  partner.otherwise = { do: "close" };
  await until(() => partner.refused > refused + 2, "deliveries that fail", HELD_UP_MS);
  await leader.kill();
  partner.otherwise = { do: "ack" };
  assert.equal(await site.leader(), standby);
  const { time } = standby.log.findLast(({ event }) => event === "cluster.acquired")!;
  const behind = (Date.now() - Date.parse(time as string)) / 1_000;
  assert.ok(Math.abs(behind - HOUR) < 60, `its clock is ${behind} s behind`);
  await traffic.acknowledges(20, HELD_UP_MS);
  const last = traffic.acknowledged.at(-1)!;
  await until(
    () => partner.received.some(({ controlId }) => controlId === last),
    "deliveries of the next leader",
    HELD_UP_MS,
  );
}
