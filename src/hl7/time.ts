/**
 * HL7 timestamps and what is derived from them: `YYYY[MM[DD[HH[MM[SS[.f]]]]]][±ZZZZ]`.
 *
 * Precision is kept: a date never turns into midnight. Everything is a function of its arguments
 * but `now()`, which is for stamping only. Source: HL7 v2.5.1 §2.A.77.
 */
import { Hl7SyntaxError } from "./errors.ts";

export type TimestampPrecision =
  | "year"
  | "month"
  | "day"
  | "hour"
  | "minute"
  | "second"
  | "fraction";

/** A timestamp in its parts; what its precision leaves out is undefined. */
export interface Hl7Timestamp {
  readonly precision: TimestampPrecision;
  readonly year: number;
  readonly month: number | undefined;
  readonly day: number | undefined;
  readonly hour: number | undefined;
  readonly minute: number | undefined;
  readonly second: number | undefined;
  /** The digits after the point: `"123"`. */
  readonly fraction: string | undefined;
  /** Minutes east of UTC. */
  readonly offsetMinutes: number | undefined;
}

export interface ConvertOptions {
  /** IANA zone of the result: `"Europe/Berlin"`. */
  readonly to: string;
  /** IANA zone of timestamps that carry no offset. */
  readonly from?: string;
  /** Whether the result carries an offset; by default it does when the source did. */
  readonly withOffset?: boolean;
}

export interface NowOptions {
  /** IANA zone; the host's when left out. */
  readonly zone?: string;
  readonly precision?: "day" | "minute" | "second";
  readonly withOffset?: boolean;
}

export interface LengthOfStay {
  /** Calendar dates between admission and discharge: 0 on the same day. */
  readonly days: number;
  /** Minutes elapsed; undefined when a time of day, or one of two offsets, is missing. */
  readonly minutes: number | undefined;
}

/** A timestamp as a read gives it. HL7 null (`""` in quotes) counts as missing. */
type Read = string | undefined;

const timestampPattern =
  /^(\d{4})(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:(\d\d)(?:\.(\d{1,9}))?)?)?)?)?)?(?:([+-])(\d\d)(\d\d))?$/;

export const hl7Time = Object.freeze({
  /**
   * Takes a timestamp apart; undefined when there is none.
   *
   * @throws {Hl7SyntaxError} `hl7.timestamp_invalid` for a malformed one or a date that is none.
   */
  parse(text: Read): Hl7Timestamp | undefined {
    return isMissing(text) ? undefined : parseTimestamp(text);
  },

  /** Writes parts back, as precise as they are. */
  format(timestamp: Hl7Timestamp): string {
    return formatTimestamp(timestamp);
  },

  /**
   * Moves a timestamp to another zone. One without a time of day is no instant and comes back as it
   * is; a missing one is undefined.
   *
   * @throws {Hl7SyntaxError} `hl7.zone_missing` without an offset and `from`, `hl7.zone_unknown`,
   * `hl7.timestamp_invalid`.
   */
  convert(text: Read, options: ConvertOptions): string | undefined {
    if (isMissing(text)) return undefined;
    const timestamp = parseTimestamp(text);
    return timestamp.hour === undefined ? text : convertTimestamp(timestamp, options);
  },

  /** The present time. Reads the clock: stamp with it, never decide by it. */
  now({ zone, precision = "second", withOffset = false }: NowOptions = {}): string {
    const at = inZone(() => Temporal.Now.zonedDateTimeISO(zone));
    return formatTimestamp(partsOf(at, { precision, fraction: undefined, withOffset }));
  },

  /**
   * Whole years from `birth` (PID-7) to `at`; undefined when either is missing. A year or month
   * alone counts from its first day.
   *
   * @throws {Hl7SyntaxError} `hl7.timestamp_invalid`, `hl7.timestamps_reversed`
   */
  age(birth: Read, at: Read): number | undefined {
    if (isMissing(birth) || isMissing(at)) return undefined;
    const from = dateNumber(parseTimestamp(birth));
    const to = dateNumber(parseTimestamp(at));
    if (to < from) throw reversed();
    return Math.floor((to - from) / 10_000);
  },

  /**
   * From admission (PV1-44) to discharge (PV1-45); undefined when either is missing.
   *
   * @throws {Hl7SyntaxError} `hl7.timestamp_invalid`, `hl7.timestamps_reversed`
   */
  lengthOfStay(admission: Read, discharge: Read): LengthOfStay | undefined {
    if (isMissing(admission) || isMissing(discharge)) return undefined;
    const from = parseTimestamp(admission);
    const to = parseTimestamp(discharge);
    if ((compareTimestamps(from, to) ?? 0) > 0) throw reversed();
    const days = plainDate(from).until(plainDate(to), { largestUnit: "days" }).days;
    return { days: Math.max(days, 0), minutes: elapsedMinutes(from, to) };
  },
});

