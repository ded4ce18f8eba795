/**
 * How batches cross between threads: one flat array of primitives a batch.
 *
 * The structured clone of nested objects costs three times as much as that of one flat array, and
 * every message crosses three times. Rare intents travel as they are.
 */
import type { StoreFailure } from "./errors.ts";
import type { HandOffResult, ReceiveResult, ResolveResult } from "./intent_results.ts";
import type {
  CompleteIntent,
  HandOffIntent,
  Intent,
  NewDelivery,
  ReceiveIntent,
} from "./intents.ts";

export type Flat = unknown[];

/** The answer to one intent, or why nothing of it is written. */
export type Outcome = { readonly result: unknown } | { readonly failure: StoreFailure };

const RECEIVE = 1;
const HAND_OFF = 2;
const COMPLETE = 3;
const OTHER = 4;
const FAILED = 5;

export function encodeIntents(intents: readonly Intent[]): Flat {
  const flat: Flat = [];
  for (const intent of intents) {
    switch (intent.kind) {
      case "receive":
        encodeReceive(flat, intent);
        break;
      case "hand_off":
        encodeHandOff(flat, intent);
        break;
      case "complete":
        encodeComplete(flat, intent);
        break;
      default:
        flat.push(OTHER, intent);
    }
  }
  return flat;
}

export function decodeIntents(flat: Flat): Intent[] {
  const reader = new FlatReader(flat);
  const intents: Intent[] = [];
  while (!reader.isAtEnd) {
    switch (reader.number()) {
      case RECEIVE:
        intents.push(decodeReceive(reader));
        break;
      case HAND_OFF:
        intents.push(decodeHandOff(reader));
        break;
      case COMPLETE:
        intents.push(decodeComplete(reader));
        break;
      default:
        intents.push(reader.take() as Intent);
    }
  }
  return intents;
}

/** Answers in the order of the intents. */
export function encodeOutcomes(intents: readonly Intent[], outcomes: readonly Outcome[]): Flat {
  const flat: Flat = [];
  for (const [index, outcome] of outcomes.entries()) {
    if ("failure" in outcome) {
      flat.push(FAILED, outcome.failure);
      continue;
    }
    switch (intents[index]!.kind) {
      case "receive": {
        const { messageSeq, seq } = outcome.result as ReceiveResult;
        flat.push(RECEIVE, messageSeq, seq);
        break;
      }
      case "hand_off": {
        const { mine, seqs } = outcome.result as HandOffResult;
        flat.push(HAND_OFF, mine, seqs.length);
        for (const seq of seqs) flat.push(seq);
        break;
      }
      case "complete": {
        const { mine, nextClaimed } = outcome.result as ResolveResult;
        flat.push(COMPLETE, mine, nextClaimed);
        break;
      }
      default:
        flat.push(OTHER, outcome.result);
    }
  }
  return flat;
}

/** Calls back once an answer, in order. */
export function decodeOutcomes(
  flat: Flat,
  onResult: (index: number, result: unknown) => void,
  onFailure: (index: number, failure: StoreFailure) => void,
): void {
  const reader = new FlatReader(flat);
  for (let index = 0; !reader.isAtEnd; index += 1) {
    switch (reader.number()) {
      case RECEIVE:
        onResult(index, { messageSeq: reader.number(), seq: reader.number() });
        break;
      case HAND_OFF: {
        const mine = reader.take() as boolean;
        const seqs = Array.from({ length: reader.number() }, () => reader.number());
        onResult(index, { mine, seqs });
        break;
      }
      case COMPLETE:
        onResult(index, { mine: reader.take(), nextClaimed: reader.take() });
        break;
      case FAILED:
        onFailure(index, reader.take() as StoreFailure);
        break;
      default:
        onResult(index, reader.take());
    }
  }
}

class FlatReader {
  readonly #flat: Flat;
  #at = 0;

  constructor(flat: Flat) {
    this.#flat = flat;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#flat.length;
  }

  take(): unknown {
    return this.#flat[this.#at++];
  }

  number(): number {
    return this.take() as number;
  }

  text(): string {
    return this.take() as string;
  }

  maybeNumber(): number | undefined {
    return this.take() as number | undefined;
  }

  maybeText(): string | undefined {
    return this.take() as string | undefined;
  }
}

function encodeReceive(flat: Flat, { message: m, token }: ReceiveIntent): void {
  flat.push(
    RECEIVE,
    token,
    m.id,
    m.channel,
    m.receivedAt,
    m.sourceType,
    m.controlId,
    m.messageType,
    m.raw,
  );
}

function decodeReceive(from: FlatReader): ReceiveIntent {
  return {
    kind: "receive",
    token: from.maybeNumber(),
    message: {
      id: from.text(),
      channel: from.text(),
      receivedAt: from.number(),
      sourceType: from.text(),
      controlId: from.maybeText(),
      messageType: from.maybeText(),
      raw: from.text(),
    },
  };
}

function encodeHandOff(flat: Flat, intent: HandOffIntent): void {
  const { at, seq, token, messageSeq, channel, handlers, deliveries } = intent;
  const { failures, state, reentries } = intent;
  // Failures, state and re-entries are rare: they travel as they are, or as nothing.
  const isRare = failures.length > 0 || state.length > 0 || reentries !== undefined;
  const rare = isRare ? { failures, state, reentries } : undefined;
  flat.push(HAND_OFF, at, seq, token, messageSeq, channel, handlers, rare, deliveries.length);
  for (const { destination, handler, payload, token, isChanges } of deliveries) {
    flat.push(destination, handler, payload, token, isChanges === true);
  }
}

function decodeHandOff(from: FlatReader): HandOffIntent {
  const at = from.number();
  const seq = from.number();
  const token = from.number();
  const messageSeq = from.number();
  const channel = from.text();
  const handlers = from.number();
  const rare = from.take() as Rare | undefined;
  const deliveries = Array.from({ length: from.number() }, (): NewDelivery => ({
    destination: from.text(),
    handler: from.text(),
    payload: from.maybeText(),
    token: from.maybeNumber(),
    isChanges: from.take() as boolean,
  }));
  const { failures, state, reentries }: Rare = rare ?? { failures: [], state: [] };
  return {
    kind: "hand_off",
    at,
    seq,
    token,
    messageSeq,
    channel,
    handlers,
    deliveries,
    failures,
    state,
    ...(reentries === undefined ? {} : { reentries }),
  };
}

type Rare = Pick<HandOffIntent, "failures" | "state" | "reentries">;

function encodeComplete(flat: Flat, intent: CompleteIntent): void {
  const { at, seq, token, messageSeq, destination, next, simulated } = intent;
  flat.push(COMPLETE, at, seq, token, messageSeq, destination, next?.seq, next?.token, simulated);
}

function decodeComplete(from: FlatReader): CompleteIntent {
  const at = from.number();
  const seq = from.number();
  const token = from.number();
  const messageSeq = from.number();
  const destination = from.text();
  const nextSeq = from.maybeNumber();
  const nextToken = from.maybeNumber();
  const next = nextSeq === undefined ? undefined : { seq: nextSeq, token: nextToken! };
  const complete = { kind: "complete", at, seq, token, messageSeq, destination, next } as const;
  return from.take() === true ? { ...complete, simulated: true } : complete;
}
