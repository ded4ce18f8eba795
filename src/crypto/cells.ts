/**
 * Seals and opens the cells that may hold patient data.
 *
 * Every write of such a cell goes through a `CellCipher`, from the first schema on: a store
 * without a key is the same store with the cipher of this file. Source: spec pipeline-store-cluster
 * §4.1, §4.3. Keys and sealing with one: `keys.ts`, `sealed_cells.ts`.
 *
 * A cell is one of: empty (purged), clear text, `mfenc:clear:` and clear text, `mfenc:v1:…` sealed.
 */

export interface CellCipher {
  /** Of the key that seals; undefined without one. */
  readonly keyId: string | undefined;
  /** False when the text is stored as it is, so callers may skip the work. */
  changes(text: string): boolean;
  /** Returns what is stored of a text. Empty text is never sealed: it means purged. */
  seal(text: string): string;
  /** Returns the text of a cell, or undefined when it cannot be opened. Never throws. */
  open(cell: string): string | undefined;
}

/** What a cell begins with that is not stored as it is. */
export const CELL_PREFIX = "mfenc:";

/** A sealed cell after its first characters: version, key id. */
const SEALED_SHAPE = /^v1:[0-9a-f]{16}:/;
const SHAPE_LENGTH = "v1:0123456789abcdef:".length;

/**
 * Clear text that would look like a sealed cell is stored behind this, and only that text is.
 * Otherwise a store that gets a key later would try to open it, and one that lost its key would
 * hand out sealed cells as messages.
 */
const MARK = `${CELL_PREFIX}clear:`;

/** The cipher of a store without a key. A sealed cell is not opened, and never taken for text. */
export const keylessCells: CellCipher = {
  keyId: undefined,
  changes: looksSealed,
  seal: (text) => looksSealed(text) ? MARK + text : text,
  open: openClear,
};

function looksSealed(text: string): boolean {
  return text.startsWith(CELL_PREFIX) || isDamaged(text);
}

/** Whether a text is a sealed cell but for its first characters, as a changed bit leaves it. */
export function isDamaged(text: string): boolean {
  if (text.startsWith(CELL_PREFIX)) return false;
  return SEALED_SHAPE.test(text.slice(CELL_PREFIX.length, CELL_PREFIX.length + SHAPE_LENGTH));
}

/** Returns the text of a cell that holds it in clear, or undefined. */
export function openClear(cell: string): string | undefined {
  if (!cell.startsWith(CELL_PREFIX)) return cell;
  return cell.startsWith(MARK) ? cell.slice(MARK.length) : undefined;
}
