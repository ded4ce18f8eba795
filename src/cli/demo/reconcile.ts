/**
 * Compares what was sent with what the engine stored and what the partners received. Pure.
 *
 * Nothing may be missing, doubled or out of order; what is found is told in sentences.
 */
import type { Disposition, DueDelivery, Expectation } from "./expectation.ts";

/** What came of one outbound. */
export interface LaneResult {
  readonly outbound: string;
  /** Where it leads, for people. */
  readonly to: string;
  readonly due: number;
  /** Undefined where the demo has no eyes: an outbound of an edited graph that leads elsewhere. */
  readonly arrived: number | undefined;
  readonly isInOrder: boolean | undefined;
  readonly problems: readonly string[];
}

/** What the demo saw arrive for one outbound. */
export type Observation =
  /** Control IDs in order of arrival, refused ones left out. */
  | { readonly kind: "mllp"; readonly to: string; readonly controlIds: readonly string[] }
  /** Control IDs of the files; their order is not known. */
  | { readonly kind: "file"; readonly to: string; readonly controlIds: readonly string[] }
  | { readonly kind: "elsewhere"; readonly to: string };

export interface Sent {
  readonly messages: number;
  /** How often each acknowledgement code came. */
  readonly answers: Readonly<Record<string, number>>;
}

export interface Stored {
  readonly messages: number;
  readonly dispositions: Readonly<Record<Disposition, number>>;
}

export interface Reconciliation {
  readonly lanes: readonly LaneResult[];
  /** Empty when all is well. */
  readonly problems: readonly string[];
}

/** Returns every difference between what is due and what came. */
export function reconcile(
  { expectation, sent, refusals, stored, observed }: {
    readonly expectation: Expectation;
    readonly sent: Sent;
    /** Messages the engine has to refuse. */
    readonly refusals: number;
    readonly stored: Stored;
    /** By outbound. */
    readonly observed: ReadonlyMap<string, Observation>;
  },
): Reconciliation {
  const lanes = laneResults(expectation.due, observed);
  return {
    lanes,
    problems: [
      ...answerProblems(sent, refusals),
      ...storeProblems(sent, { stored, expectation }),
      ...lanes.flatMap(({ problems }) => problems),
    ],
  };
}

function answerProblems({ messages, answers }: Sent, refusals: number): string[] {
  const problems: string[] = [];
  const { AA: accepted = 0, AR: refused = 0, ...others } = answers;
  if (accepted !== messages - refusals) {
    problems.push(`${accepted} of ${messages - refusals} messages were acknowledged with AA`);
  }
  if (refused !== refusals) {
    problems.push(`${refused} messages were refused with AR, not ${refusals}`);
  }
  for (const [code, count] of Object.entries(others)) {
    problems.push(`${count} messages were answered "${code}"`);
  }
  return problems;
}

function storeProblems(
  { messages }: Sent,
  { stored, expectation }: { stored: Stored; expectation: Expectation },
): string[] {
  const problems: string[] = [];
  if (stored.messages !== messages) {
    problems.push(`${messages} messages were sent and ${stored.messages} are in the store`);
  }
  for (const [disposition, wanted] of Object.entries(expectation.dispositions)) {
    const count = stored.dispositions[disposition as Disposition];
    if (count === wanted) continue;
    problems.push(`${count} messages are ${disposition.toUpperCase()}, not ${wanted}`);
  }
  return problems;
}

function laneResults(
  due: readonly DueDelivery[],
  observed: ReadonlyMap<string, Observation>,
): readonly LaneResult[] {
  const names = new Set([...observed.keys(), ...due.map(({ outbound }) => outbound)]);
  return [...names].sort().map((outbound) =>
    laneResult(
      outbound,
      due.filter((delivery) => delivery.outbound === outbound),
      observed.get(outbound),
    )
  );
}

function laneResult(
  outbound: string,
  due: readonly DueDelivery[],
  observation: Observation | undefined,
): LaneResult {
  if (observation === undefined || observation.kind === "elsewhere") {
    const to = observation?.to ?? "unknown";
    return {
      outbound,
      to,
      due: due.length,
      arrived: undefined,
      isInOrder: undefined,
      problems: [],
    };
  }
  const wanted = new Set(due.map(({ controlId }) => controlId));
  const arrived = observation.controlIds.filter((controlId) => wanted.has(controlId));
  const problems = countProblems(outbound, due, arrived);
  const isInOrder = observation.kind === "file" ? undefined : keepsOrder(due, arrived);
  if (isInOrder === false && problems.length === 0) {
    problems.push(`${outbound}: deliveries arrived out of order`);
  }
  return {
    outbound,
    to: observation.to,
    due: due.length,
    arrived: arrived.length,
    isInOrder,
    problems,
  };
}

function countProblems(
  outbound: string,
  due: readonly DueDelivery[],
  arrived: readonly string[],
): string[] {
  const left = new Map<string, number>();
  for (const { controlId } of due) left.set(controlId, (left.get(controlId) ?? 0) + 1);
  for (const controlId of arrived) left.set(controlId, (left.get(controlId) ?? 0) - 1);
  let [missing, extra] = [0, 0];
  for (const count of left.values()) {
    if (count > 0) missing += count;
    else extra -= count;
  }
  const problems: string[] = [];
  if (missing > 0) problems.push(`${outbound}: ${missing} of ${due.length} deliveries are missing`);
  if (extra > 0) problems.push(`${outbound}: ${extra} deliveries arrived twice`);
  return problems;
}

/** One inbound's messages keep their order on a lane; those of several may interleave. */
function keepsOrder(due: readonly DueDelivery[], arrived: readonly string[]): boolean {
  const inboundOf = new Map(due.map(({ controlId, inbound }) => [controlId, inbound]));
  const byInbound = Map.groupBy(due, ({ inbound }) => inbound);
  return [...byInbound].every(([inbound, wanted]) => {
    const came = arrived.filter((controlId) => inboundOf.get(controlId) === inbound);
    return came.length === wanted.length &&
      came.every((controlId, index) => controlId === wanted[index]!.controlId);
  });
}
