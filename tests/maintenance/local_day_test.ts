import assert from "node:assert/strict";
import { isDueToday, localMoment } from "../../src/maintenance/local_day.ts";

const HOUR_MS = 3_600_000;

/** Looks every `stepMs` from one instant to another; the local moments at which the task ran. */
function runs(
  { from, to, at, zone, stepMs = 10 * 60_000 }: {
    readonly from: string;
    readonly to: string;
    readonly at: string;
    readonly zone: string;
    readonly stepMs?: number;
  },
): string[] {
  const done: string[] = [];
  let lastDay: string | undefined;
  for (let now = Date.parse(from); now <= Date.parse(to); now += stepMs) {
    const moment = localMoment(now, zone);
    if (!isDueToday(moment, { at, lastDay })) continue;
    lastDay = moment.day;
    done.push(`${moment.day} ${moment.time}`);
  }
  return done;
}

Deno.test("localMoment() reads the clock of a zone", () => {
  const at = Date.parse("2026-03-01T00:30:00Z");
  assert.deepEqual(localMoment(at, "UTC"), { day: "2026-03-01", time: "00:30" });
  assert.deepEqual(localMoment(at, "America/New_York"), { day: "2026-02-28", time: "19:30" });
  assert.deepEqual(localMoment(at, "Asia/Kathmandu"), { day: "2026-03-01", time: "06:15" });
  assert.deepEqual(localMoment(Date.parse("2026-03-01T23:59:59.999Z"), "UTC").time, "23:59");
});

// Goal: I45. Once a local day, whatever daylight saving does to the hours.
Deno.test("a time that daylight saving skips is due at the next look", () => {
  // 02:00 becomes 03:00 on 29 March.
  const spring = { from: "2026-03-27T12:00Z", to: "2026-03-30T12:00Z", zone: "Europe/Berlin" };
  assert.deepEqual(runs({ ...spring, at: "02:30" }), [
    "2026-03-27 13:00",
    "2026-03-28 02:30",
    "2026-03-29 03:00",
    "2026-03-30 02:30",
  ]);
});

Deno.test("an hour that comes twice is one day's", () => {
  // 03:00 becomes 02:00 on 25 October.
  const autumn = { from: "2026-10-24T00:00Z", to: "2026-10-26T12:00Z", zone: "Europe/Berlin" };
  assert.deepEqual(runs({ ...autumn, at: "02:30" }), [
    "2026-10-24 02:30",
    "2026-10-25 02:30",
    "2026-10-26 02:30",
  ]);
  // Where midnight comes twice, the day before does not begin again.
  const azores = { from: "2026-10-24T12:00Z", to: "2026-10-26T12:00Z", zone: "Atlantic/Azores" };
  assert.deepEqual(runs({ ...azores, at: "00:30" }), [
    "2026-10-24 12:00",
    "2026-10-25 00:30",
    "2026-10-26 00:30",
  ]);
});

Deno.test("a late look the same day catches up, and no day that is over", () => {
  const day = { from: "2026-06-01T00:00Z", to: "2026-06-04T23:00Z", at: "03:30", zone: "UTC" };
  assert.deepEqual(runs({ ...day, from: "2026-06-01T17:00Z", stepMs: 31 * HOUR_MS }), [
    "2026-06-01 17:00",
    "2026-06-04 07:00",
  ]);
  assert.deepEqual(runs({ ...day, at: "" }), []);
  assert.deepEqual(runs({ ...day, at: "23:59" }), []);
});

Deno.test("a clock that is set back runs nothing again, and one that was wrong stops nothing", () => {
  const now = { day: "2026-06-01", time: "12:00" };
  const due = (lastDay: string | undefined) => isDueToday(now, { at: "03:30", lastDay });
  assert.deepEqual(
    [undefined, "2026-05-31", "2026-06-01", "2026-06-02", "2026-06-03", "2099-01-01"].map(due),
    [true, true, false, false, true, true],
  );
});
