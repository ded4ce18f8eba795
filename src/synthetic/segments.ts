/**
 * Builders of single segments, each returning one line without its CR.
 *
 * Field numbers are those of HL7 v2.5.1 chapters 2 to 8; values come ready, delimiters and all.
 */

import { hl7Date, hl7Time } from "./calendar.ts";
import type { Allergy, Coded } from "./catalogue.ts";
import {
  addressOf,
  birthOf,
  type Clinician,
  clinicianOf,
  nameOf,
  type Person,
  phoneOf,
  recordNumberOf,
} from "./people.ts";

/** Fields by position; an empty one may be left out. */
export type Fields = Readonly<Record<number, string>>;

/** One stay or appointment of a person. */
export interface Visit {
  readonly number: string;
  readonly account: string;
  /** HL7 table 0004. */
  readonly patientClass: string;
  /** PL: point of care, room, bed, facility. */
  readonly location: string;
  readonly attending: Clinician;
  /** The first is the reason of the visit. */
  readonly diagnoses: readonly Coded[];
  readonly admittedMs: number;
  readonly dischargedMs?: number;
}

/** Writes one segment: `line("NTE", { 1: "1", 3: "text" })` is `NTE|1||text`. */
export function line(id: string, fields: Fields): string {
  let text = id;
  let written = 0;
  // Integer keys come in ascending order, whatever the order of writing.
  for (const key in fields) {
    const value = fields[key] as string;
    if (value === "") continue;
    const position = Number(key);
    text += "|".repeat(position - written) + value;
    written = position;
  }
  return text;
}

/** Joins segments into a message; every segment ends with CR, the last included. */
export function message(segments: readonly string[]): string {
  return segments.join("\r") + "\r";
}

export interface Header {
  readonly code: string;
  readonly trigger: string;
  /** MSH-9.3, `"ADT_A01"`. */
  readonly structure: string;
  readonly controlId: string;
  readonly sentMs: number;
  /** MSH-3, default `MFHIS`. */
  readonly application?: string;
}

export function msh(header: Header): string {
  const { code, trigger, structure, controlId, sentMs, application = "MFHIS" } = header;
  return `MSH|^~\\&|${application}|MFHOSP|MEFOR|MFHUB|${hl7Time(sentMs)}||` +
    `${code}^${trigger}^${structure}|${controlId}|T|2.5.1`;
}

export function evn(trigger: string, recordedMs: number): string {
  const time = hl7Time(recordedMs);
  return `EVN|${trigger}|${time}||||${time}`;
}

export function pid(person: Person, account = ""): string {
  const [raceCode, raceName] = person.race;
  return line("PID", {
    1: "1",
    3: recordNumberOf(person),
    5: nameOf(person),
    7: birthOf(person),
    8: person.sex,
    10: `${raceCode}^${raceName}^HL70005`,
    11: addressOf(person),
    13: phoneOf(person),
    15: "en^English^ISO639",
    16: `${person.maritalStatus}^^HL70002`,
    18: account,
    19: person.securityNumber,
  });
}

export function pv1(visit: Visit): string {
  return line("PV1", {
    1: "1",
    2: visit.patientClass,
    3: visit.location,
    4: visit.patientClass === "E" ? "E" : "R",
    7: clinicianOf(visit.attending),
    10: visit.patientClass === "I" ? "MED" : "AMB",
    19: visit.number,
    36: visit.dischargedMs === undefined ? "" : "01",
    44: hl7Time(visit.admittedMs),
    45: visit.dischargedMs === undefined ? "" : hl7Time(visit.dischargedMs),
  });
}

export function pv2(reason: Coded): string {
  return line("PV2", { 3: `${reason.code}^${reason.name}^I10C` });
}

export function pd1(clinician: Clinician): string {
  return line("PD1", { 3: "Sample Family Practice^^1001", 4: clinicianOf(clinician) });
}

export function nk1(relative: Person, setId = 1): string {
  return line("NK1", {
    1: String(setId),
    2: nameOf(relative),
    3: "SPO^Spouse^HL70063",
    4: addressOf(relative),
    5: phoneOf(relative),
    7: "C^Emergency Contact^HL70131",
  });
}

export function al1(allergy: Allergy, setId: number): string {
  return line("AL1", {
    1: String(setId),
    2: `${allergy.type}^^HL70127`,
    3: `${allergy.code}^${allergy.name}^L`,
    4: "MO^Moderate^HL70128",
    5: allergy.reaction,
  });
}

export function dg1(diagnosis: Coded, setId: number, diagnosedMs: number): string {
  return line("DG1", {
    1: String(setId),
    3: `${diagnosis.code}^${diagnosis.name}^I10C`,
    5: hl7Time(diagnosedMs),
    6: "W",
    15: String(setId),
  });
}

export function gt1(guarantor: Person): string {
  return line("GT1", {
    1: "1",
    2: `${guarantor.recordNumber}^^^MFHOSP^GI`,
    3: nameOf(guarantor),
    5: addressOf(guarantor),
    6: phoneOf(guarantor),
    8: birthOf(guarantor),
    9: guarantor.sex,
    11: "SEL^Self^HL70063",
  });
}

export function in1(payer: Coded, person: Person, coveredFromMs: number): string {
  return line("IN1", {
    1: "1",
    2: `${payer.code}01^${payer.name} Standard^L`,
    3: `${payer.code}^^^MFHOSP^NIIP`,
    4: payer.name,
    5: "1 Example Crescent^^Mockton^ZZ^00002^USA^B",
    8: `GRP${person.recordNumber.slice(-4)}`,
    12: hl7Date(coveredFromMs),
    15: "HMO",
    16: nameOf(person),
    17: "SEL^Self^HL70063",
    18: birthOf(person),
    19: addressOf(person),
    36: `POL${person.recordNumber}`,
  });
}

export function nte(comment: string, setId = 1): string {
  return `NTE|${setId}|L|${comment}`;
}

export function merge(person: Person, account = ""): string {
  return line("MRG", { 1: recordNumberOf(person), 3: account, 7: nameOf(person) });
}
