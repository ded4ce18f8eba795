/**
 * The commit log: one frame a commit, appended to a file beside the store and made durable at once.
 *
 * A frame holds what a commit did (`redo.ts`). The tables take it in later; until then opening the
 * store carries it out. The file has two halves that are written in turn, so that its size and its
 * blocks stay as they are: making a frame durable then costs one write of the disk. A half is
 * written again when the tables hold all of it, durably.
 *
 * Frame: magic, length, check sum, tag of the store (4 bytes each, little endian), number (8 bytes,
 * a float), payload. The check sum (CRC-32) covers all that follows it. A frame that was not
 * written whole has another one, and ends the log.
 */
import { Buffer } from "node:buffer";
import * as fs from "node:fs";
import { crc32 } from "node:zlib";

export interface LogOptions {
  readonly path: string;
  /** Tells the logs of two stores apart. */
  readonly tag: number;
  /** Number of the first frame to come. */
  readonly nextId: number;
  readonly halfBytes?: number;
}

/** Where a store's log is, and how it is told from others. */
export type LogPlace = Pick<LogOptions, "path" | "tag">;

/** A frame read back; `payload` is a view. */
export interface LogFrame {
  readonly id: number;
  readonly payload: Buffer;
}

const MAGIC = 0x31_52_46_4d;
const HEADER_BYTES = 24;
const HALF_BYTES = 16 * 1024 * 1024;
/** Written ahead of the frames at first, and doubled each time, so that their blocks exist. */
const EXTENT_BYTES = 256 * 1024;
/** More at once would hold a commit up. */
const GROWTH_BYTES_MAX = 2 * 1024 * 1024;

/** One of the two halves. */
interface Half {
  readonly start: number;
  /** Bytes from `start` on that exist in the file. */
  extent: number;
  /** Number of the newest frame in it; 0 when it holds none that is wanted. */
  lastId: number;
}

export class CommitLog {
  readonly path: string;
  readonly tag: number;
  readonly #fd: number;
  readonly #halfBytes: number;
  readonly #halves: readonly [Half, Half];
  #half: Half;
  #at = 0;
  #nextId: number;

