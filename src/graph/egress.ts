/**
 * Holds every destination of a resolved graph against the `[egress]` lists.
 *
 * An empty list is open unless `deny_by_default` is set; once it has an entry, whatever it does not
 * name is refused. Names are compared as written, addresses by value, directories by real path.
 * Source: A `[egress]`; spec connectors-and-graph §1.2.
 */
import { toCamelCase } from "../authoring/keys.ts";
import { quoteName } from "../authoring/names.ts";
import { type EgressSettings, parseHostEntry } from "../settings/mod.ts";
import type { SourcePosition } from "../sandbox/protocol.ts";
import { canonicalHost } from "./ports.ts";
import { type GraphProblem, problemAt } from "./problems.ts";
import { findRealPath } from "./real_path.ts";
import { isWithin } from "./source_trust.ts";

/** What a connection reaches; connectors tell. An empty `list` is not subject to `[egress]`. */
export type Reach =
  | { readonly kind: "net"; readonly list: string; readonly host: string; readonly port: number }
  | {
    readonly kind: "path";
    readonly list: string;
    readonly path: string;
    readonly write: boolean;
  };

export interface ConnectionReach {
  readonly connection: string;
  readonly direction: "inbound" | "outbound";
  readonly position: SourcePosition | undefined;
  readonly reach: readonly Reach[];
}

/** Returns a problem for everything that is reached and not allowed. */
export async function checkEgress(
  connections: readonly ConnectionReach[],
  egress: EgressSettings,
): Promise<readonly GraphProblem[]> {
  const problems: GraphProblem[] = [];
  for (const { connection, direction, position, reach } of connections) {
    for (const one of reach) {
      if (one.list === "" || await isAllowed(one, egress)) continue;
      const side = direction === "inbound" ? "Inbound" : "Outbound";
      const entries = listOf(egress, one.list);
      const reason = entries.length === 0
        ? `[egress] ${one.list} is empty and deny_by_default is set`
        : `[egress] ${one.list} does not allow it`;
      problems.push(problemAt(
        position,
        `${side} ${quoteName(connection)} may not reach "${describe(one)}": ${reason}`,
      ));
    }
  }
  return problems;
}

/** True when the lists let `reach` through. */
export async function isAllowed(reach: Reach, egress: EgressSettings): Promise<boolean> {
  const entries = listOf(egress, reach.list);
  if (entries.length === 0) return !egress.denyByDefault;
  if (reach.kind === "net") return entries.some((entry) => allowsHost(entry, reach));
  // What this process may not look at stands as written: it may not write there either.
  const { path } = await findRealPath(reach.path);
  for (const entry of entries) {
    if (isWithin((await findRealPath(entry)).path, path)) return true;
  }
  return false;
}

function allowsHost(entry: string, { host, port }: { host: string; port: number }): boolean {
  const allowed = parseHostEntry(entry);
  return allowed !== undefined && canonicalHost(allowed.host) === canonicalHost(host) &&
    (allowed.port === undefined || allowed.port === port);
}

function listOf(egress: EgressSettings, list: string): readonly string[] {
  const entries: unknown = new Map<string, unknown>(Object.entries(egress)).get(toCamelCase(list));
  if (!Array.isArray(entries)) throw new TypeError(`No egress list "${list}"`);
  return entries as readonly string[];
}

function describe(reach: Reach): string {
  return reach.kind === "path" ? reach.path : `${reach.host}:${reach.port}`;
}
