/**
 * Keeps the look-up tables behind the messages: by id, channel and control ID, and the totals.
 *
 * They follow some hundred messages at a time, so that their pages are written once for many. What
 * they do not hold yet a query scans. A round goes in pieces, because somebody may want the writer.
 */
import type { Session } from "./session.ts";
import type { StatementName } from "./statements.ts";

/** Messages that wait before the look-up tables take them in; queries scan at most so many. */
const MESSAGES = 256;

/** The pieces of a round; each takes the first and the last number. */
const pieces: readonly StatementName[] = [
  "indexIds",
  "indexChannels",
  "indexControlIds",
  "addMessageTotals",
  "addDeliveryTotals",
];

/** What the tables do not hold yet. */
interface Unstored {
  readonly lowestUnstored: number;
}

export class LookUpTables {
  readonly #session: Session;
  /** Messages up to here are in the tables; undefined until read. */
  #to: number | undefined;
  /** A round under way, inside the transaction under way. */
  #round: { readonly from: number; readonly to: number; next: number } | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  /**
   * Does the next piece, if a round is due or under way; call inside a transaction.
   *
   * @param work knows the lowest number the tables do not hold.
   * @returns whether more is to be done in this transaction.
   */
  goOn(work: Unstored): boolean {
    const round = this.#round ??= this.#begin(work);
    if (round === undefined) return false;
    const piece = pieces[round.next++];
    if (piece !== undefined) {
      this.#session.change(piece, round.from, round.to);
      return true;
    }
    this.#session.change("setIndexedTo", round.to);
    this.#to = round.to;
    this.#round = undefined;
    return false;
  }

  /** The transaction was rolled back. */
  rewind(): void {
    this.#round = undefined;
    this.#to = undefined;
  }

  #begin(work: Unstored) {
    const session = this.#session;
    const { newest } = session;
    const from = this.#to ??= Number(session.first("indexedTo")?.indexed_to ?? 0);
    // A message has a number at least.
    if (newest - from < MESSAGES) return undefined;
    const to = Math.min(newest, work.lowestUnstored - 1);
    if (to <= from) return undefined;
    const { messages } = session.first("countUnindexed", from, to)!;
    return Number(messages) < MESSAGES ? undefined : { from, to, next: 0 };
  }
}
