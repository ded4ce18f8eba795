/**
 * Cuts a byte stream into MLLP frames: `0x0B body 0x1C 0x0D` becomes `body`.
 *
 * Upstream: chunks as a socket gives them, of any size and split. Downstream: `source.ts` and
 * `destination.ts` pull frames one at a time. What a frame means does not belong here.
 *
 * Source: HL7 v2.5.1 appendix C (Minimal Lower Layer Protocol), with two rules of ours: the CR
 * after the end byte is optional, and a start byte directly before `MSH`, `FHS` or `BHS` inside an
 * open frame begins a new frame, for its sender gave the first one up.
 */

import { latin1View } from "../../hl7/mod.ts";

export const startByte = 0x0b;
export const endByte = 0x1c;
export const carriageReturn = 0x0d;
const lineFeed = 0x0a;

/**
 * What `next()` found: a frame's body, a frame given up for a new one, or a frame over the cap,
 * after which the decoder yields nothing more.
 */
export type Decoded = Uint8Array | "restarted" | "oversize";

/** The framing bytes as the characters of a latin-1 text. */
export const startCharacter = String.fromCharCode(startByte);
export const endCharacter = String.fromCharCode(endByte);

const firstAllocationBytes = 4_096;
const none = new Uint8Array(0);

/**
 * Incremental decoder of one connection and direction. The outcome depends on the bytes alone, not
 * on how they were split into chunks.
 *
 * A frame that lies within one chunk is a view of that chunk; one that spans chunks is copied once.
 */
export class FrameDecoder {
  readonly #bytesMax: number;
  #chunk: Uint8Array = none;
  /** `#chunk` in latin-1: one copy and searches of it are many times faster than in bytes. */
  #letters = "";
  /** Read position in `#chunk`, index from 0. */
  #at = 0;
  #later: Uint8Array[] = [];
  /**
   * Indexes in `#chunk` of the next start and end byte; `#chunk.length` when there is none, stale
   * when before the position asked for. Each byte is searched once, so a hostile chunk stays cheap.
   */
  #nextStart = -1;
  #nextEnd = -1;
  #open = false;
  /** Body bytes of the open frame that came in earlier chunks: `#held[0 .. #heldBytes)`. */
  #held: Uint8Array = none;
  #heldBytes = 0;
  #dead = false;

  /** `bytesMax` bounds the body of a frame; Infinity for none. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** True while a frame has begun and not ended, in the bytes pulled so far. */
  get isOpen(): boolean {
    return this.#open;
  }

