/**
 * A whole engine whose machine's clock is set by an hour, forth and back, while it works (I34):
 * nothing is reordered, skipped or doubled, and retries keep their pace.
 *
 * Method: Debian's libfaketime between the process and its clock; monotonic time is left alone, as by
 * an operator or NTP. A file says how far the clock is off, and is replaced while the engine runs.
 */
import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { hasTool } from "../connectors/foreign_tool.ts";
import { pause } from "../connectors/waiting.ts";
import { inbounds } from "./expectation.ts";
import { checkAtEnd, doublesIn } from "./invariants.ts";
import { Sender } from "./load.ts";
import { Site } from "./site.ts";

const LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
const HOUR_S = 3_600;
/** What the clock is off by, one stretch after the other, seconds. */
const steps = [HOUR_S, -HOUR_S, HOUR_S, 0];
const STRETCH_MS = 1_000;
/** Of the graph of the proof: a head backs off for this long at most. */
const BACKOFF_MAX_MS = 300;
const DRAIN_MS = 40_000;

if (await hasTool("faketime", ["-f", "+1h", "true"])) {
  Deno.test("an engine under load whose clock is set by an hour turns, skips and hurries nothing", async () => {
    const seed = crypto.randomUUID().slice(0, 8);
    await using site = await Site.open(seed, "normal");
    const clock = `${site.dir}/clock`;
    await setClock(clock, 0);
    const child = site.spawn(undefined, {
      LD_PRELOAD: LIBRARY,
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
      FAKETIME_NO_CACHE: "1",
      FAKETIME_TIMESTAMP_FILE: clock,
    });
    assert.ok(await child.becomesReady(), child.errors);
    const blocked = site.partner("OB_BLOCKED");
    blocked.blocked = true;
    const plan = { seed, window: 8, pauseMs: 10, paddingMax: 500 };
    const senders = inbounds.map((inbound, index) =>
      new Sender({ inbound, name: `S${index}`, port: site.ports[inbound], plan })
    );
    for (const sender of senders) sender.start();
    await pause(STRETCH_MS);
    const retries: number[] = [];
    for (const offset of steps) {
      await setClock(clock, offset);
      const before = blocked.exchanges.length;
      await pause(STRETCH_MS);
      retries.push(blocked.exchanges.length - before);
    }
    await Promise.all(senders.map((sender) => sender.stop()));
    assert.equal(await site.flowsOff(DRAIN_MS, "OB_BLOCKED"), 0, `seed ${seed}`);
    blocked.blocked = false;
    assert.equal(await site.flowsOff(DRAIN_MS), 0, `seed ${seed}`);
    child.signal("SIGTERM");
    await child.ended;

    const sent = senders.flatMap((sender) => sender.sent);
    assert.ok(sent.length > 300, `${sent.length} messages`);
    const { exchanges } = site;
    const endedInOrder = new Set([1]);
    assert.deepEqual(
      checkAtEnd(site.evidence(), { sent, exchanges, endedInOrder }),
      [],
      `seed ${seed}`,
    );
    assert.equal(doublesIn(exchanges), 0);
    // At its pace: none at once for a clock that went ahead, none put off for one that went back.
    const usual = STRETCH_MS / BACKOFF_MAX_MS;
    for (const [index, count] of retries.entries()) {
      assert.ok(count >= usual * 0.4 && count <= usual * 2, `${count} retries in stretch ${index}`);
    }
    assert.ok(clockSpan(`${site.dir}/store.db`) > 1.9 * HOUR_S, "the engine saw the clock step");
  });
}

/** In one step, as seen by whoever reads the file. */
async function setClock(path: string, offset: number): Promise<void> {
  await Deno.writeTextFile(`${path}.new`, `${offset < 0 ? "" : "+"}${offset}\n`);
  await Deno.rename(`${path}.new`, path);
}

/** Seconds between the earliest and the latest time of receipt that the engine wrote down. */
function clockSpan(path: string): number {
  using db = new DatabaseSync(path, { readOnly: true });
  const row = db.prepare("SELECT max(received_at) - min(received_at) AS span FROM messages").get();
  return Number(row!.span) / 1e6;
}