  constructor({ path, tag, nextId, halfBytes = HALF_BYTES }: LogOptions) {
    this.#fd = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600);
    this.path = path;
    this.tag = tag;
    this.#halfBytes = halfBytes;
    const { size } = fs.fstatSync(this.#fd);
    const half = (start: number): Half => ({
      start,
      extent: Math.max(0, Math.min(size - start, halfBytes)),
      lastId: 0,
    });
    this.#halves = [half(0), half(halfBytes)];
    this.#half = this.#halves[0];
    this.#nextId = nextId;
  }

  /** Number of the frame that comes next. */
  get nextId(): number {
    return this.#nextId;
  }

  /** Whether a frame of so many bytes begins the other half. */
  wouldTurn(payloadBytes: number): boolean {
    return this.#at > 0 && this.#at + HEADER_BYTES + payloadBytes > this.#halfBytes;
  }

  /** Number of the newest frame in the half that is written next. */
  get lastIdOfOther(): number {
    return this.#other.lastId;
  }

  /**
   * Begins the other half: all of it must be in the tables, durably. What is in this one is made
   * durable first, so that a hole in the log can only be at its end.
   */
  turn(): void {
    this.sync();
    this.#half = this.#other;
    this.#at = 0;
  }

  /**
   * Writes a frame; `buffer` has room for the header before `payloadEnd`, where its payload begins
   * at {@link HEADER_BYTES}. Not durable before `sync()`.
   *
   * @returns its number.
   */
  append(buffer: Buffer, payloadEnd: number): number {
    const id = this.#nextId;
    buffer.writeUInt32LE(MAGIC, 0);
    buffer.writeUInt32LE(payloadEnd - HEADER_BYTES, 4);
    buffer.writeUInt32LE(this.tag, 12);
    buffer.writeDoubleLE(id, 16);
    buffer.writeUInt32LE(crc32(buffer.subarray(12, payloadEnd)), 8);
    const half = this.#half;
    if (this.#at + payloadEnd > half.extent) this.#extend(half, this.#at + payloadEnd);
    writeWhole(this.#fd, buffer, { bytes: payloadEnd, at: half.start + this.#at });
    this.#at += payloadEnd;
    half.lastId = id;
    this.#nextId = id + 1;
    return id;
  }

  sync(): void {
    fs.fdatasyncSync(this.#fd);
  }

  /**
   * Reads the frames from `fromId` on as {@link readLog} does, of the file that is open: another may
   * stand at its path, or none.
   */
  read(fromId: number): LogFrame[] {
    const file = Buffer.alloc(fs.fstatSync(this.#fd).size);
    for (let at = 0; at < file.length;) {
      const read = fs.readSync(this.#fd, file, at, file.length - at, at);
      if (read === 0) break;
      at += read;
    }
    return framesOf(file, { tag: this.tag, fromId, halfBytes: this.#halfBytes });
  }

  /** Begins anew at the first half: the tables hold everything before `nextId`. */
  restart(nextId: number): void {
    this.#nextId = nextId;
    for (const half of this.#halves) half.lastId = 0;
    this.#half = this.#halves[0];
    this.#at = 0;
  }

  /** Begins anew with an empty file: the tables hold everything, durably. */
  cut(): void {
    this.restart(this.#nextId);
    fs.ftruncateSync(this.#fd, 0);
    for (const half of this.#halves) half.extent = 0;
  }

  close(): void {
    fs.closeSync(this.#fd);
  }

  /** Closes the log and removes it: the tables hold all of it, durably. */
  remove(): void {
    this.close();
    fs.unlinkSync(this.path);
  }

  get #other(): Half {
    const [first, second] = this.#halves;
    return this.#half === first ? second : first;
  }

  #extend(half: Half, needed: number): void {
    if (needed > this.#halfBytes) throw new RangeError("The frame does not fit the commit log");
    const grown = half.extent + Math.min(half.extent, GROWTH_BYTES_MAX);
    const planned = Math.max(needed, EXTENT_BYTES, grown);
    const extent = Math.min(planned, this.#halfBytes);
    const zeros = new Uint8Array(extent - half.extent);
    writeWhole(this.#fd, zeros, { bytes: zeros.length, at: half.start + half.extent });
    half.extent = extent;
  }
}

/** Room a frame's header takes before its payload. */
export const frameHeaderBytes = HEADER_BYTES;
/** A larger frame would make the halves turn all the time. */
export const frameBytesMax = HALF_BYTES / 4;

function writeWhole(
  fd: number,
  bytes: Uint8Array,
  { bytes: length, at }: { readonly bytes: number; readonly at: number },
): void {
  for (let written = 0; written < length;) {
    written += fs.writeSync(fd, bytes, written, length - written, at + written);
  }
}

/** The log does not begin where the tables end: they do not belong together. */
export class LogMismatch extends Error {}

/** Frames that were durable are not there any more. */
export class LogDamaged extends Error {}

interface Wanted {
  readonly tag: number;
  readonly fromId: number;
  readonly halfBytes?: number;
}

/**
 * Reads the frames from `fromId` on, up to the first that is missing or was not written whole.
 *
 * @throws {LogMismatch} when frames of this log begin after `fromId`, or are another store's.
 * @throws {LogDamaged} when the other half goes on after a frame that is missing.
 */
export function readLog(path: string, wanted: Wanted): LogFrame[] {
  let file: Buffer;
  try {
    file = fs.readFileSync(path);
  } catch (thrown) {
    if ((thrown as { code?: string }).code === "ENOENT") return [];
    throw thrown;
  }
  return framesOf(file, wanted);
}

function framesOf(file: Buffer, { tag, fromId, halfBytes = HALF_BYTES }: Wanted): LogFrame[] {
  const runs = [0, halfBytes]
    .map((start) => readRun(file.subarray(start), tag))
    .map((run) => run.filter(({ id }) => id >= fromId))
    .filter((run) => run.length > 0)
    .sort(([a], [b]) => a!.id - b!.id);
  const frames: LogFrame[] = [];
  for (const run of runs) {
    const missing = run[0]!.id - fromId - frames.length;
    if (missing > 0 && frames.length === 0) {
      throw new LogMismatch("The commit log begins after the store ends");
    }
    // A half is durable to its end before the other is begun (`turn()`).
    if (missing > 0) {
      throw new LogDamaged("Frames are missing between the halves of the commit log");
    }
    if (missing < 0) break;
    for (const frame of run) frames.push(frame);
  }
  return frames;
}

/** The frames from the start of a half, as long as they follow each other. */
function readRun(bytes: Buffer, tag: number): LogFrame[] {
  const frames: LogFrame[] = [];
  for (let at = 0; at + HEADER_BYTES <= bytes.length;) {
    const length = bytes.readUInt32LE(at + 4);
    const end = at + HEADER_BYTES + length;
    if (bytes.readUInt32LE(at) !== MAGIC || end > bytes.length) break;
    if (crc32(bytes.subarray(at + 12, end)) !== bytes.readUInt32LE(at + 8)) break;
    if (bytes.readUInt32LE(at + 12) !== tag) {
      throw new LogMismatch("The commit log is another store's");
    }
    const id = bytes.readDoubleLE(at + 16);
    const before = frames.at(-1);
    if (before !== undefined && id !== before.id + 1) break;
    frames.push({ id, payload: bytes.subarray(at + HEADER_BYTES, end) });
    at = end;
  }
  return frames;
}
