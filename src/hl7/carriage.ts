/**
 * How binary bodies travel as text: `mfb64:v1:` and unbroken base64.
 *
 * Source: spec connectors-and-graph §3.8, RFC 4648 §4.
 */
import { Hl7SyntaxError } from "./errors.ts";

export const carriagePrefix = "mfb64:v1:";

export function encodeCarriage(bytes: Uint8Array): string {
  return carriagePrefix + bytes.toBase64();
}

/** How many bytes a sound carriage carries, told from its length alone. */
export function carriedLength(text: string): number {
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  return (text.length - carriagePrefix.length) * 3 / 4 - padding;
}

/** @throws {Hl7SyntaxError} `hl7.carriage_corrupt` for another prefix, blanks or bad base64. */
export function decodeCarriage(text: string): Uint8Array<ArrayBuffer> {
  if (!text.startsWith(carriagePrefix)) throw corruptCarriage();
  const base64 = text.slice(carriagePrefix.length);
  if (/\s/.test(base64)) throw corruptCarriage();
  try {
    return Uint8Array.fromBase64(base64, { lastChunkHandling: "strict" });
  } catch {
    throw corruptCarriage();
  }
}

function corruptCarriage(): Hl7SyntaxError {
  return new Hl7SyntaxError(
    "hl7.carriage_corrupt",
    `Cannot read binary body: want "${carriagePrefix}" and unbroken base64`,
  );
}
