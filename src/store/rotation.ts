/** What a change of keys says of itself, whatever the store's backend is. */

export interface ResealProgress {
  readonly done: number;
  /** Counted at the start: more may come, and some may go. */
  readonly total: number;
}

export interface ResealReport {
  /** Cells sealed, by `table.column`, every ciphered column. */
  readonly cells: Readonly<Record<string, number>>;
  /** Ids of what no cell is sealed with any more, `CLEAR` among them. */
  readonly keysGone: readonly string[];
}

export interface RotationReport extends ResealReport {
  /** Of the key that every cell is sealed with now. */
  readonly keyId: string;
  /** Ids of the retired keys that were configured: none is needed any more. */
  readonly retired: readonly string[];
  /** Whether an engine had the store open when it began. */
  readonly isBesideEngine: boolean;
}
