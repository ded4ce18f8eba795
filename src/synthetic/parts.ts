/** The parts that recipes are made of: each tells one stretch of a message from its scene. */

import {
  abs,
  acc,
  db1,
  documentBody,
  drg,
  ft1,
  gp1,
  iam,
  npu,
  pr1,
  pricedProcedures,
  txa,
  ub2,
} from "./administration.ts";
import { labComments, panels } from "./catalogue.ts";
import { obrOrdered, obrReported, orc, report, resultLine, results, spm } from "./laboratory.ts";
import {
  charges,
  generalRecords,
  inventory,
  locations,
  mfi,
  staff,
  studies,
  tests,
} from "./master_files.ts";
import { administrations, encodedOrders, vaccinations } from "./pharmacy.ts";
import { masterFiles } from "./recipes.ts";
import type { Scene } from "./scene.ts";
import { resources, sch } from "./scheduling.ts";
import { al1, dg1, evn, gt1, in1, line, merge, nk1, pd1, pid, pv1, pv2 } from "./segments.ts";

/** Writes one part; nothing when the scene has nothing to tell there. */
export type Part = (scene: Scene) => string | readonly string[];

export const parts: Readonly<Record<string, Part>> = {
  EVN: ({ trigger, sentMs }) => evn(trigger, sentMs),
  PID: ({ file, visit }) => pid(file.person, visit.account),
  PD1: ({ visit }) => pd1(visit.attending),
  NK1: ({ file }) => nk1(file.relative),
  PV1: ({ visit }) => pv1(visit),
  PV2: ({ visit }) => visit.diagnoses.slice(0, 1).map(pv2),
  DB1: db1,
  OBX: ({ random, sentMs }) => {
    const analyte = random.pick(random.pick(panels).analytes);
    const value = random.int(1, 100) / 100 * (analyte.high - analyte.low) + analyte.low;
    return resultLine({ setId: 1, analyte, value, status: "F", reportedMs: sentMs });
  },
  AL1: ({ file }) => file.allergies.map((allergy, index) => al1(allergy, index + 1)),
  DG1: ({ visit }) =>
    visit.diagnoses.map((diagnosis, index) => dg1(diagnosis, index + 1, visit.admittedMs)),
  PR1: pr1,
  GT1: ({ file }) => gt1(file.person),
  IN1: ({ file }) => in1(file.payer, file.person, file.coveredFromMs),
  ACC: acc,
  UB2: ub2,
  DRG: drg,
  ABS: abs,
  NPU: npu,
  IAM: iam,
  // The merged record: the same person under an older number.
  MRG: ({ file, other }) => {
    const former = { ...file.person, recordNumber: other.file.person.recordNumber };
    return merge(former, other.visit.account);
  },
  GP1: gp1,
  pricedProcedures,
  FT1: ft1,
  TXA: txa,
  documentBody,
  MFI: (scene) => mfi(scene, masterFiles[scene.trigger] ?? "ZZZ"),
  staff,
  charges,
  locations,
  phasedStudies: (scene) => studies(scene, true),
  studies: (scene) => studies(scene, false),
  tests,
  generalRecords,
  inventory,
  SCH: sch,
  resources,
  administrations,
  encodedOrders,
  vaccinations,
  // An answer quotes the control ID of the order, which was not ours to make up.
  MSA: ({ number }) => `MSA|AA|ORDER-${number}`,
  orders: ({ orders }) =>
    orders.flatMap((order, index) => [orc(order, "NW", "SC"), obrOrdered(order, index + 1)]),
  labOrders: ({ orders }) =>
    orders.flatMap((order, index) => [
      orc(order, "NW", "SC"),
      obrOrdered(order, index + 1),
      spm(order, 1),
    ]),
  specimenOrders: ({ orders }) =>
    orders.flatMap((order, index) => [
      spm(order, index + 1),
      orc(order, "NW", "SC"),
      obrOrdered(order, index + 1),
    ]),
  containerOrders: (scene) =>
    scene.orders.flatMap((order, index) => [
      spm(order, index + 1),
      container(scene, index),
      orc(order, "NW", "SC"),
      obrOrdered(order, index + 1),
    ]),
  labAnswers: ({ orders }) =>
    orders.flatMap((order, index) => [orc(order, "OK", "IP"), obrOrdered(order, index + 1)]),
  specimenAnswers: ({ orders }) =>
    orders.flatMap((order, index) => [
      spm(order, index + 1),
      orc(order, "OK", "IP"),
      obrOrdered(order, index + 1),
    ]),
  containerAnswers: (scene) =>
    scene.orders.flatMap((order, index) => [
      spm(order, index + 1),
      container(scene, index),
      orc(order, "OK", "IP"),
      obrOrdered(order, index + 1),
    ]),
  reports: ({ orders, random, sentMs }) => {
    const comment = random.chance(40) ? { comment: random.pick(labComments) } : {};
    const status = random.pick(["F", "F", "P", "C"] as const);
    return report(orders, { status, reportedMs: sentMs, ...comment });
  },
  bedsideReport: ({ orders, sentMs }) =>
    orders.slice(0, 1).flatMap((order) => [
      orc(order, "RE", "CM"),
      obrReported(order, 1, { status: "F", reportedMs: sentMs }),
      ...results(order, { status: "F", reportedMs: sentMs }),
    ]),
};

function container({ number }: Scene, index: number): string {
  return line("SAC", { 3: `C${number}${index}^MFLAB`, 4: "" });
}
