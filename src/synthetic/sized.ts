/**
 * One valid ADT^A08 of a wanted size, cheap enough to be made a hundred thousand times a second.
 *
 * The message is built once as a template; each further one only splices the control ID (MSH-10)
 * and the sequence number (MSH-13) in.
 */

import { firstInstantMs, hl7Time } from "./calendar.ts";
import { adtOpening, inventCase, inventVisit } from "./cases.ts";
import { type Analyte, panels } from "./catalogue.ts";
import { measure, resultLine } from "./laboratory.ts";
import { Random, type Seed } from "./random.ts";
import { al1, dg1, gt1, in1, message, nk1, pd1, pv1 } from "./segments.ts";

export interface SizedOptions {
  readonly seed: Seed;
  /**
   * Wanted size in bytes; the result is all ASCII and within 32 bytes of it. Less than about 1,700
   * cannot be had: the message of a whole admission takes that much.
   */
  readonly bytes: number;
}

export interface SplicedParts {
  /** MSH-13, from 0. */
  readonly sequence: number;
  /** MSH-10, at most 20 characters; without it the sequence stands there, padded to 12 digits. */
  readonly controlId?: string;
}

/** Makes messages of one size and one patient that differ in control ID and sequence only. */
export type SizedTemplate = (parts: SplicedParts) => string;

/** Builds the template of `sizedMessage()`; keep it where many messages are made. */
export function sizedTemplate({ seed, bytes }: SizedOptions): SizedTemplate {
  const [before, after] = splitAroundControlId(seed, bytes);
  return ({ sequence, controlId }) =>
    `${before}${controlId ?? String(sequence).padStart(12, "0")}|T|2.5.1|${sequence}\r${after}`;
}

// The last template, for calls in a row with the same seed and size. It only spares time: the
// message depends on the arguments alone.
let last: { key: string; template: SizedTemplate } | undefined;

/** Returns one ADT^A08 of about `bytes` bytes that carries `sequence` and `controlId`. */
export function sizedMessage(options: SizedOptions & SplicedParts): string {
  const key = `${options.bytes}/${options.seed}`;
  if (last?.key !== key) last = { key, template: sizedTemplate(options) };
  return last.template(options);
}

function splitAroundControlId(seed: Seed, bytes: number): [before: string, after: string] {
  const random = new Random(`${seed}/sized`);
  const file = inventCase(seed, 0);
  const visit = inventVisit(file.person, 1, { random, arrivedMs: firstInstantMs });
  const occasion = { trigger: "A08", structure: "ADT_A01", sentMs: firstInstantMs };
  const [header, ...opening] = adtOpening(file, visit, { ...occasion, controlId: "" });
  // Up to and including the bar before MSH-10.
  const before = (header as string).slice(0, -"|T|2.5.1".length);
  const first = [...opening, pd1(visit.attending), nk1(file.relative), pv1(visit)];
  const rest = [
    ...file.allergies.map((allergy, index) => al1(allergy, index + 1)),
    ...visit.diagnoses.map((diagnosis, index) => dg1(diagnosis, index + 1, firstInstantMs)),
    gt1(file.person),
    in1(file.payer, file.person, file.coveredFromMs),
  ];
  const spliced = "000000000000|T|2.5.1|000000\r".length;
  const room = bytes - before.length - spliced - message([...first, ...rest]).length;
  return [before, message([...first, ...padding(random, room), ...rest])];
}

/** Fills `room` bytes with OBX segments: measured values, then one text that takes up the rest. */
function padding(random: Random, room: number): string[] {
  const lines: string[] = [];
  let left = room;
  while (left > 220 && lines.length < 9_998) {
    const panel = random.pick(panels);
    const index = random.int(0, panel.analytes.length - 1);
    const value = measure(panel, random)[index] as number;
    const line = resultLine({
      setId: lines.length + 1,
      analyte: panel.analytes[index] as Analyte,
      value,
      status: "F",
      reportedMs: firstInstantMs,
    });
    lines.push(line);
    left -= line.length + 1;
  }
  const note = `OBX|${lines.length + 1}|TX|48767-8^Annotation comment^LN||`;
  const ending = `||||||F|||${hl7Time(firstInstantMs)}`;
  const length = left - note.length - ending.length - 1;
  if (length > 0) {
    const filler = "Synthetic text without any meaning. ";
    const words = filler.repeat(Math.ceil(length / filler.length)).slice(0, length - 1) + ".";
    lines.push(note + words + ending);
  }
  return lines;
}
