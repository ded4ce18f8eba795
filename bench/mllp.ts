/**
 * MLLP framing and the few header fields the load processes need, on bytes only.
 *
 * Upstream: sockets of `sender.ts`, `sink.ts` and `reference.ts`. Downstream: the same three.
 * Parsing messages does not belong here: nothing is decoded, so a message costs a few byte searches.
 */
import { Buffer } from "node:buffer";

/** Start of block. Source: MLLP Transport Specification Release 1, section 2.1. */
export const START_OF_BLOCK = 0x0b;
/** End of block, followed by a carriage return. */
export const END_OF_BLOCK = 0x1c;
export const CARRIAGE_RETURN = 0x0d;

const FIELD_SEPARATOR = 0x7c;
const LETTER_A = 0x41;
const LETTER_C = 0x43;
const FRAME_BYTES_MAX = 4 * 1024 * 1024;

/** Receives one frame: its body is `bytes[start, end)`, the block characters lie just outside. */
export type OnFrame = (bytes: Buffer, start: number, end: number) => void;

/** Cuts a byte stream into frames; holds at most one unfinished frame. */
export class FrameReader {
  #held: Buffer | undefined;

  /**
   * Calls `onFrame` for each frame that `chunk` completes. Bytes outside a frame are dropped.
   *
   * @throws {Error} once an unfinished frame exceeds 4 MiB.
   */
  push(chunk: Buffer, onFrame: OnFrame): void {
    const bytes = this.#held === undefined ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = undefined;
    let at = 0;
    while (at < bytes.length) {
      const start = bytes.indexOf(START_OF_BLOCK, at);
      if (start < 0) return;
      const end = bytes.indexOf(END_OF_BLOCK, start + 1);
      if (end < 0) {
        if (bytes.length - start > FRAME_BYTES_MAX) throw new Error("An MLLP frame has no end");
        this.#held = start === 0 ? bytes : bytes.subarray(start);
        return;
      }
      onFrame(bytes, start + 1, end);
      at = end + 1;
    }
  }
}

/** Wraps a message body in block characters. */
export function frame(body: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(body.length + 3);
  framed[0] = START_OF_BLOCK;
  framed.set(body, 1);
  framed[body.length + 1] = END_OF_BLOCK;
  framed[body.length + 2] = CARRIAGE_RETURN;
  return framed;
}

/**
 * Returns the offset of MSH-`position` (from 3) in a body that starts with `MSH`, or -1 when the
 * header ends before it.
 */
export function headerField(bytes: Uint8Array, start: number, position: number): number {
  let separators = position - 1;
  for (let at = start + 3; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === CARRIAGE_RETURN || byte === END_OF_BLOCK) return -1;
    if (byte === FIELD_SEPARATOR && --separators === 0) return at + 1;
  }
  return -1;
}

/** Where MSA-1 and MSA-2 of an acknowledgement stand. */
export interface AcknowledgementFields {
  /** True for `AA` and `CA`. */
  readonly isPositive: boolean;
  /** Offset of MSA-2, or -1 when there is none. */
  readonly controlIdAt: number;
}

/** Finds MSA-1 and MSA-2 in `bytes[start, end)`, or returns undefined without an MSA segment. */
export function acknowledgement(
  bytes: Buffer,
  start: number,
  end: number,
): AcknowledgementFields | undefined {
  for (let at = bytes.indexOf(CARRIAGE_RETURN, start); at >= 0 && at + 7 < end;) {
    if (bytes[at + 1] === 0x4d && bytes[at + 2] === 0x53 && bytes[at + 3] === 0x41) {
      const mode = bytes[at + 5];
      const isPositive = (mode === LETTER_A || mode === LETTER_C) && bytes[at + 6] === LETTER_A;
      return { isPositive, controlIdAt: bytes[at + 7] === FIELD_SEPARATOR ? at + 8 : -1 };
    }
    at = bytes.indexOf(CARRIAGE_RETURN, at + 1);
  }
  return undefined;
}

const ACK_HEAD = "MSH|^~\\&|BENCH|SINK|BENCH|ENGINE|20260101000000||ACK|";
const ACK_MIDDLE = "|P|2.5.1\rMSA|AA|";
const ACK_HEAD_BYTES = Buffer.from("\x0b" + ACK_HEAD, "latin1");
const ACK_MIDDLE_BYTES = Buffer.from(ACK_MIDDLE, "latin1");
const ACK_TAIL_BYTES = Buffer.from("\r\x1c\r", "latin1");

/** Builds a framed AA that echoes the control ID standing at `bytes[start, end)`. */
export function positiveAcknowledgement(bytes: Uint8Array, start: number, end: number): Buffer {
  const controlId = bytes.subarray(start, end);
  const size = controlId.length;
  const head = ACK_HEAD_BYTES.length;
  const middle = head + size + ACK_MIDDLE_BYTES.length;
  const reply = Buffer.allocUnsafe(middle + size + ACK_TAIL_BYTES.length);
  reply.set(ACK_HEAD_BYTES, 0);
  reply.set(controlId, head);
  reply.set(ACK_MIDDLE_BYTES, head + size);
  reply.set(controlId, middle);
  reply.set(ACK_TAIL_BYTES, middle + size);
  return reply;
}
