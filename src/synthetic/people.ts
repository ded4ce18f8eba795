/**
 * Synthetic people and the clinicians who look after them; the same seed yields the same person.
 *
 * Identifiers carry a check digit (HL7 v2.5.1 §2.A.14.2, Mod 10), telephone numbers lie in 555-0100
 * to 555-0199, which is reserved for fiction, and social security numbers start with 9, which none does.
 */

import { dayMs, firstInstantMs, hl7Date } from "./calendar.ts";
import {
  clinicianSurnames,
  femaleNames,
  maleNames,
  streets,
  surnames,
  towns,
} from "./invented_names.ts";
import { hashSeed, Random, type Seed } from "./random.ts";

export interface Address {
  readonly street: string;
  readonly town: string;
  readonly postalCode: string;
}

export interface Person {
  /** Medical record number without its check digit, unique within one seed. */
  readonly recordNumber: string;
  readonly surname: string;
  readonly givenName: string;
  readonly middleInitial: string;
  /** HL7 table 0001. */
  readonly sex: "F" | "M";
  readonly birthMs: number;
  /** Race, HL7 table 0005. */
  readonly race: readonly [code: string, name: string];
  /** Marital status, HL7 table 0002. */
  readonly maritalStatus: string;
  readonly address: Address;
  /** Last two digits of 555-01xx. */
  readonly phoneEnding: string;
  readonly securityNumber: string;
}

export interface Clinician {
  readonly id: string;
  readonly surname: string;
  readonly givenName: string;
}

const races: readonly (readonly [string, string])[] = [
  ["1002-5", "American Indian or Alaska Native"],
  ["2028-9", "Asian"],
  ["2054-5", "Black or African American"],
  ["2076-8", "Native Hawaiian or Other Pacific Islander"],
  ["2106-3", "White"],
  ["2131-1", "Other Race"],
];

const clinicianNames = [...femaleNames, ...maleNames];

/** Computes the Mod 10 check digit of decimal `digits`. Source: HL7 v2.5.1 §2.A.14.2. */
export function checkDigit(digits: string): string {
  let sum = 0;
  for (let index = digits.length - 1, fromRight = 1; index >= 0; index--, fromRight++) {
    const digit = digits.charCodeAt(index) - 48;
    const weighed = fromRight % 2 === 1 ? digit * 2 : digit;
    sum += weighed > 9 ? weighed - 9 : weighed;
  }
  return String((10 - sum % 10) % 10);
}

/** Invents the person number `index` of `seed`; different indexes never share a record number. */
export function inventPerson(seed: Seed, index: number): Person {
  const random = new Random(`${seed}/person/${index}`);
  const sex = random.pick(["F", "M"] as const);
  const [town, postalCode] = random.pick(towns);
  return {
    recordNumber: String(1_000_000 + (hashSeed(seed) + index * 7) % 9_000_000),
    surname: random.pick(surnames),
    givenName: random.pick(sex === "F" ? femaleNames : maleNames),
    middleInitial: random.pick(["A", "E", "J", "M", "Q", "R", "T", "X"]),
    sex,
    birthMs: firstInstantMs - random.int(365, 32_000) * dayMs,
    race: random.pick(races),
    maritalStatus: random.pick(["S", "M", "D", "W"]),
    address: { street: `${random.int(1, 999)} ${random.pick(streets)}`, town, postalCode },
    phoneEnding: String(random.int(0, 99)).padStart(2, "0"),
    securityNumber: `9${random.digits(2)}-${random.digits(2)}-${random.digits(4)}`,
  };
}

/** Invents a relative who shares surname and address. */
export function inventRelative(person: Person, random: Random): Person {
  const sex = random.pick(["F", "M"] as const);
  return {
    ...person,
    sex,
    givenName: random.pick(sex === "F" ? femaleNames : maleNames),
    birthMs: person.birthMs - random.int(-3_000, 3_000) * dayMs,
    phoneEnding: String(random.int(0, 99)).padStart(2, "0"),
  };
}

/** Invents a clinician; there are about a hundred of them. */
export function inventClinician(random: Random): Clinician {
  const number = random.int(0, 99);
  return {
    id: String(70_000 + number),
    surname: clinicianSurnames[number % clinicianSurnames.length] as string,
    givenName: clinicianNames[number % clinicianNames.length] as string,
  };
}

/** Writes an XPN of type legal: `Mockingham^Testina^Q^^^^L`. */
export function nameOf(person: Person): string {
  return `${person.surname}^${person.givenName}^${person.middleInitial}^^^^L`;
}

/** Writes an XCN: `70012^Healsample^Testina^^^^MD^^MFHOSP^L^^^DN`. */
export function clinicianOf(clinician: Clinician): string {
  return `${clinician.id}^${clinician.surname}^${clinician.givenName}^^^^MD^^MFHOSP^L^^^DN`;
}

/** Writes the CX of a medical record number with its check digit. */
export function recordNumberOf(person: Person): string {
  return `${person.recordNumber}^${checkDigit(person.recordNumber)}^M10^MFHOSP^MR^MFHOSP`;
}

/** Writes an XAD of type home. */
export function addressOf(person: Person): string {
  const { street, town, postalCode } = person.address;
  return `${street}^^${town}^ZZ^${postalCode}^USA^H`;
}

/** Writes an XTN; `use` is from HL7 table 0201. */
export function phoneOf(person: Person, use = "PRN"): string {
  return `(555)555-01${person.phoneEnding}^${use}^PH^^1^555^55501${person.phoneEnding}`;
}

/** Writes the day of birth. */
export function birthOf(person: Person): string {
  return hl7Date(person.birthMs);
}
