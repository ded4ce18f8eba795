/** Compares what this process may do with what was derived for it. */
import type { Grant } from "./permission_set.ts";

export type QueryPermission = (descriptor: Deno.PermissionDescriptor) => Deno.PermissionState;

export interface PermissionDifference {
  /** Derived grants this process does not have. */
  readonly missing: readonly Grant[];
  /** Flags that give more than any engine needs: `--allow-read` without a path. */
  readonly wider: readonly string[];
}

/**
 * Kinds of which the engine never holds the whole, with scopes that only the whole, or nearly the
 * whole (`--allow-net=0.0.0.0/0`), contains: no partner has an address for documentation (RFC 5737).
 */
const WHOLE: readonly (readonly [string, readonly Deno.PermissionDescriptor[]])[] = [
  ["--allow-net", [{ name: "net" }, { name: "net", host: "192.0.2.1:9" }]],
  ["--allow-read", [{ name: "read" }, { name: "read", path: "/" }]],
  ["--allow-write", [{ name: "write" }, { name: "write", path: "/" }]],
  ["--allow-env", [{ name: "env" }, { name: "env", variable: "PATH" }]],
  ["--allow-run", [{ name: "run" }, { name: "run", command: Deno.execPath() }]],
  ["--allow-ffi", [{ name: "ffi" }]],
  ["--allow-sys", [{ name: "sys" }]],
];

/** Asks the runtime about every grant. */
export function comparePermissions(
  grants: readonly Grant[],
  query: QueryPermission,
): PermissionDifference {
  const missing = grants.filter((grant) =>
    grant.action === "allow" && query(descriptorOf(grant)) !== "granted"
  );
  const wanted = new Set(grants.map((grant) => JSON.stringify(descriptorOf(grant))));
  const wider = WHOLE.filter(([, descriptors]) =>
    descriptors.some((descriptor) =>
      query(descriptor) === "granted" && !wanted.has(JSON.stringify(descriptor))
    )
  ).map(([flag]) => flag);
  return { missing, wider };
}

/** Asks this process. */
export function queryProcess(descriptor: Deno.PermissionDescriptor): Deno.PermissionState {
  return Deno.permissions.querySync(descriptor).state;
}

/** One sentence for a grant that is not there. */
export function missingText({ kind, value, reason }: Grant): string {
  return `--allow-${kind}=${value} is missing (for ${reason})`;
}

function descriptorOf({ kind, value }: Grant): Deno.PermissionDescriptor {
  switch (kind) {
    case "net":
      return { name: "net", host: value };
    case "env":
      return { name: "env", variable: value.replace("*", "PROBE") };
    case "read":
    case "write":
      return { name: kind, path: value };
  }
}
