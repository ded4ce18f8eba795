/**
 * The messages in one HL7 file: itself, or each message of a batch.
 *
 * Source: spec connectors-and-graph §2.3 and §3.9; HL7 v2.5.1 §2.10.3.
 */
import { type BatchMismatch, type Codec, latin1View, splitBatch } from "../../hl7/mod.ts";

export interface FileMessages {
  readonly messages: readonly Uint8Array[];
  readonly mismatches: readonly BatchMismatch[];
}

/**
 * Splits a batch, also one of a single message, into the bytes of its messages, in file order and
 * without its envelope. A file of one message alone, or one that does not decode, comes back as it
 * is: intake records what is wrong.
 *
 * The bytes are cut as they stand, through a view of one character a byte: every character set of a
 * connection has ASCII's line ends and letters in their places, and nothing is encoded anew.
 */
export function splitFile(bytes: Uint8Array, codec: Codec): FileMessages {
  const split = splitBatch(latin1View(withoutMark(bytes)));
  const { messages, mismatches, hasMessages, hasEnvelope } = split;
  const isBatch = hasMessages && (hasEnvelope || messages.length > 1);
  if (!isBatch || !decodes(bytes, codec)) return { messages: [bytes], mismatches: [] };
  return { messages: messages.map(latin1Bytes), mismatches };
}

function withoutMark(bytes: Uint8Array): Uint8Array {
  const hasMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return hasMark ? bytes.subarray(3) : bytes;
}

function decodes(bytes: Uint8Array, codec: Codec): boolean {
  try {
    codec.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function latin1Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
