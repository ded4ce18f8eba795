/**
 * When a task is due that runs once a local day, at a time of day.
 *
 * A day and a time are read off the zone's clock, so a time that daylight saving skips is passed at
 * the next look, and an hour that comes twice is one day's all the same. Source: spec
 * pipeline-store-cluster §5.
 */

/** As a clock on the wall shows it; both sort as text. */
export interface LocalMoment {
  /** `"2026-11-28"` */
  readonly day: string;
  /** `"03:30"` */
  readonly time: string;
}

/** @param zone an IANA name; the machine's own when left out. */
export function localMoment(epochMs: number, zone?: string): LocalMoment {
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone: zone,
    calendar: "iso8601",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
  });
  const parts = new Map(format.formatToParts(epochMs).map(({ type, value }) => [type, value]));
  const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) ?? "";
  return {
    day: `${part("year").padStart(4, "0")}-${part("month")}-${part("day")}`,
    time: `${part("hour")}:${part("minute")}`,
  };
}

/**
 * Whether the task of today waits. A day that is over is not caught up.
 *
 * @param at `"HH:MM"`, or `""` for never.
 * @param lastDay the day it was last done for. One that lies ahead is of a clock that was wrong: by
 * hours it counts as today, by more it is forgotten.
 */
export function isDueToday(
  now: LocalMoment,
  { at, lastDay }: { readonly at: string; readonly lastDay: string | undefined },
): boolean {
  if (at === "" || now.time < at) return false;
  if (lastDay === undefined || lastDay < now.day) return true;
  return Date.parse(lastDay) - Date.parse(now.day) > DAY_MS;
}

const DAY_MS = 86_400_000;
