/** Small questions about paths, asked before anything is opened. */

/** True when it is known not to be there; false also where this process may not look. */
export function isMissing(path: string): boolean {
  try {
    Deno.statSync(path);
    return false;
  } catch (thrown) {
    return thrown instanceof Deno.errors.NotFound;
  }
}

/** Returns the real path of what exists, and otherwise the path as written. */
export function realPathOf(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    // Not there yet, or out of bounds for this process.
    return path;
  }
}
