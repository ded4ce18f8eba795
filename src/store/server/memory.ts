/**
 * Messages on their way that the writer remembers from commit to commit.
 *
 * They are as the tables hold them as long as nobody else has written, which every transaction
 * checks under the store's lock. After whatever failed or went past it, memory is empty.
 */
import type { CellCipher } from "../../crypto/cells.ts";
import { renewCell } from "../cells.ts";
import { untold } from "../changes.ts";
import type { RowIntent } from "../execute.ts";
import type { Disposition } from "../intents.ts";
import { type Loader, type Numbers, type StoredMessage, WorkingSet } from "../working_set.ts";
import type { ServerRow } from "./dialect.ts";
import { recordOf } from "./lanes.ts";
import type { Transaction } from "./transaction.ts";

/** Messages remembered; beyond that the oldest are forgotten until fewer are left. */
const MESSAGES_MAX = 4_096;
const MESSAGES_LEFT = 3_072;

/** Numbers of what has to be looked up. */
interface Named {
  readonly messages: readonly number[];
  readonly rows: readonly number[];
}

export class Memory {
  readonly #cipher: CellCipher;
  readonly #loaded = new LoadedMessages();
  readonly work: WorkingSet;

  constructor(numbers: Numbers, cipher: CellCipher) {
    this.#cipher = cipher;
    this.work = new WorkingSet(numbers, this.#loaded, untold);
  }

  /** Whether all that the intents name is here. */
  holds(intents: readonly RowIntent[]): boolean {
    const { messages, rows } = this.#missing(intents);
    return messages.length === 0 && rows.length === 0;
  }

  forget(): void {
    this.work.forget();
  }

  /** Has what the intents name in memory, as it is under the lock of the transaction. */
  async prepare(tx: Transaction, intents: readonly RowIntent[]): Promise<void> {
    const missing = this.#missing(intents);
    const [found] = await Promise.all([find(tx, missing), tx.begun]);
    this.#loaded.clear();
    if (tx.wasMine) return this.#take(found);
    this.work.forget();
    this.#take(await find(tx, this.#missing(intents)));
  }

  /** Hands the changes over, and forgets what is too much. */
  finish(tx: Transaction): void {
    this.work.takeUntil(Infinity, tx.changes);
    if (this.work.size > MESSAGES_MAX) this.work.shrink(MESSAGES_LEFT);
  }

  #missing(intents: readonly RowIntent[]): Named {
    const messages: number[] = [];
    const rows: number[] = [];
    const row = (seq: number) => {
      if (!this.work.holdsRow(seq)) rows.push(seq);
    };
    for (const intent of intents) {
      if ("messageSeq" in intent) {
        if (!this.work.holds(intent.messageSeq)) messages.push(intent.messageSeq);
      } else if ("seq" in intent) row(intent.seq);
      if ("next" in intent && intent.next !== undefined) row(intent.next.seq);
    }
    return { messages, rows };
  }

  #take(found: readonly ServerRow[]): void {
    const rowsOf = new Map<number, StoredMessage["rows"][number][]>();
    for (const row of found) {
      const seq = Number(row.of_message);
      let rows = rowsOf.get(seq);
      if (rows === undefined) {
        rowsOf.set(seq, rows = []);
        const error = row.message_error;
        this.#loaded.add({
          seq,
          status: row.message_status as Disposition,
          error: error === null ? null : renewCell(this.#cipher, String(error)),
          rows,
          responses: countsOf(row.responses),
        });
      }
      if (row.seq === null) continue;
      const record = recordOf(row, this.#cipher);
      rows.push(record);
      this.#loaded.place(record.seq, seq);
    }
  }
}

/** `{"OB": 2}`, or nothing. */
function countsOf(json: ServerRow[string] | undefined): ReadonlyMap<string, number> {
  return new Map(typeof json === "string" ? Object.entries(JSON.parse(json)) : []);
}

async function find(tx: Transaction, { messages, rows }: Named): Promise<readonly ServerRow[]> {
  if (messages.length === 0 && rows.length === 0) return [];
  return await tx.rows("load", messages, rows);
}

/** What was looked up for the batch under way. */
class LoadedMessages implements Loader {
  readonly #messages = new Map<number, StoredMessage>();
  readonly #messageOfRow = new Map<number, number>();

  add(message: StoredMessage): void {
    this.#messages.set(message.seq, message);
  }

  place(row: number, messageSeq: number): void {
    this.#messageOfRow.set(row, messageSeq);
  }

  clear(): void {
    this.#messages.clear();
    this.#messageOfRow.clear();
  }

  message(seq: number): StoredMessage | undefined {
    return this.#messages.get(seq);
  }

  messageOfRow(seq: number): number | undefined {
    return this.#messageOfRow.get(seq);
  }

  /** Asked of messages that were born in memory: none of their answers is in the tables alone. */
  responsesOf(): ReadonlyMap<string, number> {
    return new Map();
  }
}
