/**
 * What must come of the traffic, found out without the engine: the author's code alone, run in a
 * sandbox of its own over the same messages.
 *
 * The demo holds the engine to this: so a graph may be changed and the demo still knows what is due.
 */
import type { GraphSandbox, LoadedGraph } from "../../graph/mod.ts";
import { normaliseText, peekHeader } from "../../hl7/mod.ts";
import type { RunResult } from "../../sandbox/protocol.ts";
import { CommandFailure } from "../failure.ts";
import type { PlannedMessage } from "./traffic.ts";

export type Disposition = "processed" | "filtered" | "unrouted" | "error";

/** One delivery that is due. */
export interface DueDelivery {
  readonly outbound: string;
  readonly inbound: string;
  /** MSH-10 of what is to arrive. */
  readonly controlId: string;
  /** MSH-10 of the message it was made from. */
  readonly from: string;
}

export interface Expectation {
  readonly dispositions: Readonly<Record<Disposition, number>>;
  /** In the order each lane has to deliver. */
  readonly due: readonly DueDelivery[];
}

/** Runs every readable message through routers and handlers, in order. */
export async function expectFrom(
  { graph, sandbox }: LoadedGraph<GraphSandbox>,
  messages: readonly PlannedMessage[],
): Promise<Expectation> {
  const dispositions = { processed: 0, filtered: 0, unrouted: 0, error: 0 };
  const readable = messages.filter(({ isUnreadable }) => !isUnreadable);
  dispositions.error = messages.length - readable.length;
  const ingestTime = Date.now() / 1000;
  const results = await sandbox.sandbox.run(readable.map(({ inbound, text }) => {
    const definition = graph.inbounds.get(inbound);
    if (definition === undefined) throw unknownInbound(inbound);
    const { router, contentType } = definition;
    return { inbound, router, text: normaliseText(text), contentType, ingestTime };
  }));
  const due: DueDelivery[] = [];
  for (const [index, { inbound, text, controlId: from }] of readable.entries()) {
    const result = results[index]!;
    dispositions[dispositionOf(result)] += 1;
    for (const { sends, error } of result.outcomes) {
      if (error !== undefined) continue;
      for (const { to, payload = text } of sends) {
        due.push({ outbound: to, inbound, controlId: controlIdOf(payload), from });
      }
    }
  }
  return { dispositions, due };
}

function dispositionOf({ error, handlers, outcomes }: RunResult): Disposition {
  if (error !== undefined || outcomes.some((outcome) => outcome.error !== undefined)) {
    return "error";
  }
  if (handlers.length === 0) return "unrouted";
  return outcomes.some(({ sends }) => sends.length > 0) ? "processed" : "filtered";
}

/** MSH-10; empty for a payload that is not HL7. */
export function controlIdOf(text: string): string {
  const peek = peekHeader(text);
  return peek.ok ? peek.header.controlId ?? "" : "";
}

function unknownInbound(name: string): CommandFailure {
  return new CommandFailure(`Cannot play the demo: the graph has no inbound "${name}"`, {
    hint: "The demo sends to IB_HOSPITAL_ADT, IB_LAB_ORU and IB_WARD_ORM of the shipped graph",
  });
}
