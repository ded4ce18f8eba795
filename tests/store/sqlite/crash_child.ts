/**
 * Moves messages through a store until a failpoint kills it, or until `rounds` batches are done.
 *
 * Arguments: path, failpoints, rounds, and `1` for a store with a key. Every line on standard output is a {@link Line}: what is
 * about to be submitted as one batch, then that it was answered.
 */
import type { HandOffResult } from "../../../src/store/intent_results.ts";
import type { HandOffIntent, Intent } from "../../../src/store/intents.ts";
import type { SqliteStore } from "../../../src/store/sqlite/store.ts";
import { testKeys } from "../ciphers.ts";
import { openStore } from "./bench.ts";
import { countingWriter } from "./few_uses.ts";

export type Line =
  | { readonly line: "submits"; readonly batch: Batch }
  | { readonly line: "answered" };

/** Ids of the messages whose rows a batch makes or moves. */
export interface Batch {
  readonly received: readonly string[];
  readonly handedOff: readonly string[];
  readonly delivered: readonly string[];
  /** Highest claim token used so far. */
  readonly token: number;
}

interface Row {
  readonly id: string;
  readonly seq: number;
  readonly token: number;
  readonly messageSeq: number;
}

const PER_BATCH = 6;
export const destinations = ["OB_A", "OB_B"] as const;
export const bodyOf = (id: string) => `MSH|^~\\&|${id}\r`;
export const changedOf = (id: string) => `MSH|^~\\&|changed|${id}\r`;

async function main(): Promise<void> {
  const [path, failpoints, rounds, isSealed] = Deno.args;
  const sealed = isSealed === "1" ? { keys: testKeys, writer: countingWriter } : {};
  const store = await openStore(path!, { synchronous: "full", failpoints, ...sealed });
  const walk = new Walk(store);
  await walk.pickUp();
  for (let round = 0; round < Number(rounds); round += 1) await walk.step();
  await store[Symbol.asyncDispose]();
}

export class Walk {
  readonly #store: SqliteStore;
  #toRoute: Row[] = [];
  #toDeliver: Row[] = [];
  #token = 0;

  constructor(store: SqliteStore) {
    this.#store = store;
  }

  /** Claims what the last process left behind. */
  async pickUp(): Promise<void> {
    this.#toRoute = await this.#claim("ingress", "IB_A");
    for (const lane of destinations) {
      this.#toDeliver.push(...await this.#claim("outbound", lane));
    }
  }

  /** One batch: new messages come in, the last ones are handed off, those before delivered. */
  async step(): Promise<void> {
    const received = Array.from({ length: PER_BATCH }, () => {
      const id = crypto.randomUUID().replaceAll("-", "");
      return { id, token: this.#nextToken() };
    });
    const routed = this.#toRoute.map((row) => ({
      row,
      tokens: destinations.map(() => this.#nextToken()),
    }));
    const delivered = this.#toDeliver;
    say({
      line: "submits",
      batch: {
        received: received.map(({ id }) => id),
        handedOff: routed.map(({ row }) => row.id),
        delivered: delivered.map(({ id }) => id),
        token: this.#token,
      },
    });
    const intents: Intent[] = [
      ...received.map(({ id, token }) => receiveOf(id, token)),
      ...routed.map(({ row, tokens }) => handOffOf(row, tokens)),
      ...delivered.map((row): Intent => ({
        kind: "complete",
        at: 2,
        ...row,
        destination: "OB",
        next: undefined,
      })),
    ];
    const answers = await Promise.all(intents.map((intent) => this.#store.submit(intent)));
    say({ line: "answered" });
    this.#toRoute = received.map(({ id, token }, index) => {
      const { seq, messageSeq } = answers[index] as { seq: number; messageSeq: number };
      return { id, token, seq, messageSeq };
    });
    this.#toDeliver = routed.flatMap(({ row: { id, messageSeq }, tokens }, index) => {
      const { seqs } = answers[received.length + index] as HandOffResult;
      return seqs.map((seq, to) => ({ id, messageSeq, seq, token: tokens[to]! }));
    });
  }

  async #claim(stage: "ingress" | "outbound", lane: string): Promise<Row[]> {
    const { rows } = await this.#store.submit({
      kind: "claim",
      stage,
      lane,
      limit: 500,
      readAhead: 0,
      token: this.#store.nextToken(500),
      after: 0,
      unordered: false,
      at: 2_000_000,
      attemptsMax: undefined,
    });
    return rows.map(({ messageId: id, seq, messageSeq, token }) => {
      this.#token = Math.max(this.#token, token!);
      return { id, seq, messageSeq, token: token! };
    });
  }

  #nextToken(): number {
    return this.#token = this.#store.nextToken();
  }
}

function receiveOf(id: string, token: number): Intent {
  const raw = bodyOf(id);
  const message = {
    ...{ id, raw, channel: "IB_A", receivedAt: 1, sourceType: "mllp" },
    ...{ controlId: undefined, messageType: undefined },
  };
  return { kind: "receive", message, token };
}

function handOffOf({ id, seq, token, messageSeq }: Row, tokens: readonly number[]): HandOffIntent {
  const deliveries = destinations.map((destination, index) => ({
    destination,
    handler: "h",
    payload: index === 0 ? changedOf(id) : undefined,
    token: tokens[index]!,
  }));
  const state = [{ namespace: "seen", key: id, value: "1" }];
  const row = { seq, token, messageSeq, channel: "IB_A" };
  return { kind: "hand_off", at: 2, ...row, handlers: 1, deliveries, failures: [], state };
}

/** Written at once: a buffered line would die with the process. */
function say(line: Line): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(line)}\n`));
}

if (import.meta.main) await main();