/**
 * Orders two timestamps as far as both are precise: negative, 0 or positive. Offsets count when
 * both have one. Undefined when only one has, and the difference is less than offsets can make.
 */
export function compareTimestamps(a: Hl7Timestamp, b: Hl7Timestamp): number | undefined {
  const reach = Math.min(reachOf(a), reachOf(b));
  const local = secondsAt(a, reach) - secondsAt(b, reach);
  if (reach < precisions.indexOf("hour")) return Math.sign(local);
  if (a.offsetMinutes !== undefined && b.offsetMinutes !== undefined) {
    return Math.sign(local - (a.offsetMinutes - b.offsetMinutes) * 60);
  }
  const isMixed = a.offsetMinutes !== b.offsetMinutes;
  return isMixed && Math.abs(local) <= offsetSpreadSeconds ? undefined : Math.sign(local);
}

const precisions: readonly TimestampPrecision[] = [
  "year",
  "month",
  "day",
  "hour",
  "minute",
  "second",
  "fraction",
];

/** Zones reach from -12:00 to +14:00. */
const offsetSpreadSeconds = 26 * 3600;

/** @throws {Hl7SyntaxError} `hl7.timestamp_invalid` */
export function parseTimestamp(text: string): Hl7Timestamp {
  const match = timestampPattern.exec(text);
  if (match === null) throw invalid();
  const part = (n: number) => match[n] === undefined ? undefined : Number(match[n]);
  const filled = match.slice(1, 8).findLastIndex((each) => each !== undefined);
  const timestamp: Hl7Timestamp = {
    precision: precisions[filled] as TimestampPrecision,
    year: Number(match[1]),
    month: part(2),
    day: part(3),
    hour: part(4),
    minute: part(5),
    second: part(6),
    fraction: match[7],
    offsetMinutes: match[8] === undefined
      ? undefined
      : (match[8] === "-" ? -1 : 1) * (Number(match[9]) * 60 + Number(match[10])),
  };
  if (!isPossible(timestamp) || Number(match[10] ?? 0) > 59) throw invalid();
  return timestamp;
}

