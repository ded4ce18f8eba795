/** What a leaf of each primitive type looks like: numbers, dates, times, identifiers. */

/** Returns true when `value` has the shape of its type. */
export type Shape = (value: string) => boolean;

const number = /^[+-]?(\d+\.?\d*|\.\d+)$/;
const sequence = /^\d+$/;
const time = /^([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,4})?)?)?([+-](0\d|1[0-4])[0-5]\d)?$/;
const clock = /^([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,4})?)?)?$/;
const zone = /[+-](0\d|1[0-4])[0-5]\d$/;
const objectIdentifier = /^[0-2](\.(0|[1-9]\d*))+$/;
const uniqueIdentifier = /^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$/;
const hostName =
  /^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/;

/** Shapes by type name; a type without one takes any text. */
export const shapes: Readonly<Record<string, Shape>> = {
  // HL7 v2.5.1 §2.A.45: an optional sign, digits, an optional decimal point.
  NM: (value) => number.test(value),
  // §2.A.65: a non-negative integer.
  SI: (value) => sequence.test(value),
  // §2.A.21.
  DT: isDate,
  // §2.A.75.
  TM: (value) => time.test(value),
  // §2.A.22.
  DTM: isDateTime,
};

/** Shapes of a universal ID by its type, HL7 table 0301. */
export const universalIdShapes: Readonly<Record<string, Shape>> = {
  ISO: (value) => objectIdentifier.test(value),
  GUID: (value) => uniqueIdentifier.test(value),
  UUID: (value) => uniqueIdentifier.test(value),
  DNS: (value) => hostName.test(value),
};

/** Accepts `YYYY`, `YYYYMM` and `YYYYMMDD` of days that exist. */
export function isDate(value: string): boolean {
  const length = value.length;
  if ((length !== 8 && length !== 6 && length !== 4) || !sequence.test(value)) return false;
  if (length === 4) return true;
  const month = Number(value.slice(4, 6));
  if (month < 1 || month > 12) return false;
  if (length === 6) return true;
  const day = Number(value.slice(6));
  return day >= 1 && (day <= 28 || day <= daysIn(Number(value.slice(0, 4)), month));
}

/** Accepts `YYYY[MM[DD[HH[MM[SS[.S[S[S[S]]]]]]]]][+/-ZZZZ]` of instants that exist. */
export function isDateTime(value: string): boolean {
  if (value.length <= 8 && sequence.test(value)) return isDate(value);
  const unzoned = zone.test(value) ? value.slice(0, -5) : value;
  if (unzoned.length <= 8) return isDate(unzoned);
  return isDate(unzoned.slice(0, 8)) && clock.test(unzoned.slice(8));
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
