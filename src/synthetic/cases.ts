/** One person's case: who they are, what they suffer from, who pays; and the visits they make. */

import { dayMs, hourMs, minuteMs } from "./calendar.ts";
import {
  allergies,
  type Allergy,
  type Coded,
  diagnoses,
  type Panel,
  panels,
  payers,
  wards,
} from "./catalogue.ts";
import { measure, type Order } from "./laboratory.ts";
import { inventClinician, inventPerson, inventRelative, type Person } from "./people.ts";
import { Random, type Seed } from "./random.ts";
import { evn, msh, pid, pv1, type Visit } from "./segments.ts";

/** What stays true of a person from visit to visit. */
export interface Case {
  readonly person: Person;
  readonly relative: Person;
  readonly allergies: readonly Allergy[];
  readonly payer: Coded;
  readonly coveredFromMs: number;
}

/** Invents case number `index` of `seed`. */
export function inventCase(seed: Seed, index: number): Case {
  const person = inventPerson(seed, index);
  const random = new Random(`${seed}/case/${index}`);
  return {
    person,
    relative: inventRelative(person, random),
    allergies: random.some(allergies, random.int(0, 3)),
    payer: random.pick(payers),
    coveredFromMs: person.birthMs + 30 * dayMs,
  };
}

/** Invents visit number `number` of a person, who arrives at `arrivedMs`. */
export function inventVisit(
  person: Person,
  number: number,
  { random, arrivedMs }: { random: Random; arrivedMs: number },
): Visit {
  const ward = random.pick(wards);
  const suffix = String(number).padStart(4, "0");
  return {
    number: `V${person.recordNumber}${suffix}^^^MFHOSP^VN`,
    account: `A${person.recordNumber}${suffix}^^^MFHOSP^AN`,
    patientClass: ward.patientClass,
    location: `${ward.code}^${random.int(1, 40)}^${random.pick(["A", "B"])}^MFHOSP`,
    attending: inventClinician(random),
    diagnoses: random.some(diagnoses, random.int(1, 2)),
    admittedMs: arrivedMs,
  };
}

/**
 * Invents orders for one to three panels; `number` makes their order numbers unique and has at most
 * 13 characters.
 */
export function inventOrders(
  visit: Visit,
  number: string,
  { random, orderedMs }: { random: Random; orderedMs: number },
): Order[] {
  return random.some(panels, random.int(1, 3)).map((panel: Panel, index) => ({
    placerNumber: `P${number}${index}^MFHIS`,
    fillerNumber: `F${number}${index}^MFLAB`,
    panel,
    orderedBy: visit.attending,
    orderedMs,
    collectedMs: orderedMs + random.int(2, 10) * minuteMs,
    receivedMs: orderedMs + random.int(11, 25) * minuteMs,
    values: measure(panel, random),
  }));
}

/** Longest time from an order to the arrival of its specimen, in milliseconds. */
export const specimenMs = hourMs / 2;

export interface Occasion {
  readonly trigger: string;
  readonly structure: string;
  readonly controlId: string;
  readonly sentMs: number;
}

/** Writes the segments every ADT begins with: MSH, EVN, PID. */
export function adtOpening({ person }: Case, visit: Visit, occasion: Occasion): string[] {
  return [
    msh({ code: "ADT", ...occasion }),
    evn(occasion.trigger, occasion.sentMs),
    pid(person, visit.account),
  ];
}

/** Writes the patient group of orders and reports: PID, PV1. */
export function patientGroup({ person }: Case, visit: Visit): string[] {
  return [pid(person, visit.account), pv1(visit)];
}
