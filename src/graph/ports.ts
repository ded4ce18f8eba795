/**
 * Which listeners would meet on one port.
 *
 * Two meet when their ports are equal and their interfaces overlap: a wildcard overlaps all, and
 * two different addresses do not. Source: spec connectors-and-graph §4.7 (23, 25).
 */
import type { SourcePosition } from "../sandbox/protocol.ts";
import { canonicalHost } from "../settings/mod.ts";
import { type GraphProblem, problemAt } from "./problems.ts";

export interface Listener {
  /** For the sentence: `Inbound "IB_A"`, `the API`. */
  readonly label: string;
  /** Undefined: inherits an interface that is not known yet. */
  readonly host: string | undefined;
  readonly port: number;
  readonly position: SourcePosition | undefined;
}

/** Returns one problem for each listener that meets an earlier one. */
export function portClashes(listeners: readonly Listener[]): readonly GraphProblem[] {
  const problems: GraphProblem[] = [];
  const byPort = new Map<number, Listener[]>();
  for (const listener of listeners) {
    if (listener.port === 0) continue;
    const former = byPort.get(listener.port) ?? [];
    const other = former.find((candidate) => overlap(candidate.host, listener.host));
    if (other !== undefined) {
      problems.push(problemAt(
        listener.position ?? other.position,
        `${listener.label} listens on port ${listener.port}, as ${lowerFirst(other.label)} does`,
      ));
    }
    byPort.set(listener.port, [...former, listener]);
  }
  return problems;
}

/** True when two interfaces share an address; an unknown one is compared with its like only. */
export function overlap(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) {
    return a === b || isWildcard(a ?? "") || isWildcard(b ?? "");
  }
  if (isWildcard(a) || isWildcard(b)) return true;
  const [left, right] = [canonicalHost(a), canonicalHost(b)];
  if (left === right) return true;
  // "localhost" may be either loopback address.
  return (left === "localhost" && isLoopback(right)) || (right === "localhost" && isLoopback(left));
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "*" || canonicalHost(host) === "::";
}

/** True for the addresses that never leave the machine. Source: spec §1.2. */
export function isLoopback(host: string): boolean {
  const canonical = canonicalHost(host);
  return canonical === "localhost" || canonical === "::1" || canonical === "127.0.0.1";
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
