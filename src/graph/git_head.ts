/**
 * Which commit a bundle is at, read from git's own files; no program is run.
 *
 * Best effort: what cannot be read, for want of a file or of a permission, is undefined.
 */
import { resolve } from "node:path";

/** Links of links; git itself follows five. */
const SYMBOLIC_MAX = 5;

/** Returns the commit `HEAD` of the bundle's own `.git` names, 40 or 64 hex digits. */
export async function readGitHead(bundleDir: string): Promise<string | undefined> {
  const gitDir = await gitDirOf(bundleDir);
  if (gitDir === undefined) return undefined;
  // Branches of a linked worktree stand in the repository it was made from.
  const common = await readLine(`${gitDir}/commondir`);
  const refDirs = common === undefined ? [gitDir] : [gitDir, resolve(gitDir, common)];
  let name = "HEAD";
  for (let links = 0; links < SYMBOLIC_MAX; links++) {
    const value = await readRef(name, refDirs);
    if (value === undefined) return undefined;
    const target = /^ref: (.+)$/.exec(value)?.[1];
    if (target === undefined) return isHash(value) ? value : undefined;
    if (target.includes("..")) return undefined;
    name = target;
  }
  return undefined;
}

/** A directory, or the one that a file `gitdir: <path>` names (worktrees, submodules). */
async function gitDirOf(bundleDir: string): Promise<string | undefined> {
  const path = `${bundleDir}/.git`;
  const link = await readLine(path);
  if (link === undefined) return path;
  const target = /^gitdir: (.+)$/.exec(link)?.[1];
  return target === undefined ? undefined : resolve(bundleDir, target);
}

async function readRef(name: string, dirs: readonly string[]): Promise<string | undefined> {
  for (const dir of dirs) {
    const value = await readLine(`${dir}/${name}`) ?? await readPacked(name, dir);
    if (value !== undefined) return value;
  }
  return undefined;
}

/** Lines of `packed-refs`: the hash, a space, the name. */
async function readPacked(name: string, dir: string): Promise<string | undefined> {
  const text = await readText(`${dir}/packed-refs`);
  for (const line of text?.split("\n") ?? []) {
    const [hash, ref] = line.split(" ", 2);
    if (ref === name) return hash;
  }
  return undefined;
}

function isHash(text: string): boolean {
  return /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(text);
}

async function readLine(path: string): Promise<string | undefined> {
  return (await readText(path))?.split("\n", 1)[0]?.trim();
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    return undefined;
  }
}
