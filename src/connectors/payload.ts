/** Turns the text of an outbound row into the bytes that leave. */
import { carriagePrefix, type Codec, decodeCarriage, Hl7CharsetError } from "../hl7/mod.ts";
import { DeliveryError } from "./connector.ts";

/** True for a binary body that travels as text; `payloadBytes()` gives it back. */
export function isCarriedBinary(text: string): boolean {
  return text.startsWith(carriagePrefix);
}

/**
 * Returns text in the connection's character set, and carried binary bodies as they were.
 *
 * @throws {DeliveryError} permanent: `delivery.unencodable`, naming the position and never the
 * character, or `delivery.corrupt_body`.
 */
export function payloadBytes(text: string, codec: Codec): Uint8Array<ArrayBuffer> {
  if (isCarriedBinary(text)) return carriedBytes(text);
  try {
    return codec.encode(text);
  } catch (cause) {
    const at = cause instanceof Hl7CharsetError ? cause.position : undefined;
    throw impossible(
      "delivery.unencodable",
      `Cannot deliver message: ${codec.name} has no character for position ${at}`,
      { cause, hint: "Change the connection's encoding, or replace the character in a handler" },
    );
  }
}

/** A delivery that no further attempt can make succeed. */
export function impossible(
  code: string,
  message: string,
  options: { cause?: unknown; hint?: string } = {},
): DeliveryError {
  return new DeliveryError(code, message, { ...options, reached: "no", permanent: true });
}

function carriedBytes(text: string): Uint8Array<ArrayBuffer> {
  try {
    return decodeCarriage(text);
  } catch (cause) {
    throw impossible(
      "delivery.corrupt_body",
      "Cannot deliver message: its binary body is corrupt",
      {
        cause,
      },
    );
  }
}
