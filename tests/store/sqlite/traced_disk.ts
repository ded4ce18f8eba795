/**
 * What a disk may hold after its power was cut, from what a process asked of it, call by call.
 *
 * `strace` writes the calls down. What was synced is there. Of what came after the last sync of a
 * file any part may be: each write whole, not at all, or some of its sectors; each change of a
 * length or of a name, or not. So writes arrive in any order, and those of two files in any order
 * among each other. As on journaling file systems, names change in order, and a new file that is
 * synced has its name; a write changes no byte beside it (SQLite's SQLITE_POWERSAFE_OVERWRITE).
 */
import { Buffer } from "node:buffer";
import type { Random } from "../../../src/synthetic/random.ts";

export type DiskStep =
  | { readonly kind: "write"; readonly path: string; readonly at: number; readonly bytes: Buffer }
  | { readonly kind: "length"; readonly path: string; readonly length: number }
  /** What was done before step `upTo` is durable. */
  | { readonly kind: "sync"; readonly path: string; readonly upTo: number }
  /** Of a file that is there it is the opening. */
  | { readonly kind: "made"; readonly path: string }
  | { readonly kind: "removed"; readonly path: string }
  /** A line that the process wrote to the file of its answers, where others have seen it. */
  | { readonly kind: "said"; readonly line: string };

/** How much of what was not synced is there. */
export type Luck = "nothing" | "some" | "sectors" | "all";

/** A disk writes these whole or not at all. */
const SECTOR = 512;

/** The files after a cut before step `at`, by their paths. */
export function cutPower(
  steps: readonly DiskStep[],
  { at, luck, random }: { readonly at: number; readonly luck: Luck; readonly random: Random },
): ReadonlyMap<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (const [path, states] of namesOf(steps.slice(0, at))) {
    const state = luck === "nothing"
      ? states[0]!
      : luck === "all"
      ? states.at(-1)!
      : random.pick(states);
    if (state !== undefined) files.set(path, contentOf(state, luck, random));
  }
  return files;
}

/** One file of a name, from when it was made until it was removed. */
interface Life {
  readonly durable: Change[];
  /** What was done since its last sync. */
  loose: Change[];
}

type Write = Extract<DiskStep, { kind: "write" }> & { readonly index: number };
type Change = Write | Extract<DiskStep, { kind: "length" }> & { readonly index: number };

/** What a name may stand for, the oldest state first; undefined is no file. */
function namesOf(
  steps: readonly DiskStep[],
): ReadonlyMap<string, readonly [Life | undefined, ...(Life | undefined)[]]> {
  const names = new Map<string, [Life | undefined, ...(Life | undefined)[]]>();
  for (const [index, step] of steps.entries()) {
    if (step.kind === "said") continue;
    let states = names.get(step.path);
    if (states === undefined) names.set(step.path, states = [undefined]);
    const life = states.at(-1);
    if (step.kind === "made") {
      if (life === undefined) states.push({ durable: [], loose: [] });
    } else if (step.kind === "removed") states.push(undefined);
    else if (life === undefined) throw new Error(`"${step.path}" is written and not there`);
    else if (step.kind === "sync") {
      life.durable.push(...life.loose.filter(({ index }) => index < step.upTo));
      life.loose = life.loose.filter(({ index }) => index >= step.upTo);
      const isNew = states.length > 1;
      if (isNew) { for (const [name, all] of names) names.set(name, [all.at(-1)]); }
    } else life.loose.push({ ...step, index });
  }
  return names;
}

function contentOf({ durable, loose }: Life, luck: Luck, random: Random): Buffer {
  const content = new Content(Math.max(0, ...[...durable, ...loose].map(endOf)));
  for (const change of durable) content.apply(change);
  for (const change of loose) {
    if (luck === "nothing" || luck !== "all" && random.chance(50)) continue;
    if (luck === "sectors" && change.kind === "write") {
      for (const part of sectorsOf(change)) if (random.chance(50)) content.apply(part);
    } else content.apply(change);
  }
  return content.bytes;
}

function endOf(change: Change): number {
  return change.kind === "length" ? change.length : change.at + change.bytes.length;
}

/** Bytes of a file; what it is made longer by is zeros. */
class Content {
  readonly #room: Buffer;
  #length = 0;

  constructor(lengthMax: number) {
    this.#room = Buffer.alloc(lengthMax);
  }

  get bytes(): Buffer {
    return this.#room.subarray(0, this.#length);
  }

