/**
 * Questions to the reading thread: what is asked in one turn goes over together and comes back
 * together, for each crossing costs more than most answers do.
 *
 * Whoever asked then goes on a few a turn of the event loop: many that waited for one thing would
 * otherwise write their pages one after the other, and every partner would wait for all of them.
 */
import { setImmediate } from "node:timers";
import { type StoreError, toError } from "../errors.ts";
import type { Query, QueryAnswer, ToReader } from "./protocol.ts";

/** A row as people's reads take it. */
export type Row = Record<string, string | number | null>;

interface Asker {
  readonly resolve: (rows: Row[]) => void;
  readonly reject: (why: unknown) => void;
}

/** Askers that go on in one turn. */
const ASKERS_A_TURN = 2;

export class ReaderQueries {
  readonly #post: (message: ToReader) => void;
  readonly #askers = new Map<number, Asker>();
  #gathered: Query[] = [];
  /** Come, and not told to whoever asked. */
  #answers: QueryAnswer[] = [];
  #nextId = 0;

  constructor(post: (message: ToReader) => void) {
    this.#post = post;
  }

  /** @throws {StoreError} */
  ask(name: Query["name"], values: Query["values"]): Promise<Row[]> {
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<Row[]>();
    this.#askers.set(id, { resolve, reject });
    if (this.#gathered.length === 0) queueMicrotask(() => this.#send());
    this.#gathered.push({ id, name, values });
    return promise;
  }

  answered(answers: readonly QueryAnswer[]): void {
    const isTelling = this.#answers.length > 0;
    this.#answers.push(...answers);
    if (!isTelling) this.#tell();
  }

  failAll(error: StoreError): void {
    this.#gathered = [];
    this.#answers = [];
    for (const { reject } of this.#askers.values()) reject(error);
    this.#askers.clear();
  }

  #tell(): void {
    for (const answer of this.#answers.splice(0, ASKERS_A_TURN)) {
      const asker = this.#askers.get(answer.id);
      this.#askers.delete(answer.id);
      if ("failure" in answer) asker?.reject(toError(answer.failure));
      else asker?.resolve(rowsOf(answer));
    }
    if (this.#answers.length > 0) setImmediate(() => this.#tell());
  }

  #send(): void {
    if (this.#gathered.length === 0) return;
    this.#post({ type: "queries", queries: this.#gathered });
    this.#gathered = [];
  }
}

function rowsOf({ columns, cells }: { columns: readonly string[]; cells: string }): Row[] {
  return (JSON.parse(cells) as (string | number | null)[][]).map((values) => {
    const row: Row = {};
    for (let at = 0; at < columns.length; at++) row[columns[at]!] = values[at]!;
    return row;
  });
}
