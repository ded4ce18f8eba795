/**
 * Where a message that came back in comes from: `currentCorrelation()` and `response(portal)`.
 *
 * Undefined for a message that a partner sent. Source: spec connectors-and-graph §4.6,
 * pipeline-store-cluster §1.7.
 */
import { GraphError } from "./errors.ts";
import { OutboundRef } from "./handles.ts";
import { nameProblem } from "./names.ts";
import { currentRun } from "./session.ts";

/**
 * What kind of answer a partner gave: `accepted`; `rejected` by the content of an answer that is
 * none by its transport; `unparseable`; `no_reply` for a success without a body.
 */
export type ResponseOutcome = "accepted" | "rejected" | "unparseable" | "no_reply";

/** What ties the message to the one it was made of. */
export interface Correlation {
  /** Id of the message whose delivery was answered, or whose handler sent this one. */
  readonly id: string;
  /** Id of the first message of the chain, which came from a partner. */
  readonly rootId: string;
  /** Hops from there; at least 1. */
  readonly depth: number;
  /** The outbound whose partner answered; undefined for what a handler sent. */
  readonly outbound: string | undefined;
  /** The handler that sent it; undefined for an answer. */
  readonly handler: string | undefined;
}

/** A partner's answer that an outbound captured. */
export interface CapturedResponse {
  readonly outcome: ResponseOutcome;
  /** A code or a fault, when the connector tells one. */
  readonly detail: string | undefined;
  /** Undefined when the answer had none. */
  readonly body: string | undefined;
}

/** As it crosses into the realm: JSON. */
export interface LineageData extends Omit<Correlation, "outbound" | "handler"> {
  readonly outbound?: string;
  readonly handler?: string;
  /** Oldest first. */
  readonly responses: readonly {
    readonly outbound: string;
    readonly outcome: ResponseOutcome;
    readonly detail?: string;
    readonly body?: string;
  }[];
}

/** What the message was made of; undefined when a partner sent it, and outside a run. */
export function currentCorrelation(): Correlation | undefined {
  const lineage = readLineage();
  if (lineage === undefined) return undefined;
  const { id, rootId, depth, outbound, handler } = lineage;
  return Object.freeze({ id, rootId, depth, outbound, handler });
}

/**
 * The latest answer an outbound captured for the message this one was made of, or for the first of
 * their chain. Undefined when there is none, and for a message that a partner sent.
 *
 * @throws {GraphError} `graph.destination_invalid`
 */
export function response(of: OutboundRef | string): CapturedResponse | undefined {
  const isHandle = OutboundRef.is(of);
  const name = isHandle ? of.name : of;
  const problem = isHandle ? undefined : nameProblem(name);
  if (problem !== undefined) {
    throw new GraphError(
      "graph.destination_invalid",
      `Cannot read a response: want an outbound or its name (${problem})`,
    );
  }
  const found = readLineage()?.responses.findLast(({ outbound }) => outbound === name);
  if (found === undefined) return undefined;
  const { outcome, detail, body } = found;
  return Object.freeze({ outcome, detail, body });
}

function readLineage(): LineageData | undefined {
  const text = currentRun()?.lineage;
  return text === undefined ? undefined : JSON.parse(text) as LineageData;
}
