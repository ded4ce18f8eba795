/** How a node is called. */
import type { Holder } from "./lease.ts";

export interface NameParts {
  /** `[cluster] node_id`; undefined: made up of the rest. */
  readonly nodeId: string | undefined;
  readonly host: string | undefined;
  readonly pid: number;
}

/** A name for this process: `host:pid:hex`, or the pinned one; never the same process twice. */
export function makeHolder({ nodeId, host, pid }: NameParts): Holder {
  const incarnation = hex(8);
  return { nodeId: nodeId ?? `${host ?? "node"}:${pid}:${incarnation.slice(0, 8)}`, incarnation };
}

function hex(bytes: number): string {
  return crypto.getRandomValues(new Uint8Array(bytes)).toHex();
}
