/**
 * A hospital's day as traffic: people arrive, are tested, updated and go home, many at a time.
 *
 * Every person keeps name, record number, visit and order numbers from the first message of a stay
 * to the last, so that a receiver can check order and identity.
 */

import { firstInstantMs, minuteMs, secondMs } from "./calendar.ts";
import {
  adtOpening,
  type Case,
  inventCase,
  inventOrders,
  inventVisit,
  type Occasion,
  patientGroup,
  specimenMs,
} from "./cases.ts";
import { labComments } from "./catalogue.ts";
import { obrOrdered, orc, type Order, report } from "./laboratory.ts";
import { hashSeed, Random, type Seed } from "./random.ts";
import { al1, dg1, gt1, in1, message, msh, nk1, pd1, pv1, pv2, type Visit } from "./segments.ts";

/** One message of the story with what a receiver would look up in MSH-9. */
export interface StoryMessage {
  readonly kind: "ADT" | "ORM" | "ORU";
  readonly trigger: string;
  readonly text: string;
}

export interface StoryOptions {
  readonly seed: Seed;
  /** How many people are in the house at once; each comes back for another visit. */
  readonly patients: number;
}

/** What still happens to a person in this visit, first event first. */
type Event = "arrive" | "order" | "partial" | "final" | "correct" | "update" | "leave";

interface Stay {
  file: Case;
  readonly random: Random;
  visits: number;
  visit: Visit;
  orders: readonly Order[];
  plan: Event[];
  /** When the next event happens. */
  dueMs: number;
}

/** When and under which control ID the next message goes out. */
interface Moment {
  readonly controlId: string;
  readonly nowMs: number;
}

/**
 * Yields an endless stream: per person ADT A01 or A04, ORM O01, several ORU R01, ADT A08, ADT A03,
 * then the next visit; persons interleave and time never runs backwards.
 *
 * Control IDs are unique within one seed and count up in the order of sending.
 *
 * @throws {RangeError} when `patients` is not a whole number above 0.
 */
export function trafficStory(options: StoryOptions): Generator<StoryMessage, never> {
  if (!Number.isInteger(options.patients) || options.patients < 1) {
    throw new RangeError("Cannot tell a story without patients");
  }
  return tell(options);
}

function* tell({ seed, patients }: StoryOptions): Generator<StoryMessage, never> {
  const prefix = hashSeed(seed).toString(36).toUpperCase().padStart(7, "0");
  const stays = Array.from({ length: patients }, (_, index) => settle(seed, index));
  for (let sequence = 1;; sequence++) {
    const stay = nextDue(stays);
    const controlId = `${prefix}-${String(sequence).padStart(9, "0")}`;
    const nowMs = stay.dueMs;
    stay.dueMs += specimenMs + stay.random.int(0, 5_400) * secondMs;
    yield advance(stay, { controlId, nowMs });
  }
}

function nextDue(stays: readonly Stay[]): Stay {
  let next = stays[0] as Stay;
  for (const stay of stays) {
    if (stay.dueMs < next.dueMs) next = stay;
  }
  return next;
}

function settle(seed: Seed, index: number): Stay {
  const file = inventCase(seed, index);
  const random = new Random(`${seed}/stay/${index}`);
  const dueMs = firstInstantMs + random.int(0, 7_200) * secondMs;
  const visit = inventVisit(file.person, 0, { random, arrivedMs: dueMs });
  return { file, random, visits: 0, visit, orders: [], plan: [], dueMs };
}

function planVisit(random: Random): Event[] {
  const plan: Event[] = ["arrive", "order"];
  for (let more = random.int(0, 2); more > 0; more--) plan.push("partial");
  plan.push("final");
  if (random.chance(10)) plan.push("correct");
  if (random.chance(30)) plan.push("order", "final");
  plan.push("update", "leave");
  return plan;
}

function advance(stay: Stay, moment: Moment): StoryMessage {
  const { random } = stay;
  if (stay.plan.length === 0) {
    stay.visits++;
    stay.plan = planVisit(random);
    stay.visit = inventVisit(stay.file.person, stay.visits, { random, arrivedMs: moment.nowMs });
  }
  switch (stay.plan.shift()) {
    case "arrive":
      return adt(stay, moment, stay.visit.patientClass === "I" ? "A01" : "A04");
    case "order":
      return order(stay, moment);
    case "partial":
      return labReport(stay, moment, "P");
    case "final":
      return labReport(stay, moment, "F");
    case "correct":
      return labReport(stay, moment, "C");
    case "update":
      return update(stay, moment);
    default:
      stay.visit = { ...stay.visit, dischargedMs: moment.nowMs };
      return adt(stay, moment, "A03");
  }
}

function adt({ file, visit }: Stay, { controlId, nowMs }: Moment, trigger: string): StoryMessage {
  const structure = trigger === "A03" ? "ADT_A03" : "ADT_A01";
  const occasion: Occasion = { trigger, structure, controlId, sentMs: nowMs };
  const [reason] = visit.diagnoses;
  return {
    kind: "ADT",
    trigger,
    text: message([
      ...adtOpening(file, visit, occasion),
      pd1(visit.attending),
      nk1(file.relative),
      pv1(visit),
      ...(reason === undefined ? [] : [pv2(reason)]),
      ...file.allergies.map((allergy, index) => al1(allergy, index + 1)),
      ...visit.diagnoses.map((diagnosis, index) => dg1(diagnosis, index + 1, visit.admittedMs)),
      gt1(file.person),
      in1(file.payer, file.person, file.coveredFromMs),
    ]),
  };
}

/** Tells of a new telephone number, which the person keeps from now on. */
function update(stay: Stay, moment: Moment): StoryMessage {
  const phoneEnding = stay.random.digits(2);
  stay.file = { ...stay.file, person: { ...stay.file.person, phoneEnding } };
  return adt(stay, moment, "A08");
}

function order(stay: Stay, { controlId, nowMs }: Moment): StoryMessage {
  const { file, visit, random } = stay;
  // The sequence at the end of the control ID makes order numbers unique in the story.
  stay.orders = inventOrders(visit, controlId.slice(-9), { random, orderedMs: nowMs - minuteMs });
  const header = { code: "ORM", trigger: "O01", structure: "ORM_O01", controlId, sentMs: nowMs };
  const groups = stay.orders.flatMap((one, index) => [
    orc(one, "NW", "SC"),
    obrOrdered(one, index + 1),
  ]);
  const text = message([msh(header), ...patientGroup(file, visit), ...groups]);
  return { kind: "ORM", trigger: "O01", text };
}

function labReport(
  { file, visit, orders, random }: Stay,
  { controlId, nowMs }: Moment,
  status: "P" | "F" | "C",
): StoryMessage {
  const header = { code: "ORU", trigger: "R01", structure: "ORU_R01", controlId, sentMs: nowMs };
  const count = status === "P" ? { count: random.int(1, 2) } : {};
  const comment = random.chance(25) ? { comment: random.pick(labComments) } : {};
  const text = message([
    msh({ ...header, application: "MFLAB" }),
    ...patientGroup(file, visit),
    ...report(orders, { status, reportedMs: nowMs, ...count, ...comment }),
  ]);
  return { kind: "ORU", trigger: "R01", text };
}
