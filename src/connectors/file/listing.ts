/** Lists the files of one scan: which names fit, in the order they will be read. */
import path from "node:path";
import type { FileSourceOptions } from "./options.ts";

/** Directories below directories below directories: deeper ones are not read. */
const depthMax = 32;

export interface Candidate {
  /** Absolute. */
  readonly path: string;
  /** Below the directory, with the system's separators. */
  readonly relative: string;
}

/** @throws when the directory itself cannot be read; one below that cannot is left out. */
export async function listCandidates(
  root: string,
  options: FileSourceOptions,
): Promise<readonly Candidate[]> {
  const found: Candidate[] = [];
  const excluded = new Set(
    [options.processedSubdir, options.errorSubdir].map((subdir) => path.join(root, subdir)),
  );
  await collect({ root, directory: root, depth: 0, options, excluded, found });
  if (options.sort === "name") return found.sort(byName);
  return await sortByTime(found);
}

interface Walk {
  readonly root: string;
  readonly directory: string;
  readonly depth: number;
  readonly options: FileSourceOptions;
  readonly excluded: ReadonlySet<string>;
  readonly found: Candidate[];
}

async function collect(walk: Walk): Promise<void> {
  const below: string[] = [];
  for await (const entry of Deno.readDir(walk.directory)) {
    const full = path.join(walk.directory, entry.name);
    // A linked directory is not entered: it could lead out, or round in a circle.
    if (entry.isDirectory) {
      if (walk.options.isRecursive && !walk.excluded.has(full)) below.push(full);
    } else if (walk.options.glob.matches(entry.name)) {
      walk.found.push({ path: full, relative: path.relative(walk.root, full) });
    }
  }
  if (walk.depth >= depthMax) return;
  for (const directory of below) {
    try {
      await collect({ ...walk, directory, depth: walk.depth + 1 });
    } catch {
      // Gone or closed to us since it was listed; the others are read all the same.
    }
  }
}

function byName(a: Candidate, b: Candidate): number {
  return a.relative < b.relative ? -1 : a.relative > b.relative ? 1 : 0;
}

/** Oldest first, equal times by name. What cannot be looked at comes first: its reader tells why. */
async function sortByTime(candidates: readonly Candidate[]): Promise<readonly Candidate[]> {
  const timed: { candidate: Candidate; time: number }[] = [];
  for (const candidate of candidates) {
    const info = await Deno.stat(candidate.path).catch(() => undefined);
    timed.push({ candidate, time: info?.mtime?.getTime() ?? 0 });
  }
  timed.sort((a, b) => a.time - b.time || byName(a.candidate, b.candidate));
  return timed.map(({ candidate }) => candidate);
}
