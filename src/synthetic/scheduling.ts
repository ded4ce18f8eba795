/** Appointments: SCH with the service, place and person they take. */

import { dayMs, hl7Time, minuteMs } from "./calendar.ts";
import { procedures } from "./catalogue.ts";
import { clinicianOf } from "./people.ts";
import type { Scene } from "./scene.ts";
import { line } from "./segments.ts";

/** Filler status by trigger event, HL7 table 0278; booked where not listed. */
const statuses: Readonly<Record<string, string>> = {
  S15: "Cancelled",
  S16: "Discontinued",
  S17: "Deleted",
  S26: "Noshow",
};

const lengthMinutes = 30;

export function sch(scene: Scene): string {
  const { trigger, number, visit } = scene;
  const clinician = clinicianOf(visit.attending);
  const startMs = startOf(scene);
  const status = statuses[trigger] ?? "Booked";
  return line("SCH", {
    1: `AP${number}^MFHIS`,
    2: `AF${number}^MFSCH`,
    6: "ROUTINE^Routine appointment^HL70276",
    7: "CHECKUP^A routine check-up^HL70276",
    8: "NORMAL^Routine schedule request type^HL70277",
    9: String(lengthMinutes),
    10: "min^minute^UCUM",
    11: `^^M${lengthMinutes}^${hl7Time(startMs)}^${hl7Time(startMs + lengthMinutes * minuteMs)}`,
    16: clinician,
    20: clinician,
    25: `${status}^${status}^HL70278`,
  });
}

/** Writes the resources: RGS, AIS, AIL, AIP. */
export function resources(scene: Scene): string[] {
  const { number, visit } = scene;
  const service = procedures[Number(number.slice(-3)) % procedures.length] ?? procedures[0];
  const start = hl7Time(startOf(scene));
  const action = scene.trigger === "S12" ? "A" : "U";
  return [
    line("RGS", { 1: "1", 2: action }),
    line("AIS", {
      1: "1",
      2: action,
      3: `${service?.code}^${service?.name}^L`,
      4: start,
      7: String(lengthMinutes),
      8: "min^minute^UCUM",
    }),
    line("AIL", { 1: "1", 2: action, 3: visit.location, 4: "C^Clinic^HL70305", 6: start }),
    line("AIP", {
      1: "1",
      2: action,
      3: clinicianOf(visit.attending),
      4: "D^Attending^HL70443",
      6: start,
    }),
  ];
}

function startOf({ number, sentMs }: Scene): number {
  return sentMs + (1 + Number(number.slice(-2))) * dayMs;
}
