/**
 * Which listeners would meet on one port.
 *
 * Two meet when their ports are equal and their interfaces overlap: a wildcard overlaps all, and
 * two different addresses do not. Source: spec connectors-and-graph §4.7 (23, 25).
 */
import type { SourcePosition } from "../sandbox/protocol.ts";
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

/**
 * Returns one spelling for each host: lower case, no brackets, no final dot, IPv6 compressed, an
 * IPv4 address in IPv6 clothes as IPv4. Names are not looked up.
 */
export function canonicalHost(host: string): string {
  const plain = host.trim().toLowerCase().replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
  if (!plain.includes(":")) return plain;
  const [address = "", zone] = plain.split("%", 2);
  const url = URL.parse(`http://[${address}]/`);
  if (url === null) return plain;
  const short = url.hostname.slice(1, -1);
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short);
  if (mapped !== null) {
    const bits = (parseInt(mapped[1] ?? "0", 16) << 16 >>> 0) + parseInt(mapped[2] ?? "0", 16);
    return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".");
  }
  return zone === undefined ? short : `${short}%${zone}`;
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
