/** Records of master files, one MFE group per message part: staff, charges, places, studies, tests. */

import { dayMs, hl7Date, hl7Time } from "./calendar.ts";
import { type Analyte, type Panel, panels, procedures, wards } from "./catalogue.ts";
import { inventClinician } from "./people.ts";
import type { Random } from "./random.ts";
import type { Scene } from "./scene.ts";
import { line } from "./segments.ts";

interface MasterKey {
  readonly key: string;
  /** Type of the key, HL7 table 0355. */
  readonly type?: string;
}

/** Writes MFI; `file` is from HL7 table 0175. */
export function mfi(scene: Scene, file: string): string {
  return line("MFI", {
    1: `${file}^^HL70175`,
    2: "MFHIS",
    3: "UPD",
    5: hl7Time(scene.sentMs),
    6: "NE",
  });
}

export function staff(scene: Scene): string[] {
  return records(scene, (random, record) => {
    const { id, surname, givenName } = inventClinician(random);
    const key = `${id}^${surname}^L`;
    return [
      mfe(scene, record, { key }),
      line("STF", {
        1: key,
        2: `${id}^^^MFHOSP^EI`,
        3: `${surname}^${givenName}^^^^^L`,
        4: "MD",
        7: "A",
        10: `(555)555-01${id.slice(-2)}^WPN^PH^^1^555^55501${id.slice(-2)}`,
        12: `${hl7Date(scene.sentMs - 900 * dayMs)}^MFHOSP`,
      }),
      line("PRA", { 1: key, 3: "AT", 4: "I", 5: "Invented medicine^Mock Board^C" }),
    ];
  });
}

export function charges(scene: Scene): string[] {
  return records(scene, (random, record) => {
    const { code, name } = random.pick(procedures);
    const key = `${code}^${name}^L`;
    return [
      mfe(scene, record, { key }),
      line("CDM", { 1: key, 3: name.slice(0, 20).trim(), 4: name, 8: "A", 13: "N" }),
      line("PRC", { 1: key, 4: "I~O", 5: `${random.int(20, 900)}&USD^UP`, 15: "Y", 16: "A" }),
    ];
  });
}

export function locations(scene: Scene): string[] {
  return records(scene, (random, record) => {
    const ward = random.pick(wards);
    const key = `${ward.code}^${random.int(1, 40)}^A^MFHOSP`;
    return [
      mfe(scene, record, { key, type: "PL" }),
      line("LOC", { 1: key, 2: ward.name, 3: "N" }),
      line("LCH", { 1: key, 2: "A", 4: "SMK^Smoking^HL70324", 5: "N^No^HL70136" }),
      line("LDP", { 1: key, 2: `${ward.code}^${ward.name}^L`, 5: ward.patientClass, 6: "A" }),
    ];
  });
}

/** Writes studies, with phases when the trigger event asks for them. */
export function studies(scene: Scene, hasPhases: boolean): string[] {
  return records(scene, (random, record) => {
    const key = `STUDY${random.int(100, 999)}`;
    const schedule = line("CM2", {
      1: "1",
      2: "W1^Week 1^L",
      4: "58410-2^Complete blood count^LN",
    });
    return [
      mfe(scene, record, { key: `${key}^^L` }),
      line("CM0", { 1: "1", 2: `${key}^MFHOSP`, 4: "Invented study of placebo" }),
      ...(hasPhases
        ? [line("CM1", { 1: "1", 2: "P1^Phase 1^L", 3: "First invented phase" }), schedule]
        : [schedule]),
    ];
  });
}

/** Writes tests of the kind that trigger event M08 to M12 is about. */
export function tests(scene: Scene): string[] {
  return records(scene, (random, record) => {
    const panel = random.pick(panels);
    const analyte = random.pick(panel.analytes);
    const isBattery = scene.trigger === "M10";
    const { code, name } = isBattery ? panel : analyte;
    return [
      mfe(scene, record, { key: `${code}^${name}^LN` }),
      line("OM1", {
        1: "1",
        2: `${code}^${name}^LN`,
        3: scene.trigger === "M09" ? "CE" : "NM",
        4: "Y",
        5: "MFLAB^Mock Laboratory^L",
        8: name,
        9: name.slice(0, 30).trim(),
        12: "Y",
        18: isBattery ? "P" : "A",
        30: "R^Restricted^HL70177",
      }),
      ...testDetails(scene.trigger, panel, analyte),
    ];
  });
}

export function inventory(scene: Scene): string[] {
  return records(scene, (random, record) => {
    const key = `ITEM${random.int(1000, 9999)}^Invented item^L`;
    return [
      mfe(scene, record, { key, type: "CWE" }),
      line("IIM", { 1: key, 2: key, 3: `LOT${random.digits(4)}`, 12: String(random.int(1, 500)) }),
    ];
  });
}

/** Writes bare MFE records of a general file. */
export function generalRecords(scene: Scene): string[] {
  return records(
    scene,
    (random, record) => [mfe(scene, record, { key: `REC${random.int(100, 999)}^^L` })],
  );
}

/** Writes one to three records, each with its number in the file. */
function records(scene: Scene, write: (random: Random, record: number) => string[]): string[] {
  return Array.from(
    { length: scene.random.int(1, 3) },
    (_, index) => write(scene.random, index + 1),
  ).flat();
}

function mfe(scene: Scene, record: number, { key, type = "CE" }: MasterKey): string {
  const action = scene.random.pick(["MAD", "MUP", "MDC"]);
  return line("MFE", {
    1: action,
    2: `${scene.number}-${record}`,
    3: hl7Time(scene.sentMs),
    4: key,
    5: type,
  });
}

function testDetails(trigger: string, panel: Panel, analyte: Analyte): string[] {
  const { code, name, unit, low, high } = analyte;
  const units = unit === "" ? "" : `${unit}^${unit}^UCUM`;
  const numeric = line("OM2", { 1: "1", 2: units, 6: `${low}&${high}` });
  switch (trigger) {
    case "M08":
      return [numeric];
    case "M09":
      return [line("OM3", { 1: "1", 4: "NEG^Negative^L", 5: "POS^Positive^L", 7: "CE" })];
    case "M10": {
      const members = panel.analytes.map((one) => `${one.code}^${one.name}^LN`).join("~");
      return [line("OM5", { 1: "1", 2: members })];
    }
    case "M11":
      return [line("OM6", { 1: "1", 2: "Quotient of two invented numbers" }), numeric];
    default:
      return [line("OM7", { 1: "1", 2: `${code}^${name}^LN`, 11: "N" })];
  }
}
