/** Orders and administrations of invented medicines, and vaccinations. */

import { dayMs, hl7Date, hl7Time } from "./calendar.ts";
import { type Drug, vaccines } from "./catalogue.ts";
import { clinicianOf } from "./people.ts";
import type { Scene } from "./scene.ts";
import { line } from "./segments.ts";

const routes: Readonly<Record<string, string>> = {
  PO: "PO^Oral^HL70162",
  IV: "IV^Intravenous^HL70162",
  IM: "IM^Intramuscular^HL70162",
};

/** Writes an encoded order for each medicine: ORC, RXO, RXR, RXE, TQ1, RXR. */
export function encodedOrders(scene: Scene): string[] {
  return scene.drugs.flatMap((drug, index) => [
    drugOrc(scene, index, "NW"),
    rxo(drug),
    rxr(drug),
    rxe(drug),
    tq1(scene, drug),
    rxr(drug),
  ]);
}

/** Writes what was given of each medicine: ORC, RXE, TQ1, RXR, RXA, RXR. */
export function administrations(scene: Scene): string[] {
  return scene.drugs.flatMap((drug, index) => [
    drugOrc(scene, index, "RE"),
    rxe(drug),
    tq1(scene, drug),
    rxr(drug),
    line("RXA", {
      1: "0",
      2: "1",
      3: hl7Time(scene.visit.admittedMs),
      4: hl7Time(scene.visit.admittedMs),
      5: `${drug.code}^${drug.name}^L`,
      6: drug.dose,
      7: `${drug.unit}^${drug.unit}^UCUM`,
      10: clinicianOf(scene.visit.attending),
      20: "CP",
    }),
    rxr(drug),
  ]);
}

/** Writes one to three vaccinations: ORC, RXA, RXR, OBX. */
export function vaccinations(scene: Scene): string[] {
  const { random, visit, number } = scene;
  return random.some(vaccines, random.int(1, 3)).flatMap((vaccine, index) => [
    drugOrc(scene, index, "RE"),
    line("RXA", {
      1: "0",
      2: "1",
      3: hl7Time(visit.admittedMs),
      4: hl7Time(visit.admittedMs),
      5: `${vaccine.code}^${vaccine.name}^CVX`,
      6: "0.5",
      7: "mL^mL^UCUM",
      9: "00^New immunization record^NIP001",
      10: clinicianOf(visit.attending),
      15: `LOT${number.slice(-5)}${index}`,
      16: hl7Date(visit.admittedMs + 300 * dayMs),
      17: "ZZM^Mock Vaccines^MVX",
      20: "CP",
      21: "A",
    }),
    line("RXR", { 1: routes.IM as string, 2: "LA^Left Arm^HL70163" }),
    "OBX|1|CE|64994-7^Vaccine funding program eligibility category^LN||" +
    "V01^Not VFC eligible^HL70064||||||F",
  ]);
}

function drugOrc({ visit, number, sentMs }: Scene, index: number, control: string): string {
  return line("ORC", {
    1: control,
    2: `R${number}${index}^MFHIS`,
    3: control === "NW" ? "" : `X${number}${index}^MFRX`,
    9: hl7Time(sentMs),
    12: clinicianOf(visit.attending),
  });
}

function rxo(drug: Drug): string {
  return line("RXO", {
    1: `${drug.code}^${drug.name}^L`,
    2: drug.dose,
    4: `${drug.unit}^${drug.unit}^UCUM`,
    5: `${drug.form}^^L`,
    9: "G",
  });
}

function rxe(drug: Drug): string {
  return line("RXE", {
    2: `${drug.code}^${drug.name}^L`,
    3: drug.dose,
    5: `${drug.unit}^${drug.unit}^UCUM`,
    6: `${drug.form}^^L`,
    9: "N",
    10: "20",
  });
}

function rxr(drug: Drug): string {
  return line("RXR", { 1: routes[drug.route] ?? `${drug.route}^^HL70162` });
}

function tq1({ visit }: Scene, drug: Drug): string {
  return line("TQ1", {
    1: "1",
    3: drug.repeat,
    7: hl7Time(visit.admittedMs),
    9: "R^Routine^HL70485",
  });
}
