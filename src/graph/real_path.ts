/**
 * Where a path really leads, also when its end is not there yet.
 *
 * The runtime's grants and the `[egress]` lists see names only, so a symbolic link or `..` could
 * carry a reader out of what was allowed: every path is resolved before it is compared.
 * Source: deno facts §2.2.
 */
import { basename, dirname, resolve } from "node:path";

export interface RealPath {
  /** Absolute; resolved as far as it exists and this process may look, as written from there on. */
  readonly path: string;
  /** False also where this process may not look. */
  readonly exists: boolean;
}

/** Resolves what exists of `path`, with the rest of it appended. */
export async function findRealPath(path: string): Promise<RealPath> {
  const absolute = resolve(path);
  // Asked first, for the log of our permissions shows a try as it shows an attack.
  const { state } = await Deno.permissions.query({ name: "read", path: absolute });
  if (state !== "granted") return { path: absolute, exists: false };
  try {
    return { path: await Deno.realPath(absolute), exists: true };
  } catch (thrown) {
    const parent = dirname(absolute);
    if (!isNoPath(thrown) || parent === absolute) throw thrown;
    const above = await findRealPath(parent);
    return { path: resolve(above.path, basename(absolute)), exists: false };
  }
}

/** True for what the operating system says of a path that leads nowhere. */
function isNoPath(thrown: unknown): boolean {
  return thrown instanceof Deno.errors.NotFound ||
    thrown instanceof Deno.errors.NotADirectory ||
    thrown instanceof Deno.errors.FilesystemLoop;
}
