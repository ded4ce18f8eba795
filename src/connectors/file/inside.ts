/**
 * Where a path really leads. Permissions and egress rules see names only, so a symbolic link could
 * carry a reader or writer out of its directory: every path is resolved before it is used.
 */
import path from "node:path";

/** True when `real` is `root` or below it. Both must be resolved. */
export function isInside(root: string, real: string): boolean {
  return real === root || real.startsWith(root.endsWith(path.sep) ? root : root + path.sep);
}

/** Resolves `file`; undefined when it leads out of `root`, which must be resolved. */
export async function resolveInside(root: string, file: string): Promise<string | undefined> {
  const real = await Deno.realPath(file);
  return isInside(root, real) ? real : undefined;
}