  /** Hands over the next chunk. It must not change afterwards: frames are views of it. */
  push(chunk: Uint8Array): void {
    if (this.#dead || chunk.length === 0) return;
    if (this.#at < this.#chunk.length) this.#later.push(chunk);
    else this.#load(chunk);
  }

  /** Returns what comes next, or undefined when more bytes are needed. */
  next(): Decoded | undefined {
    while (!this.#dead) {
      if (this.#at >= this.#chunk.length) {
        const later = this.#later.shift();
        if (later === undefined) {
          this.#unload();
          return undefined;
        }
        this.#load(later);
      }
      const found = this.#open ? this.#readBody() : this.#seekStart();
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** True when unread bytes remain besides the CR or LF that may trail a frame. */
  get hasUnread(): boolean {
    if (this.#later.length > 0) return true;
    for (let at = this.#at; at < this.#chunk.length; at++) {
      const byte = this.#chunk[at];
      if (byte !== carriageReturn && byte !== lineFeed) return true;
    }
    return false;
  }

  /** Back to outside a frame, with nothing buffered. */
  reset(): void {
    this.#unload();
    this.#later.length = 0;
    this.#close();
    this.#dead = false;
  }

  #load(chunk: Uint8Array): void {
    // Frames are plain arrays whatever the socket gives: a Buffer's slice() would be a view.
    this.#chunk = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
    this.#letters = latin1View(chunk);
    this.#at = 0;
    this.#nextStart = -1;
    this.#nextEnd = -1;
  }

  /** Lets go of a chunk that is used up: a quiet connection holds none. */
  #unload(): void {
    this.#chunk = none;
    this.#letters = "";
    this.#at = 0;
  }

  #close(): void {
    this.#open = false;
    this.#held = none;
    this.#heldBytes = 0;
  }

  /** Outside a frame everything but a start byte is dropped. */
  #seekStart(): undefined {
    const start = this.#startFrom(this.#at);
    this.#at = start + 1;
    this.#open = start < this.#chunk.length;
  }

  #readBody(): Decoded | undefined {
    const chunk = this.#chunk;
    const from = this.#at;
    const end = this.#endFrom(from);
    const restart = this.#findRestart(from, end);
    if (restart !== undefined) return this.#restart(restart);
    if (this.#heldBytes + end - from > this.#bytesMax) return this.#giveUp();
    if (end === chunk.length) {
      this.#hold(from);
      this.#at = chunk.length;
      return undefined;
    }
    const body = this.#heldBytes === 0 ? chunk.subarray(from, end) : this.#joined(from, end);
    this.#at = end + 1;
    this.#close();
    return body;
  }

  /**
   * Looks for a start byte directly before a leading segment ID whose last letter lies in
   * `[from, until)` of the chunk; the start byte itself may lie in the held bytes.
   * Returns the index of the ID's first letter, negative when that letter is held.
   */
  #findRestart(from: number, until: number): number | undefined {
    for (let offset = Math.min(3, this.#heldBytes); offset > 0; offset--) {
      const start = from - offset;
      if (this.#byteAt(start, from) !== startByte) continue;
      if (start + 3 < until && this.#leadsSegment(start + 1, from)) return start + 1 - from;
    }
    let start = this.#startFrom(from);
    while (start + 3 < until) {
      if (this.#leadsSegment(start + 1, from)) return start + 1 - from;
      start = this.#startFrom(start + 1);
    }
    return undefined;
  }

  /** True for `MSH`, `FHS` and `BHS` at chunk index `at`, negative indexes reaching held bytes. */
  #leadsSegment(at: number, from: number): boolean {
    const first = this.#byteAt(at, from);
    const second = this.#byteAt(at + 1, from);
    const third = this.#byteAt(at + 2, from);
    return (first === 0x4d && second === 0x53 && third === 0x48) ||
      ((first === 0x46 || first === 0x42) && second === 0x48 && third === 0x53);
  }

  #byteAt(at: number, from: number): number | undefined {
    return at >= from ? this.#chunk[at] : this.#held[this.#heldBytes + at - from];
  }

  /** Drops what the open frame held; `offset` is where the new body begins, relative to `#at`. */
  #restart(offset: number): Decoded {
    const abandonedBytes = this.#heldBytes + offset - 1;
    // Up to the letter before the last, the start byte and letters counted as body bytes.
    if (abandonedBytes + 3 > this.#bytesMax) return this.#giveUp();
    if (offset < 0) {
      this.#held = this.#held.slice(this.#heldBytes + offset, this.#heldBytes);
      this.#heldBytes = -offset;
    } else {
      this.#held = none;
      this.#heldBytes = 0;
      this.#at += offset;
    }
    return "restarted";
  }

  #giveUp(): Decoded {
    this.reset();
    this.#dead = true;
    return "oversize";
  }

  /** Keeps the rest of the chunk as the beginning of a body that goes on in the next one. */
  #hold(from: number): void {
    const part = this.#chunk.subarray(from);
    const needed = this.#heldBytes + part.length;
    if (needed > this.#held.length) {
      const larger = new Uint8Array(Math.max(firstAllocationBytes, needed, this.#held.length * 2));
      larger.set(this.#held.subarray(0, this.#heldBytes));
      this.#held = larger;
    }
    this.#held.set(part, this.#heldBytes);
    this.#heldBytes = needed;
  }

  #joined(from: number, end: number): Uint8Array {
    const body = new Uint8Array(this.#heldBytes + end - from);
    body.set(this.#held.subarray(0, this.#heldBytes));
    body.set(this.#chunk.subarray(from, end), this.#heldBytes);
    return body;
  }

  #startFrom(from: number): number {
    if (this.#nextStart < from) {
      this.#nextStart = indexOrLength(this.#letters, startCharacter, from);
    }
    return this.#nextStart;
  }

  #endFrom(from: number): number {
    if (this.#nextEnd < from) this.#nextEnd = indexOrLength(this.#letters, endCharacter, from);
    return this.#nextEnd;
  }
}

function indexOrLength(letters: string, letter: string, from: number): number {
  const index = letters.indexOf(letter, from);
  return index === -1 ? letters.length : index;
}
