/** Reads one file, and proves first that it is a plain file within its directory. */
import type { Candidate } from "./listing.ts";
import { resolveInside } from "./inside.ts";

/** What tells whether a file is still the one that was read. */
export interface FileStamp {
  readonly inode: number | null;
  readonly size: number;
  readonly mtimeMs: number;
}

export type FileReading =
  | { readonly kind: "read"; readonly bytes: Uint8Array; readonly stamp: FileStamp }
  | { readonly kind: "oversize"; readonly stamp: FileStamp }
  /** Changed a moment ago: its writer may not be done. */
  | { readonly kind: "too_young" }
  /** A link that leads out, a pipe, a device: never opened. */
  | { readonly kind: "not_ours" };

export interface ReadingLimits {
  /** Resolved directory. */
  readonly root: string;
  readonly fileBytesMax: number;
  readonly ageMsMin: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Returns the bytes of a candidate, or why there are none. Throws what the file system throws. */
export async function readCandidate(
  candidate: Candidate,
  { root, fileBytesMax, ageMsMin, now }: ReadingLimits,
): Promise<FileReading> {
  // Opening a pipe would wait for its writer for ever.
  if (!(await Deno.stat(candidate.path)).isFile) return { kind: "not_ours" };
  using file = await Deno.open(candidate.path, { read: true });
  const info = await file.stat();
  // The name is resolved after the open and must lead to the very file that is open, so a link
  // that is turned around in between gains nothing.
  const real = await resolveInside(root, candidate.path);
  if (real === undefined) return { kind: "not_ours" };
  const named = await Deno.lstat(real);
  if (named.ino !== info.ino || named.dev !== info.dev) return { kind: "not_ours" };

  const stamp = stampOf(info);
  if (ageMsMin > 0 && now - stamp.mtimeMs < ageMsMin) return { kind: "too_young" };
  if (stamp.size > fileBytesMax) return { kind: "oversize", stamp };
  const bytes = await readAll(file, stamp.size, fileBytesMax);
  return bytes === undefined ? { kind: "oversize", stamp } : { kind: "read", bytes, stamp };
}

/** The stamp of what stands under `path` now; undefined when nothing does. */
export async function currentStamp(path: string): Promise<FileStamp | undefined> {
  try {
    return stampOf(await Deno.stat(path));
  } catch {
    return undefined;
  }
}

export function isSameStamp(a: FileStamp | undefined, b: FileStamp | undefined): boolean {
  return a !== undefined && b !== undefined && a.inode === b.inode && a.size === b.size &&
    a.mtimeMs === b.mtimeMs;
}

function stampOf(info: Deno.FileInfo): FileStamp {
  return { inode: info.ino, size: info.size, mtimeMs: info.mtime?.getTime() ?? 0 };
}

/** Reads to the end; undefined when there is more than `bytesMax`, however small it looked. */
async function readAll(
  file: Deno.FsFile,
  sizeHint: number,
  bytesMax: number,
): Promise<Uint8Array | undefined> {
  // One byte more than expected, so that the end is seen without growing.
  let bytes = new Uint8Array(sizeHint + 1);
  let length = 0;
  for (;;) {
    const read = await file.read(bytes.subarray(length));
    if (read === null) return bytes.subarray(0, length);
    length += read;
    if (length > bytesMax) return undefined;
    if (length < bytes.length) continue;
    const larger = new Uint8Array(bytes.length * 2);
    larger.set(bytes);
    bytes = larger;
  }
}
