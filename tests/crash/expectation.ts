/**
 * What the proof's messages are and what the engine owes for each: bodies, routes, payloads. Pure.
 *
 * Upstream: a seeded choice of kinds. Downstream: `load.ts` sends the bodies, `graph_text.ts` writes
 * a graph that does what is promised here, `invariants.ts` holds the engine to it.
 */

/** What is to become of a message; stands in PID-2, where routers read it. */
export type Kind =
  | "plain"
  | "both"
  | "filtered"
  | "unrouted"
  | "throws"
  | "blocked"
  | "bad_bytes"
  | "count"
  | "slow"
  | "poison";

export type InboundName = "IB_FAST" | "IB_COUNT" | "IB_SLOW";
export type LaneName = "OB_A" | "OB_B" | "OB_C" | "OB_BLOCKED" | "OB_ANY";

/** Lanes that promise an order; the other one does not. */
export const orderedLanes: readonly LaneName[] = ["OB_A", "OB_B", "OB_C", "OB_BLOCKED"];
export const lanes: readonly LaneName[] = [...orderedLanes, "OB_ANY"];

/** Kinds an inbound is sent, common ones more than once. */
export const kindsOf: Readonly<Record<InboundName, readonly Kind[]>> = {
  IB_FAST: [
    ...["plain", "plain", "plain", "plain", "both", "both", "both"] as const,
    ...["filtered", "unrouted", "throws", "blocked", "bad_bytes"] as const,
  ],
  IB_COUNT: ["count"],
  IB_SLOW: ["slow"],
};

export const inbounds = Object.keys(kindsOf) as readonly InboundName[];

/** One handler's share of a message. `throws`: it leaves a dead routed row instead. */
export interface HandlerShare {
  readonly handler: string;
  readonly throws: boolean;
  /** In the order of the sends. `tag` becomes MSH-3 of the payload. */
  readonly sends: readonly { readonly lane: LaneName; readonly tag: string }[];
}

const copy: HandlerShare = share("copy", [["OB_A", "copy.1"]]);

/** Handlers by kind, in the router's order. */
export const sharesOf: Readonly<Record<Kind, readonly HandlerShare[]>> = {
  plain: [copy],
  both: [copy, share("second", [["OB_A", "second.1"], ["OB_B", "second.2"]])],
  filtered: [share("nothing", [])],
  unrouted: [],
  throws: [copy, { handler: "broken", throws: true, sends: [] }],
  blocked: [share("to_blocked", [["OB_BLOCKED", "to_blocked.1"]])],
  bad_bytes: [],
  count: [share("count", [["OB_C", "count"]])],
  slow: [share("slow", [["OB_B", "slow.1"]]), share("more", [["OB_ANY", "more.1"]])],
  poison: [share("poison", [])],
};

function share(handler: string, sends: readonly [LaneName, string][]): HandlerShare {
  return { handler, throws: false, sends: sends.map(([lane, tag]) => ({ lane, tag })) };
}

/** Body of one message, latin-1. `bad_bytes` holds a byte that is no UTF-8. */
export function bodyOf(kind: Kind, controlId: string, padding: number): string {
  const note = "synthetic ".repeat(Math.ceil(padding / 10)).slice(0, padding);
  return `MSH|^~\\&|SEND|SITE|ENGINE|HOSP|20260102030405||ADT^A01^ADT_A01|${controlId}|P|2.5.1\r` +
    `EVN|A01|20260102030405\rPID|1|${kind}|${controlId}^^^SITE^MR||SAMPLE^PERSON\r` +
    `NTE|1||${kind === "bad_bytes" ? "\xff" : ""}${note}\r`;
}

/** The payload that a send of `tag` makes of `body`. */
export function payloadOf(body: string, tag: string): string {
  return body.replace("|SEND|", `|${tag}|`);
}

/** MSH-10 of a body or payload. */
export function controlIdOf(text: string): string {
  return text.split("|", 10)[9] ?? "";
}

/** MSH-3 of a payload. */
export function tagOf(text: string): string {
  return text.split("|", 3)[2] ?? "";
}

/** PID-2 of a body or payload. */
export function kindOf(text: string): Kind {
  return (/\rPID\|1\|([a-z_]+)\|/.exec(text)?.[1] ?? "") as Kind;
}
