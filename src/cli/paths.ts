/**
 * Small questions about paths, asked before anything is opened. Where this process may not look, it
 * does not try: the log of its permissions shows a try as it shows an attack.
 */
import { basename, dirname, join } from "node:path";

/** True when it is known not to be there; false also where this process may not look. */
export function isMissing(path: string): boolean {
  if (!mayLook(path)) return false;
  try {
    Deno.statSync(path);
    return false;
  } catch (thrown) {
    return thrown instanceof Deno.errors.NotFound;
  }
}

/** Returns the real path of what exists of an absolute path, with the rest as written. */
export function realPathOf(path: string): string {
  if (!mayLook(path)) return path;
  try {
    return Deno.realPathSync(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(realPathOf(parent), basename(path));
  }
}

function mayLook(path: string): boolean {
  return Deno.permissions.querySync({ name: "read", path }).state === "granted";
}
