/** Orders and their results: ORC, OBR, OBX, SPM, with values that fit their reference ranges. */

import { hl7Time } from "./calendar.ts";
import type { Analyte, Panel } from "./catalogue.ts";
import { type Clinician, clinicianOf } from "./people.ts";
import type { Random } from "./random.ts";
import { line, nte } from "./segments.ts";

/** One ordered battery; both numbers stay the same from the order to the last result. */
export interface Order {
  /** EI of the placer, at most 22 characters. */
  readonly placerNumber: string;
  /** EI of the filler, at most 22 characters. */
  readonly fillerNumber: string;
  readonly panel: Panel;
  readonly orderedBy: Clinician;
  readonly orderedMs: number;
  readonly collectedMs: number;
  readonly receivedMs: number;
  /** Measured values in the panel's order; what is not there yet has no OBX. */
  readonly values: readonly number[];
}

/** Draws a value for each analyte: three of four lie inside the reference range. */
export function measure(panel: Panel, random: Random): number[] {
  return panel.analytes.map(({ low, high }) => {
    const span = high - low;
    const share = random.int(0, 1000) / 1000;
    if (random.chance(75)) return low + share * span;
    return random.chance(50) ? high + share * span : Math.max(low / 4, low - share * span / 2);
  });
}

/** Tells how far a written value strays from its range. Source: HL7 table 0078. */
export function abnormalFlag(analyte: Analyte, written: string): "N" | "L" | "H" | "LL" | "HH" {
  const value = Number(written);
  const alarm = (analyte.high - analyte.low) * 0.6;
  if (value > analyte.high + alarm) return "HH";
  if (value > analyte.high) return "H";
  if (value < analyte.low / 2) return "LL";
  if (value < analyte.low) return "L";
  return "N";
}

/** Writes ORC; `control` is from HL7 table 0119, `status` from 0038. */
export function orc(order: Order, control: string, status: string): string {
  return line("ORC", {
    1: control,
    2: order.placerNumber,
    3: control === "NW" ? "" : order.fillerNumber,
    5: status,
    9: hl7Time(order.orderedMs),
    12: clinicianOf(order.orderedBy),
  });
}

/** Writes OBR of an order without results. */
export function obrOrdered(order: Order, setId: number): string {
  return line("OBR", {
    1: String(setId),
    2: order.placerNumber,
    4: serviceOf(order.panel),
    5: "R",
    6: hl7Time(order.orderedMs),
    16: clinicianOf(order.orderedBy),
    24: order.panel.section,
  });
}

/** Writes OBR of a report; `status` is from HL7 table 0123. */
export function obrReported(
  order: Order,
  setId: number,
  { status, reportedMs }: { status: string; reportedMs: number },
): string {
  return line("OBR", {
    1: String(setId),
    2: order.placerNumber,
    3: order.fillerNumber,
    4: serviceOf(order.panel),
    7: hl7Time(order.collectedMs),
    14: hl7Time(order.receivedMs),
    16: clinicianOf(order.orderedBy),
    22: hl7Time(reportedMs),
    24: order.panel.section,
    25: status,
  });
}

/** Writes the first `count` results of an order as OBX of type NM; `status` is from table 0085. */
export function results(
  order: Order,
  { status, reportedMs, count = order.values.length }: {
    status: string;
    reportedMs: number;
    count?: number;
  },
): string[] {
  const lines: string[] = [];
  for (const [index, analyte] of order.panel.analytes.entries()) {
    const value = order.values[index];
    if (value === undefined || index >= count) break;
    lines.push(resultLine({ setId: index + 1, analyte, value, status, reportedMs }));
  }
  return lines;
}

/** Writes one numeric result with unit, reference range and abnormal flag. */
export function resultLine({ setId, analyte, value, status, reportedMs }: {
  setId: number;
  analyte: Analyte;
  value: number;
  status: string;
  reportedMs: number;
}): string {
  const written = value.toFixed(analyte.decimals);
  const unit = analyte.unit === "" ? "" : `${analyte.unit}^${analyte.unit}^UCUM`;
  return `OBX|${setId}|NM|${analyte.code}^${analyte.name}^LN||${written}|${unit}` +
    `|${analyte.low}-${analyte.high}|${abnormalFlag(analyte, written)}|||${status}` +
    `|||${hl7Time(reportedMs)}`;
}

/** Writes a whole report: one ORC, OBR, OBX… group an order, comments now and then. */
export function report(
  orders: readonly Order[],
  { status, reportedMs, count, comment }: {
    status: "P" | "F" | "C";
    reportedMs: number;
    count?: number;
    comment?: string;
  },
): string[] {
  return orders.flatMap((order, index) => [
    orc(order, "RE", status === "P" ? "A" : "CM"),
    obrReported(order, index + 1, { status, reportedMs }),
    ...(comment === undefined || index > 0 ? [] : [nte(comment)]),
    ...results(order, count === undefined ? { status, reportedMs } : { status, reportedMs, count }),
  ]);
}

/** Writes SPM for the specimen an order is measured in. */
export function spm(order: Order, setId: number): string {
  const [code, name] = order.panel.specimen;
  return line("SPM", {
    1: String(setId),
    2: `${order.placerNumber.replaceAll("^", "&")}`,
    4: `${code}^${name}^HL70487`,
    17: hl7Time(order.collectedMs),
  });
}

/** Writes the CE of what a panel measures. */
export function serviceOf(panel: Panel): string {
  return `${panel.code}^${panel.name}^LN`;
}
