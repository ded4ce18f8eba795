/** Puts bodies into MLLP frames: `0x0B body 0x1C 0x0D`. */
import { Buffer } from "node:buffer";
import {
  carriageReturn,
  endByte,
  endCharacter,
  startByte,
  startCharacter,
} from "./frame_decoder.ts";

/** Bytes a frame adds to its body. */
const overheadBytes = 3;

const encoder = new TextEncoder();

/** Frames several bodies into one buffer, so that they leave in one write. */
export function frameAll(bodies: readonly Uint8Array[]): Buffer {
  let length = 0;
  for (const body of bodies) length += body.length + overheadBytes;
  const framed = Buffer.allocUnsafe(length);
  let at = 0;
  for (const body of bodies) {
    framed[at] = startByte;
    framed.set(body, at + 1);
    at += body.length + overheadBytes;
    framed[at - 2] = endByte;
    framed[at - 1] = carriageReturn;
  }
  return framed;
}

/** Frames well-formed text as UTF-8 without a copy of its own. */
export function frameUtf8(text: string): Buffer {
  const length = Buffer.byteLength(text) + overheadBytes;
  const framed = Buffer.allocUnsafe(length);
  framed[0] = startByte;
  encoder.encodeInto(text, framed.subarray(1));
  framed[length - 2] = endByte;
  framed[length - 1] = carriageReturn;
  return framed;
}

/**
 * True when a body would be cut by its own bytes: an end byte inside, or a start byte that a leading
 * segment ID follows. `body` is a text to be sent as UTF-8, or bytes seen as latin-1: the framing
 * bytes are the same characters in both.
 */
export function isUnframable(body: string): boolean {
  if (body.includes(endCharacter)) return true;
  let at = body.indexOf(startCharacter);
  while (at !== -1) {
    if (leadingIds.has(body.slice(at + 1, at + 4))) return true;
    at = body.indexOf(startCharacter, at + 1);
  }
  return false;
}

const leadingIds: ReadonlySet<string> = new Set(["MSH", "FHS", "BHS"]);
