/** Reads of messages: how fresh each has to be, and what it may share with others. */
import type { Intent } from "../intents.ts";
import type { QueryName } from "../query_names.ts";
import type { Query } from "./protocol.ts";
import type { Row } from "./reader_queries.ts";
import type { Settling } from "./settling.ts";
import { SharedReads } from "./shared_reads.ts";

type Read = (name: QueryName, values: Query["values"]) => Promise<readonly Row[]>;

/** Asked by a number that a read has just found: the tables have what it means. */
const followUps: ReadonlySet<QueryName> = new Set(["rows", "events", "outbound"]);
/** The same of bodies, which are too much to be kept for others. */
const unshared: ReadonlySet<QueryName> = new Set(["bodiesOf"]);
/** What an engine starts with, and what is searched for by the ID a partner was just told. */
const asOfNow: ReadonlySet<QueryName> = new Set(
  ["state", "messagesOfControlId", "countOfControlId", "countAllOfControlId"] as const,
);

/** What a person does to messages, and looks for right after. */
export function isPersonsAct({ kind }: Intent): boolean {
  return kind === "replay" || kind === "replay_dead" || kind === "cancel" || kind === "purge";
}

export class SettledReads {
  readonly #settling: Settling;
  readonly #read: Read;
  readonly #shared = new SharedReads();

  constructor(settling: Settling, read: Read) {
    this.#settling = settling;
    this.#read = read;
  }

  /** @throws {StoreError} */
  async query(name: QueryName, values: Query["values"]): Promise<readonly Row[]> {
    if (unshared.has(name)) return await this.#read(name, values);
    if (asOfNow.has(name)) {
      await this.#settling.settled("now");
      return await this.#read(name, values);
    }
    if (!followUps.has(name)) await this.#settling.settled("lately");
    const rows = await this.#shared.rows(
      this.#settling.sharedTurn,
      JSON.stringify([name, ...values]),
      () => this.#read(name, values),
    );
    if (name !== "message" || rows.length > 0) return rows;
    // Somebody knows of it already: it may have come a moment ago.
    const settled = this.#settling.settled("now");
    if (settled === undefined) return rows;
    await settled;
    return await this.#read(name, values);
  }
}
