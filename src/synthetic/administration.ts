/** Segments of admissions, billing and documents: DB1, PR1, ACC, IAM, NPU, FT1, GP1, TXA and kin. */

import { hl7Date, hl7Time, hourMs, minuteMs } from "./calendar.ts";
import { procedures } from "./catalogue.ts";
import { clinicianOf } from "./people.ts";
import type { Scene } from "./scene.ts";
import { line } from "./segments.ts";

export function npu({ visit }: Scene): string {
  return line("NPU", { 1: visit.location, 2: "U" });
}

export function db1({ file, visit }: Scene): string {
  return line("DB1", {
    1: "1",
    2: "PT",
    3: `${file.person.recordNumber}^^^MFHOSP^MR`,
    4: "N",
    5: hl7Date(visit.admittedMs),
  });
}

export function acc({ visit, random }: Scene): string {
  return line("ACC", {
    1: hl7Time(visit.admittedMs - random.int(1, 5) * hourMs),
    2: "FALL^Fall at home^L",
    5: random.pick(["N", "Y"]),
    6: "N",
    8: "Invented accident",
  });
}

/** Writes the stay's procedures, at most two. */
export function pr1(scene: Scene): string[] {
  return chosenProcedures(scene).map((procedure, index) =>
    line("PR1", {
      1: String(index + 1),
      3: `${procedure.code}^${procedure.name}^L`,
      5: hl7Time(scene.visit.admittedMs + (index + 1) * hourMs),
      6: "P",
      11: clinicianOf(scene.visit.attending),
      14: String(index + 1),
    })
  );
}

/** Writes the same procedures, each with the GP2 that prices it. */
export function pricedProcedures(scene: Scene): string[] {
  return pr1(scene).flatMap((procedure) => [
    procedure,
    line("GP2", { 1: "450", 2: "1", 3: "120&USD^UP", 5: "0" }),
  ]);
}

export function gp1(): string {
  return line("GP1", { 1: "131", 2: "450", 3: "0" });
}

export function drg({ visit }: Scene): string {
  return line("DRG", { 1: "194^Simple pneumonia^L", 2: hl7Time(visit.admittedMs), 3: "Y", 6: "1" });
}

export function ub2(): string {
  return line("UB2", { 1: "1", 2: "0", 4: "3", 5: "0" });
}

export function abs({ visit }: Scene): string {
  return line("ABS", { 1: clinicianOf(visit.attending), 4: hl7Time(visit.admittedMs), 10: "N" });
}

/** Writes one allergy as IAM adds it. */
export function iam({ file }: Scene): string[] {
  return file.allergies.map((allergy, index) =>
    line("IAM", {
      1: String(index + 1),
      2: `${allergy.type}^^HL70127`,
      3: `${allergy.code}^${allergy.name}^L`,
      4: "MO^Moderate^HL70128",
      5: allergy.reaction,
      6: "A^Add or Insert^HL70323",
    })
  );
}

/** Writes charges and, now and then, a credit; amounts in US dollars. */
export function ft1(scene: Scene): string[] {
  const { visit, random, number } = scene;
  return chosenProcedures(scene).map((procedure, index) => {
    const amount = String(random.int(20, 900));
    return line("FT1", {
      1: String(index + 1),
      2: `T${number.slice(-9)}${index}`,
      4: hl7Time(visit.admittedMs + (index + 1) * hourMs),
      5: hl7Time(visit.admittedMs + (index + 2) * hourMs),
      6: index > 0 && random.chance(20) ? "CR" : "CG",
      7: `${procedure.code}^${procedure.name}^L`,
      10: "1",
      11: `${amount}&USD^TP`,
      12: `${amount}&USD^UP`,
      13: "LAB^Laboratory^L",
      16: visit.location,
      20: clinicianOf(visit.attending),
      25: `${procedure.code}^${procedure.name}^L`,
    });
  });
}

/** Writes the header of one document; an addendum or replacement names its parent. */
export function txa({ visit, number, trigger, sentMs }: Scene): string {
  const hasParent = ["T05", "T06", "T07", "T08", "T09", "T10"].includes(trigger);
  return line("TXA", {
    1: "1",
    2: "DS",
    3: "TX",
    4: hl7Time(sentMs - 30 * minuteMs),
    5: clinicianOf(visit.attending),
    6: hl7Time(sentMs - 20 * minuteMs),
    9: clinicianOf(visit.attending),
    12: `D${number}^MFDOC`,
    13: hasParent ? `D${number}P^MFDOC` : "",
    17: trigger === "T11" ? "DI" : "AU",
    18: "U",
    19: trigger === "T11" ? "CA" : "AV",
  });
}

/** Writes the document itself: some lines of text, then a small file carried as base64. */
export function documentBody({ visit, random }: Scene): string[] {
  const code = "18842-5^Discharge summary^LN";
  const [reason] = visit.diagnoses;
  const lines = [
    "Invented discharge summary.",
    `Reason of the stay: ${reason?.name ?? "not stated"}.`,
    random.pick(["Recovered.", "Improved \\T\\ discharged home.", "Follow up in two weeks."]),
  ];
  return [
    ...lines.map((text, index) => `OBX|${index + 1}|TX|${code}|${index + 1}|${text}||||||F`),
    `OBX|${lines.length + 1}|ED|${code}||^AP^Octet-stream^Base64^${btoa(lines.join("\n"))}||||||F`,
  ];
}

function chosenProcedures({ visit, number }: Scene) {
  // Drawn from the number, not from the stream, so that PR1 and FT1 of one message agree.
  const first = Number(number.slice(-3)) % procedures.length;
  const second = (first + 1 + visit.diagnoses.length) % procedures.length;
  return [first, second].map((index) => procedures[index] as (typeof procedures)[number]);
}