  apply(change: Change): void {
    const end = endOf(change);
    if (change.kind === "write") {
      change.bytes.copy(this.#room, change.at);
      this.#length = Math.max(this.#length, end);
    } else {
      if (end < this.#length) this.#room.fill(0, end, this.#length);
      this.#length = end;
    }
  }
}

function* sectorsOf({ at, bytes, ...rest }: Write): Generator<Write> {
  for (let from = 0; from < bytes.length;) {
    const to = Math.min(bytes.length, (Math.floor((at + from) / SECTOR) + 1) * SECTOR - at);
    yield { ...rest, at: at + from, bytes: bytes.subarray(from, to) };
    from = to;
  }
}

const CALLS = "pwrite64,write,fsync,fdatasync,ftruncate,openat,unlink,unlinkat,rename,renameat2";

export interface TraceOptions {
  /** Files whose calls count. */
  readonly paths: readonly string[];
  /** Takes what the process says on its standard output. */
  readonly answers: string;
  /** For the trace. */
  readonly file: string;
}

/** Runs a program to its end and adds to `steps` what it asked of the disk; returns what ended it. */
export async function traceDisk(
  command: readonly string[],
  steps: DiskStep[],
  { paths, answers, file }: TraceOptions,
): Promise<Deno.CommandStatus> {
  const traced = [...paths, answers].flatMap((path) => ["-P", path]);
  // Every byte in hexadecimal, and as many of them as a call has.
  const how = ["-f", "-y", "-qq", "-xx", "-s", String(2 ** 26), "-o", file, "-e", `trace=${CALLS}`];
  const child = new Deno.Command("sh", {
    args: ["-c", 'out=$1; shift; exec strace "$@" >"$out"', "sh", answers].concat(
      how,
      traced,
      command,
    ),
    stdin: "null",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
  const status = await child.status;
  clearTimeout(timer);
  readTrace(await Deno.readTextFile(file), steps, answers);
  return status;
}

/** One line of a trace: `PID name(arguments) = result`, or its two halves around other calls. */
const LINE = /^(\d+) +(?:<\.\.\. \w+ resumed>|(\w+)\()(.*)$/s;
const HALF = " <unfinished ...>";

function readTrace(text: string, steps: DiskStep[], answers: string): void {
  /** Calls that have begun, by thread: their first half, and where they began. */
  const begun = new Map<string, { readonly call: string; readonly upTo: number }>();
  const said = { rest: "" };
  for (const line of text.split("\n")) {
    const [, thread, name, rest] = LINE.exec(line) ?? [];
    if (thread === undefined || rest === undefined) continue;
    if (name !== undefined && rest.endsWith(HALF)) {
      const call = `${name}(${rest.slice(0, -HALF.length)}`;
      begun.set(thread, { call, upTo: steps.length });
      continue;
    }
    const half = name === undefined ? begun.get(thread) : undefined;
    if (name === undefined && half === undefined) continue;
    const call = half === undefined ? `${name}(${rest}` : half.call + rest;
    const upTo = half?.upTo ?? steps.length;
    steps.push(...stepsOf(call, { upTo, answers, said }));
  }
}

const CALL = /^(\w+)\((.*)\) += (-?\d+)/s;
const FILE = /^-?\w+<((?:\\x[0-9a-f]{2})+)>/;

/** What a call did, if it did anything. */
function stepsOf(
  text: string,
  { upTo, answers, said }: {
    readonly upTo: number;
    readonly answers: string;
    readonly said: { rest: string };
  },
): DiskStep[] {
  const [, name, given, result] = CALL.exec(text) ?? [];
  if (name === undefined || given === undefined || Number(result) < 0) return [];
  const parts = given.split(", ");
  const path = bytesOf(FILE.exec(given)?.[1] ?? "").toString();
  switch (name) {
    case "pwrite64":
      return [{ kind: "write", path, at: Number(parts[3]), bytes: bytesOf(parts[1]!) }];
    case "write": {
      if (path !== answers) throw new Error(`Cannot tell where a write to "${path}" goes`);
      const lines = (said.rest + bytesOf(parts[1]!)).split("\n");
      said.rest = lines.pop()!;
      return lines.map((line) => ({ kind: "said", line }));
    }
    case "fsync":
    case "fdatasync":
      return [{ kind: "sync", path, upTo }];
    case "ftruncate":
      return [{ kind: "length", path, length: Number(parts[1]) }];
    case "openat": {
      const opened = bytesOf(parts[1]!).toString();
      if (!parts[2]!.includes("O_CREAT") || opened === answers) return [];
      return [{ kind: "made", path: opened }];
    }
    case "unlink":
    case "unlinkat": {
      const removed = bytesOf(parts[name === "unlink" ? 0 : 1]!).toString();
      return [{ kind: "removed", path: removed }];
    }
    default:
      throw new Error(`Cannot tell what "${name}" does to the disk`);
  }
}

/** `"\x4d\x53"` as its bytes. */
function bytesOf(hexadecimal: string): Buffer {
  return Buffer.from(hexadecimal.replaceAll(/\\x|"/g, ""), "hex");
}
