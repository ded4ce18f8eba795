/**
 * Where in the author's source a call was made, read from a stack.
 *
 * Everything in this folder's tree is the engine's and skipped; the first frame outside it is the
 * author's. Upstream: every declaration.
 */

/** Lines and columns count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
}

/** Locations that begin so are ours: the folder this file was loaded from, less its last part. */
const engineRoot = rootOf(firstLocation(new Error().stack ?? "")?.file ?? "");

/** Returns the position of the author's call that led here, or undefined when there is none. */
export function callerPosition(): Position | undefined {
  return authorPosition(new Error().stack ?? "");
}

/** Returns the first position in `stack` that is not the engine's or the runtime's. */
export function authorPosition(stack: string): Position | undefined {
  for (const line of stack.split("\n")) {
    const position = locationOf(line);
    if (position !== undefined && !isForeign(position.file)) return position;
  }
  return undefined;
}

function isForeign(file: string): boolean {
  return (engineRoot !== "" && file.startsWith(engineRoot)) || /^(ext|node):/.test(file) ||
    file.startsWith("<");
}

function firstLocation(stack: string): Position | undefined {
  for (const line of stack.split("\n")) {
    const position = locationOf(line);
    if (position !== undefined) return position;
  }
  return undefined;
}

/** `    at declare (graph/adt.ts:12:5)`, `    at async graph/adt.ts:12:5` */
function locationOf(line: string): Position | undefined {
  const match = /^\s+at (?:.* \((.+):(\d+):\d+\)|(?:async )?(.+):(\d+):\d+)$/.exec(line);
  const file = match?.[1] ?? match?.[3];
  const number = match?.[2] ?? match?.[4];
  return file === undefined || number === undefined ? undefined : { file, line: Number(number) };
}

function rootOf(file: string): string {
  return file.replace(/[^/]*\/[^/]*$/, "");
}
