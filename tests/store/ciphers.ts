/** Keys and ciphers for tests of where cells are sealed. */
import type { CellCipher } from "../../src/crypto/cells.ts";
import type { CellKeys } from "../../src/crypto/keys.ts";
import { SealedCells } from "../../src/crypto/sealed_cells.ts";

export const testKeys: CellKeys = { active: keyOf(1), retired: [] };
export const otherKeys: CellKeys = { active: keyOf(2), retired: [] };
/** After a change of keys: `testKeys` still open. */
export const rotatedKeys: CellKeys = { active: keyOf(2), retired: [keyOf(1)] };

/** Sealing a text with this word fails in a refusing cipher, as a defect would. */
export const UNSEALABLE = "UNSEALABLE";

/** A real cipher that cannot seal one text. */
export function refusingCipher(keys: CellKeys = testKeys): CellCipher {
  const cells = new SealedCells(keys);
  return {
    keyId: cells.keyId,
    changes: (text) => cells.changes(text),
    seal(text) {
      if (text.includes(UNSEALABLE)) throw new Error("Cannot seal");
      return cells.seal(text);
    },
    open: (cell) => cells.open(cell),
  };
}

function keyOf(fill: number): Uint8Array {
  return new Uint8Array(32).fill(fill);
}
