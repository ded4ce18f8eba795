/** Message files for dry runs and checks: found, read, and cut into messages. */
import { basename, extname, join, relative, resolve } from "node:path";
import { codecFor, splitBatch } from "../hl7/mod.ts";
import { encodeCarriage } from "../hl7/carriage.ts";
import type { ContentType } from "./graph.ts";
import { compareText } from "./problems.ts";

export interface Fixture {
  /** As given or found, for people. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Largest message file read, in bytes. */
const FIXTURE_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Reads files, and the `*.hl7` files of directories, sorted; with `anyFile`, every file of a
 * directory that is not hidden and not an expectation.
 *
 * @throws {Error} for a path that is missing or a directory without a message file.
 */
export async function collectFixtures(
  paths: readonly string[],
  { recursive = false, anyFile = false }: { recursive?: boolean; anyFile?: boolean } = {},
): Promise<readonly Fixture[]> {
  const files: string[] = [];
  for (const path of paths) {
    const info = await statOf(path);
    if (info.isFile) {
      files.push(path);
      continue;
    }
    const found = await filesOf(path, { recursive, anyFile });
    if (found.length === 0 && !recursive) throw new Error(`No message file in "${path}"`);
    files.push(...found);
  }
  const fixtures: Fixture[] = [];
  for (const path of files) {
    const { size } = await Deno.stat(path);
    if (size > FIXTURE_BYTES_MAX) {
      throw new Error(`Message file "${path}" is larger than ${FIXTURE_BYTES_MAX} bytes`);
    }
    fixtures.push({ path, bytes: await Deno.readFile(path) });
  }
  return fixtures;
}

async function statOf(path: string): Promise<Deno.FileInfo> {
  try {
    return await Deno.stat(path);
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new Error(`No file or directory "${path}"`, { cause });
  }
}

async function filesOf(
  dir: string,
  options: { recursive: boolean; anyFile: boolean },
): Promise<readonly string[]> {
  const files: string[] = [];
  const dirs: string[] = [];
  for await (const entry of Deno.readDir(dir)) {
    const path = join(dir, entry.name);
    if (entry.name.startsWith(".")) continue;
    if (entry.isDirectory) dirs.push(path);
    else if (options.anyFile ? extname(path) !== ".expect" : path.endsWith(".hl7")) {
      files.push(path);
    }
  }
  if (options.recursive) {
    for (const inner of dirs) files.push(...await filesOf(inner, options));
  }
  return files.sort(compareText);
}

/** One message of a file. */
export interface FixtureMessage {
  /** `a.hl7`, or `a.hl7 [2]` where the file holds several. */
  readonly source: string;
  readonly text: string;
}

/** Cuts a file into messages, as an inbound with this content would. */
export function messagesOf(
  { path, bytes }: Fixture,
  { contentType, encoding }: { contentType: ContentType; encoding: string },
): readonly FixtureMessage[] {
  const source = basename(path);
  if (contentType === "binary" || contentType === "dicom") {
    return [{ source, text: encodeCarriage(bytes) }];
  }
  const text = codecFor(encoding).decode(bytes);
  if (contentType !== "hl7v2") return [{ source, text }];
  const { messages } = splitBatch(text);
  if (messages.length === 1) return [{ source, text: messages[0] ?? text }];
  return messages.map((message, index) => ({ source: `${source} [${index + 1}]`, text: message }));
}

/** Returns the first folder between `root` and the file, if any: `<root>/<inbound>/…`. */
export function folderOf(root: string, path: string): string | undefined {
  const steps = relative(resolve(root), resolve(path)).split(/[/\\]/);
  return steps.length > 1 ? steps[0] : undefined;
}
