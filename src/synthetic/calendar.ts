/**
 * Time inside synthetic messages: it starts at a fixed day, never at the clock's.
 *
 * Instants are milliseconds since 1970 in UTC, written as HL7 DTM (HL7 v2.5.1 §2.A.22).
 */

export const secondMs = 1_000;
export const minuteMs = 60 * secondMs;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

/** The first instant of every synthetic story: Monday 8 January 2024, 06:00 UTC. */
export const firstInstantMs = Date.UTC(2024, 0, 8, 6);

function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

/** Writes a day as `YYYYMMDD`. */
export function hl7Date(instantMs: number): string {
  const date = new Date(instantMs);
  return `${date.getUTCFullYear()}${two(date.getUTCMonth() + 1)}${two(date.getUTCDate())}`;
}

/** Writes an instant as `YYYYMMDDHHMMSS`. */
export function hl7Time(instantMs: number): string {
  const date = new Date(instantMs);
  return hl7Date(instantMs) + two(date.getUTCHours()) + two(date.getUTCMinutes()) +
    two(date.getUTCSeconds());
}

/** Writes an instant as `YYYYMMDDHHMM`. */
export function hl7Minute(instantMs: number): string {
  return hl7Time(instantMs).slice(0, 12);
}
