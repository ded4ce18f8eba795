/**
 * Holds every destination of a resolved graph against the `[egress]` lists.
 *
 * An empty list is open unless `deny_by_default` is set; once it has an entry, whatever it does not
 * name is refused. Names are compared without regard to case and never looked up, addresses by
 * value, directories by real path.
 * Source: A `[egress]`; spec connectors-and-graph §1.2.
 */
import { toCamelCase } from "../authoring/keys.ts";
import { quoteName } from "../authoring/names.ts";
import {
  canonicalHost,
  type EgressSettings,
  isDeniedAddress,
  isOneHost,
  parseHostEntry,
} from "../settings/mod.ts";
import type { SourcePosition } from "../sandbox/protocol.ts";
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
    /** True when directories below it are read too. */
    readonly recursive?: boolean;
  };

export interface ConnectionReach {
  readonly connection: string;
  /** A reference set reaches the database it is read from. */
  readonly direction: "inbound" | "outbound" | "reference";
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
      const reason = await refusalOf(one, egress);
      if (reason === undefined) continue;
      const side = `${direction.charAt(0).toUpperCase()}${direction.slice(1)}`;
      problems.push(problemAt(
        position,
        `${side} ${quoteName(connection)} may not reach "${describe(one)}": ${reason}`,
      ));
    }
  }
  return problems;
}

async function refusalOf(reach: Reach, egress: EgressSettings): Promise<string | undefined> {
  // A network or a pattern would become a permission for all of it.
  if (reach.kind === "net" && !isOneHost(reach.host)) return "it is not one host name or address";
  if (reach.kind === "net" && isDeniedAddress(reach.host)) {
    return "no partner has a link-local address or that of a cloud's metadata";
  }
  if (reach.list === "" || await isAllowed(reach, egress)) return undefined;
  return listOf(egress, reach.list).length === 0
    ? `[egress] ${reach.list} is empty and deny_by_default is set`
    : `[egress] ${reach.list} does not allow it`;
}

/** True when the lists let `reach` through. */
export async function isAllowed(reach: Reach, egress: EgressSettings): Promise<boolean> {
  const entries = listOf(egress, reach.list);
  if (entries.length === 0) return !egress.denyByDefault;
  if (reach.kind === "net") return entries.some((entry) => allowsHost(entry, reach));
  // What this process may not look at stands as written: it may not write there either.
  const path = await realPathOr(reach.path);
  if (path === undefined) return false;
  for (const entry of entries) {
    const allowed = await realPathOr(entry);
    if (allowed !== undefined && isWithin(allowed, path)) return true;
  }
  return false;
}

function allowsHost(entry: string, { host, port }: { host: string; port: number }): boolean {
  const allowed = parseHostEntry(entry);
  return allowed !== undefined && allowed.host === canonicalHost(host) &&
    (allowed.port === undefined || allowed.port === port);
}

/** Undefined for what the operating system will not resolve: nobody can say where it leads. */
async function realPathOr(path: string): Promise<string | undefined> {
  try {
    return (await findRealPath(path)).path;
  } catch {
    return undefined;
  }
}

function listOf(egress: EgressSettings, list: string): readonly string[] {
  const entries: unknown = new Map<string, unknown>(Object.entries(egress)).get(toCamelCase(list));
  if (!Array.isArray(entries)) throw new TypeError(`No egress list "${list}"`);
  return entries as readonly string[];
}

function describe(reach: Reach): string {
  return reach.kind === "path" ? reach.path : `${reach.host}:${reach.port}`;
}