function isPossible(timestamp: Hl7Timestamp): boolean {
  const { year, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = timestamp;
  const daysInMonth = [31, isLeap(year) ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  return year >= 1 && day >= 1 && day <= (daysInMonth[month - 1] ?? 0) && hour <= 23 &&
    minute <= 59 && second <= 59 && Math.abs(timestamp.offsetMinutes ?? 0) <= 14 * 60;
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

function formatTimestamp(timestamp: Hl7Timestamp): string {
  const { year, month, day, hour, minute, second, fraction, offsetMinutes } = timestamp;
  let text = String(year).padStart(4, "0");
  for (const part of [month, day, hour, minute, second]) {
    if (part === undefined) break;
    text += String(part).padStart(2, "0");
  }
  if (fraction !== undefined) text += "." + fraction;
  return offsetMinutes === undefined ? text : text + formatOffset(offsetMinutes);
}

function formatOffset(minutes: number): string {
  const size = Math.abs(minutes);
  const digits = Math.trunc(size / 60) * 100 + size % 60;
  return (minutes < 0 ? "-" : "+") + String(digits).padStart(4, "0");
}

function convertTimestamp(timestamp: Hl7Timestamp, options: ConvertOptions): string {
  const hasOffset = timestamp.offsetMinutes !== undefined;
  const zone = hasOffset ? isoOffset(timestamp.offsetMinutes) : options.from;
  if (zone === undefined) {
    throw new Hl7SyntaxError(
      "hl7.zone_missing",
      'Cannot convert timestamp: it has no offset and "from" names no zone',
    );
  }
  const target = inZone(() =>
    plainDateTime(timestamp).toZonedDateTime(zone).withTimeZone(options.to)
  );
  // An hour alone cannot say 05:30.
  const isTooCoarse = timestamp.precision === "hour" && target.minute !== 0;
  return formatTimestamp(partsOf(target, {
    precision: isTooCoarse ? "minute" : timestamp.precision,
    fraction: timestamp.fraction,
    withOffset: options.withOffset ?? hasOffset,
  }));
}

function partsOf(
  at: Temporal.ZonedDateTime,
  { precision, fraction, withOffset }: {
    precision: TimestampPrecision;
    fraction: string | undefined;
    withOffset: boolean;
  },
): Hl7Timestamp {
  const reach = precisions.indexOf(precision);
  return {
    precision,
    year: at.year,
    month: reach >= 1 ? at.month : undefined,
    day: reach >= 2 ? at.day : undefined,
    hour: reach >= 3 ? at.hour : undefined,
    minute: reach >= 4 ? at.minute : undefined,
    second: reach >= 5 ? at.second : undefined,
    fraction,
    offsetMinutes: withOffset ? Math.round(at.offsetNanoseconds / 60e9) : undefined,
  };
}

function plainDate({ year, month = 1, day = 1 }: Hl7Timestamp): Temporal.PlainDate {
  return new Temporal.PlainDate(year, month, day);
}

function plainDateTime(timestamp: Hl7Timestamp): Temporal.PlainDateTime {
  const { year, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = timestamp;
  return new Temporal.PlainDateTime(year, month, day, hour, minute, second);
}

function dateNumber({ year, month = 1, day = 1 }: Hl7Timestamp): number {
  return year * 10_000 + month * 100 + day;
}

/** Seconds since the epoch as the clock on the wall counts, down to the precision at `reach`. */
function secondsAt(timestamp: Hl7Timestamp, reach: number): number {
  const { year, month = 1, day = 1, hour = 0, minute = 0, second = 0, fraction = "" } = timestamp;
  const at = new Date(0);
  at.setUTCFullYear(year, reach >= 1 ? month - 1 : 0, reach >= 2 ? day : 1);
  at.setUTCHours(reach >= 3 ? hour : 0, reach >= 4 ? minute : 0, reach >= 5 ? second : 0);
  return at.getTime() / 1000 + (reach >= 6 ? Number(`0.${fraction}`) : 0);
}

function reachOf(timestamp: Hl7Timestamp): number {
  return precisions.indexOf(timestamp.precision);
}

function elapsedMinutes(from: Hl7Timestamp, to: Hl7Timestamp): number | undefined {
  if (from.hour === undefined || to.hour === undefined) return undefined;
  if ((from.offsetMinutes === undefined) !== (to.offsetMinutes === undefined)) return undefined;
  const reach = Math.min(reachOf(from), reachOf(to));
  const offsets = (to.offsetMinutes ?? 0) - (from.offsetMinutes ?? 0);
  return Math.floor((secondsAt(to, reach) - secondsAt(from, reach)) / 60) - offsets;
}

function isoOffset(minutes: number): string {
  return formatOffset(minutes).replace(/^(...)/, "$1:");
}

/** Runs `act`, whose only way to fail is a zone the runtime does not know. */
function inZone<T>(act: () => T): T {
  try {
    return act();
  } catch {
    throw new Hl7SyntaxError("hl7.zone_unknown", "Cannot use time zone: want an IANA name", {
      hint: 'For example "Europe/Berlin"',
    });
  }
}

function isMissing(text: Read): text is undefined | "" | '""' {
  return text === undefined || text === "" || text === '""';
}

function invalid(): Hl7SyntaxError {
  return new Hl7SyntaxError(
    "hl7.timestamp_invalid",
    "Cannot read timestamp: want YYYY[MM[DD[HH[MM[SS[.f]]]]]][+-ZZZZ] and a date that exists",
  );
}

function reversed(): Hl7SyntaxError {
  return new Hl7SyntaxError(
    "hl7.timestamps_reversed",
    "Cannot measure time: the second timestamp is before the first",
  );
}
