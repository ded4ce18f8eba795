/**
 * The runtime's own log of every permission it was asked for (`DENO_AUDIT_PERMISSIONS`), and what
 * of it stands outside a derived set. Source: deno facts §2.4.
 */
import assert from "node:assert/strict";
import type { Grant } from "../../src/cli/serve/permission_set.ts";

/** One request, granted or refused. */
export interface PermissionRequest {
  readonly permission: string;
  /** null: the whole kind, such as the list of all variables. */
  readonly value: string | null;
}

/**
 * Reads the log of one process. A child that inherits the variable begins the file anew: of a
 * launcher and its engine, the engine's log is what is there.
 */
export async function readPermissionLog(path: string): Promise<readonly PermissionRequest[]> {
  const lines = (await Deno.readTextFile(path)).trimEnd().split("\n");
  return lines.map((line) => {
    const { v, permission, value } = JSON.parse(line);
    assert.equal(v, 1, "the runtime writes its log in another way");
    return { permission, value };
  });
}

/** Returns, each once, what was asked for and is not granted. */
export function outsideOf(
  grants: readonly Grant[],
  log: readonly PermissionRequest[],
): readonly string[] {
  const outside = log.filter((request) => !isGranted(grants, request));
  return [...new Set(outside.map(({ permission, value }) => `${permission} ${value}`))];
}

function isGranted(grants: readonly Grant[], { permission, value }: PermissionRequest): boolean {
  // Listing the variables names none, and the flags hide all but ours.
  if (value === null) return permission === "env";
  const of = (action: Grant["action"]) =>
    grants.filter((grant) => grant.kind === permission && grant.action === action)
      .map((grant) => grant.value);
  if (permission === "env") return value.startsWith("MEFOR_") && of("allow").includes("MEFOR_*");
  if (permission === "net") return of("allow").includes(value) && !of("deny").includes(value);
  const isBelow = (path: string) => of("allow").some((root) => isWithin(root, path));
  // The runtime follows a link without asking again, so what stands behind it must be granted too.
  return isBelow(value) && isBelow(realPathOf(value));
}

function isWithin(root: string, path: string): boolean {
  return path === root || path.startsWith(root.endsWith("/") ? root : `${root}/`);
}

function realPathOf(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    return path;
  }
}
