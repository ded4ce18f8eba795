/**
 * What ties a message to the one it came from: kept in the metadata of a message that the engine
 * made itself, of a partner's answer or of what a handler sent to a loopback.
 *
 * Source: spec pipeline-store-cluster §1.7. The keys are those that retention keeps.
 */
import type { ResponseOutcome } from "../store/intents.ts";

/** What a message was made of. */
export type CameFrom =
  | {
    readonly kind: "answer";
    /** Whose partner answered. */
    readonly outbound: string;
    /** Which of its answers to that message it is, from 1. */
    readonly seq: number;
    readonly outcome: ResponseOutcome;
  }
  | { readonly kind: "handler"; readonly handler: string };

export interface Correlation {
  /** The message it came from. */
  readonly id: string;
  /** The first of the chain, which came from a partner. */
  readonly rootId: string;
  /** How many hops it is from there; at least 1. */
  readonly depth: number;
  readonly from: CameFrom;
}

/** A message as far as its descendants have to know it. */
export interface Ancestor {
  readonly messageId: string;
  readonly metadata: string | undefined;
}

/** Returns the correlation of a message that `origin` is about to bring forth. */
export function descend({ messageId, metadata }: Ancestor, from: CameFrom): Correlation {
  const above = readCorrelation(metadata);
  return {
    id: messageId,
    rootId: above?.rootId ?? messageId,
    depth: (above?.depth ?? 0) + 1,
    from,
  };
}

/** The metadata of a message, as JSON. */
export function toMetadata({ id, rootId, depth, from }: Correlation): string {
  const chain = {
    correlation_id: id,
    correlation_root_id: rootId,
    correlation_depth: depth,
  };
  return JSON.stringify(
    from.kind === "answer"
      ? {
        ...chain,
        reingress_from: from.outbound,
        reingress_of_seq: from.seq,
        reingress_outcome: from.outcome,
      }
      : { ...chain, passthrough_from: from.handler },
  );
}

const outcomes: ReadonlySet<unknown> = new Set(
  ["accepted", "rejected", "unparseable", "no_reply"] satisfies ResponseOutcome[],
);

/** Reads it back; undefined for a message that came from a partner, and for what is none of ours. */
export function readCorrelation(metadata: string | undefined): Correlation | undefined {
  const data = metadata === undefined ? undefined : parseObject(metadata);
  if (data === undefined) return undefined;
  const { correlation_id: id, correlation_root_id: rootId, correlation_depth: depth } = data;
  const from = readCameFrom(data);
  if (typeof id !== "string" || typeof rootId !== "string" || from === undefined) return undefined;
  if (typeof depth !== "number" || !Number.isSafeInteger(depth) || depth < 1) return undefined;
  return { id, rootId, depth, from };
}

function readCameFrom(data: Readonly<Record<string, unknown>>): CameFrom | undefined {
  const { reingress_from: outbound, reingress_of_seq: seq, passthrough_from: handler } = data;
  if (typeof handler === "string") return { kind: "handler", handler };
  if (typeof outbound !== "string" || typeof seq !== "number") return undefined;
  const { reingress_outcome: outcome } = data;
  if (!outcomes.has(outcome)) return undefined;
  return { kind: "answer", outbound, seq, outcome: outcome as ResponseOutcome };
}

function parseObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? value as Readonly<Record<string, unknown>>
      : undefined;
  } catch {
    return undefined;
  }
}
