/**
 * Which directories a reload may load a bundle from.
 *
 * A reload runs the code it finds, so a request names a directory and never widens what was settled
 * at the start: the `--config` directory and `[api] config_reload_roots`, themselves or below. Both
 * sides are compared by real path. The process's read grants are derived from the same roots and
 * hold on their own. Source: spec api §6.2.
 */
import { findRealPath, type RealPath } from "./real_path.ts";
import { isWithin } from "./source_trust.ts";

export interface ReloadRoots {
  /** Real paths, each once. */
  readonly roots: readonly string[];
  /** What was named and is no directory now; it stays out until the next start. */
  readonly missing: readonly string[];
}

/**
 * Resolves the roots once, at the start: a link that is turned later does not move a root.
 *
 * @param dirs the `--config` directory, then `[api] config_reload_roots`; relative ones count from
 * the working directory.
 */
export async function findReloadRoots(dirs: readonly string[]): Promise<ReloadRoots> {
  const roots = new Set<string>();
  const missing: string[] = [];
  for (const dir of dirs) {
    const real = await resolvedOr(dir);
    if (real?.exists && await isDirectory(real.path)) roots.add(real.path);
    else missing.push(dir);
  }
  return { roots: [...roots], missing };
}

/**
 * `not_allowed` also stands for a directory that does not exist outside of the roots: an answer
 * must not tell what else is on this machine.
 */
export type ReloadDir =
  | { readonly ok: true; readonly dir: string }
  | { readonly ok: false; readonly reason: "not_allowed" | "not_found" };

/**
 * Returns the real path of the directory that a reload asks for, to be loaded in place of what was
 * asked, or says why not. A relative path counts from the working directory, as `--config` does.
 */
export async function resolveReloadDir(
  roots: readonly string[],
  requested: string,
): Promise<ReloadDir> {
  const real = await resolvedOr(requested);
  const isAllowed = real !== undefined && roots.some((root) => isWithin(root, real.path));
  if (!isAllowed) return { ok: false, reason: "not_allowed" };
  const isThere = real.exists && await isDirectory(real.path);
  return isThere ? { ok: true, dir: real.path } : { ok: false, reason: "not_found" };
}

/** Undefined for what the operating system will not resolve: nobody can say where it leads. */
async function resolvedOr(path: string): Promise<RealPath | undefined> {
  try {
    return await findRealPath(path);
  } catch {
    return undefined;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch {
    return false;
  }
}
