/**
 * A cipher for tests of where cells are sealed; it keeps no secret.
 *
 * Sealing the same text twice gives two forms, as a real cipher's does, and a changed form does
 * not open. Text without the prefix is taken for what was stored before there was a key.
 */
import type { CellCipher } from "../../src/crypto/cells.ts";

const PREFIX = "toy:";
/** Sealing a text with this word fails, as a lost key would. */
export const UNSEALABLE = "UNSEALABLE";

let nonce = 0;

export const toyCipher: CellCipher = {
  isIdentity: false,

  async seal(texts) {
    await Promise.resolve();
    if (texts.some((text) => text.includes(UNSEALABLE))) throw new Error("No key to seal with");
    return texts.map((text) => text === "" ? "" : seal(text));
  },

  async open(cells) {
    await Promise.resolve();
    return cells.map((cell) => cell.startsWith(PREFIX) ? open(cell) : cell);
  },
};

function seal(text: string): string {
  nonce = (nonce + 1) % 256;
  const plain = new TextEncoder().encode(text);
  const sum = plain.reduce((sum, byte) => (sum + byte) % 256, nonce);
  const bytes = Uint8Array.from([nonce, sum, ...plain.map((byte, at) => mix(byte, at))]);
  return PREFIX + bytes.toBase64();
}

function open(cell: string): string | undefined {
  try {
    const [nonce = 0, sum, ...mixed] = Uint8Array.fromBase64(cell.slice(PREFIX.length));
    const plain = Uint8Array.from(mixed.map((byte, at) => mix(byte, at)));
    const expected = plain.reduce((sum, byte) => (sum + byte) % 256, nonce);
    return sum === expected ? new TextDecoder().decode(plain) : undefined;
  } catch {
    return undefined;
  }
}

function mix(byte: number, at: number): number {
  return byte ^ (0x5a + at * 7) & 0xff;
}
