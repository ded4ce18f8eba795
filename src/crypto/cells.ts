/**
 * Seals and opens the cells that may hold patient data.
 *
 * Every write of such a cell goes through a `CellCipher`, from the first schema on: a store
 * without a key is the same store with the identity cipher. Source: spec pipeline-store-cluster
 * §4.1, §4.3. Key handling does not belong here.
 */

export interface CellCipher {
  /** True when sealing changes nothing, so callers may skip the work. */
  readonly isIdentity: boolean;
  /** Seals texts in order. Empty text is never sealed: it means purged. */
  seal(texts: readonly string[]): Promise<string[]>;
  /** Opens cells in order; a cell that cannot be opened gives undefined. */
  open(cells: readonly string[]): Promise<(string | undefined)[]>;
}

/** The cipher of a store without a key. */
export const identityCipher: CellCipher = {
  isIdentity: true,
  seal: (texts) => Promise.resolve([...texts]),
  open: (cells) => Promise.resolve([...cells]),
};
