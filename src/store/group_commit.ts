/**
 * Decides when intents are handed to the writer, so that many share one commit.
 *
 * A lone sender gets its commit at once. While the writer is busy intents gather and go together
 * (natural batching, no timer). When many connections send at a rate that natural batching would
 * turn into hundreds of commits a second, a batch is held open for a few milliseconds, unless all
 * of them already wait. The idea is PostgreSQL's `commit_delay`/`commit_siblings`: wait only when
 * others are likely to join. While senders are held back until something leaves (`pace.ts`), nobody
 * is: what they wait for goes at once.
 *
 * A message has three commits in a row. Where a few senders send at such a rate, each as soon as it
 * is answered, their next message is a fraction of a millisecond away: the hand-off of one message
 * and the delivery of the one before wait for the receipt of the next, and share its commit.
 *
 * While outbound lanes march, deliveries set the pace and not senders: a lane's resolution goes at
 * once, and what comes in behind it gathers, for whatever has a place in a queue loses nothing.
 * The writer is told of it with the resolutions, so that it decodes and seals while lanes wait for
 * their partners instead of for it.
 */
import { setImmediate } from "node:timers";
import type { StoreError } from "./errors.ts";
import type { Intent } from "./intents.ts";

/** What the submitter knows that makes waiting wise or not. */
export interface SubmitHint {
  /** The connection whose sender waits for this commit. */
  readonly waiter?: number;
  /** A lane that marches (see `march`) moves on with this commit only. */
  readonly pressing?: boolean;
}

export interface GroupCommitOptions {
  /** Longest a batch is held open, milliseconds. */
  readonly holdMs: number;
  /** Holding starts when this many connections sent within `windowMs` ... */
  readonly siblings: number;
  /** ... at this rate over all of them, messages a second. */
  readonly ratePerSecond: number;
  readonly windowMs: number;
  /** While lanes march: how many intents gather beside their resolutions, and for how long. */
  readonly gatherMax: number;
  readonly gatherMs: number;
  readonly intentsMax: number;
  readonly bytesMax: number;
}

export const defaultGroupCommit: GroupCommitOptions = {
  holdMs: 14,
  siblings: 4,
  ratePerSecond: 750,
  windowMs: 100,
  gatherMax: 32,
  gatherMs: 8,
  intentsMax: 256,
  bytesMax: 4 * 1024 * 1024,
};

/** What goes to the writer at once. */
export interface Batch {
  readonly intents: readonly Intent[];
  readonly settles: readonly Settle[];
  /** Where those of `intents` stand that were `next` in batches before: all of them, in order. */
  readonly known: { readonly from: number; readonly to: number };
  /** What stays gathered and was told of in no batch yet: a writer may prepare it. */
  readonly next: readonly Intent[];
}

/** Hands a batch to the writer; `answered()` must be called once it is answered. */
export type SendBatch = (batch: Batch) => void;

export interface Settle {
  resolve(result: unknown): void;
  reject(thrown: unknown): void;
}

/** Intents that are too few to be sent while another batch is with the writer. */
const SMALL_BATCH = 4;
/** How soon a sender that was answered sends again. */
const NEXT_MS = 0.5;
/** Batches that may be with the writer at once: one runs, one waits so that the writer never does. */
const OUTSTANDING_MAX = 2;

/** The part of the lanes that march whose resolutions do not wait for those of the others. */
const LANES_ENOUGH = 1 / 2;

export class GroupCommit {
  readonly #options: GroupCommitOptions;
  readonly #send: SendBatch;
  #intents: Intent[] = [];
  #settles: Settle[] = [];
  /** So many of `#intents` the writer knows of. */
  #known = 0;
  /**
   * Intents of lanes that march go first in their batch: they name rows of earlier commits only,
   * and their answers then set partners to work while the engine goes through the others.
   */
  #first: Intent[] = [];
  #firstSettles: Settle[] = [];
  #bytes = 0;
  #marching = 0;
  #isCrowded = false;
  #waiting = 0;
  /** When a sender was last answered, milliseconds. */
  #answeredAt = Number.NEGATIVE_INFINITY;
  /** Of each batch that is with the writer: a sender waits for it. */
  readonly #hasSender: boolean[] = [];
  #nextTimer: ReturnType<typeof setTimeout> | undefined;
  #outstanding = 0;
  #lastSent = 0;
  /** When the oldest of `#intents` came. */
  #since = 0;
  #flushScheduled = false;
  #holdTimer: ReturnType<typeof setTimeout> | undefined;
  readonly #arrivals: Arrivals;

  constructor(send: SendBatch, options: GroupCommitOptions = defaultGroupCommit) {
    this.#send = send;
    this.#options = options;
    this.#arrivals = new Arrivals(options.windowMs);
  }

  /** Intents not yet with the writer. */
  get gathered(): number {
    return this.#intents.length + this.#first.length;
  }

  /** Something is gathered, or with the writer. */
  get isBusy(): boolean {
    return this.#outstanding > 0 || this.gathered > 0;
  }

  /** Lanes wait for little but commits. */
  get isMarching(): boolean {
    return this.#marching > 0;
  }

  submit(intent: Intent, settle: Settle, hint: SubmitHint): void {
    if (hint.pressing) {
      this.#first.push(intent);
      this.#firstSettles.push(settle);
    } else {
      if (this.#intents.length === 0) this.#since = performance.now();
      this.#intents.push(intent);
      this.#settles.push(settle);
      this.#bytes += charsOf(intent);
    }
    if (hint.waiter !== undefined) {
      this.#waiting += 1;
      this.#arrivals.note(hint.waiter);
    }
    if (this.#isFull) this.#flush();
    else this.#schedule();
  }

  /** A lane begins (1) or ceases (-1) to have a backlog that its partner takes at once. */
  march(change: 1 | -1): void {
    this.#marching += change;
    if (this.gathered > 0) this.#schedule();
  }

  /** Senders are held back until something is committed, or no longer: none of them can join. */
  crowd(areHeld: boolean): void {
    this.#isCrowded = areHeld;
    if (areHeld && this.gathered > 0) this.#schedule();
  }

  /** Call when a batch was answered. */
  answered(): void {
    this.#outstanding -= 1;
    if (this.#hasSender.shift()) this.#answeredAt = performance.now();
    if (this.gathered > 0) this.#schedule();
  }

  /** Sends what is gathered without waiting for anything. */
  flushNow(): void {
    if (this.gathered > 0) this.#flush();
  }

  get #isFull(): boolean {
    return this.gathered >= this.#options.intentsMax ||
      this.#bytes >= this.#options.bytesMax;
  }

  /** Looks at the batch at the end of this turn of the event loop, when its neighbours have come. */
  #schedule(): void {
    if (this.#flushScheduled || this.#outstanding >= OUTSTANDING_MAX) return;
    this.#flushScheduled = true;
    setImmediate(() => {
      this.#flushScheduled = false;
      this.#look();
    });
  }

  #look(): void {
    if (this.gathered === 0 || this.#outstanding >= OUTSTANDING_MAX) return;
    // The writer is soon done with the batch it has, and a few intents more make one commit then.
    const isSmall = this.#marching === 0 && this.gathered < SMALL_BATCH;
    if (isSmall && this.#outstanding > 0) return;
    const now = performance.now();
    if (this.#expectsSender(now)) {
      this.#nextTimer ??= setTimeout(() => {
        this.#nextTimer = undefined;
        this.#look();
      }, 1);
      return;
    }
    const holdMs = this.#holdFor(now);
    if (holdMs <= 0) return this.#flush();
    if (this.#hasLanesEnough) this.#flushFirst();
    if (this.gathered > 0) {
      this.#holdTimer ??= setTimeout(() => {
        this.#holdTimer = undefined;
        this.#look();
      }, Math.ceil(holdMs));
    }
  }

  /** A few intents that no sender waits for, and one is about to send. */
  #expectsSender(now: number): boolean {
    return this.#waiting === 0 && this.#marching === 0 && this.gathered < SMALL_BATCH &&
      now - this.#answeredAt < NEXT_MS &&
      this.#arrivals.recent(now).ratePerSecond >= this.#options.ratePerSecond;
  }

  /** While the writer has nothing to do any number of lanes is enough. */
  get #hasLanesEnough(): boolean {
    const lanes = this.#first.length;
    return lanes > 0 && (this.#outstanding === 0 || lanes >= this.#marching * LANES_ENOUGH);
  }

  /** How long what is gathered, resolutions of lanes aside, waits for more. */
  #holdFor(now: number): number {
    const { holdMs, siblings, gatherMs, gatherMax } = this.#options;
    if (this.#isFull) return 0;
    const { connections, ratePerSecond } = this.#arrivals.recent(now);
    if (this.#marching > 0) {
      // Few connections have little under way: with most of it here nothing more will come.
      const enough = Math.min(gatherMax, Math.max(2, connections * 0.75));
      if (this.#intents.length >= enough) return 0;
      return this.#intents.length === 0 ? gatherMs : this.#since + gatherMs - now;
    }
    if (this.#isCrowded) return 0;
    if (connections < siblings || ratePerSecond < this.#options.ratePerSecond) return 0;
    if (this.#waiting * 2 >= connections) return 0;
    return this.#lastSent + holdMs - now;
  }

  /** Sends the resolutions of lanes alone; what gathers is told of. */
  #flushFirst(): void {
    const intents = this.#first;
    const settles = this.#firstSettles;
    const next = this.#intents.slice(this.#known);
    this.#first = [];
    this.#firstSettles = [];
    this.#known = this.#intents.length;
    this.#outstanding += 1;
    this.#hasSender.push(false);
    this.#send({ intents, settles, known: { from: 0, to: 0 }, next });
  }

  #flush(): void {
    if (this.#holdTimer !== undefined) {
      clearTimeout(this.#holdTimer);
      this.#holdTimer = undefined;
    }
    if (this.#nextTimer !== undefined) {
      clearTimeout(this.#nextTimer);
      this.#nextTimer = undefined;
    }
    const intents = this.#first.concat(this.#intents);
    const settles = this.#firstSettles.concat(this.#settles);
    const from = this.#first.length;
    const known = { from, to: from + this.#known };
    this.#intents = [];
    this.#known = 0;
    this.#settles = [];
    this.#first = [];
    this.#firstSettles = [];
    this.#bytes = 0;
    this.#hasSender.push(this.#waiting > 0);
    this.#waiting = 0;
    this.#outstanding += 1;
    this.#lastSent = performance.now();
    this.#send({ intents, settles, known, next: [] });
  }
}

/** Who submitted lately, and how often, over the last full window. */
class Arrivals {
  readonly #windowMs: number;
  readonly #connections = new Set<number>();
  #count = 0;
  #since = 0;
  #recent = { connections: 0, ratePerSecond: 0 };

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  note(connection: number): void {
    this.#count += 1;
    this.#connections.add(connection);
  }

  recent(now: number): { readonly connections: number; readonly ratePerSecond: number } {
    const elapsed = now - this.#since;
    if (elapsed < this.#windowMs) return this.#recent;
    const connections = this.#connections.size;
    this.#recent = { connections, ratePerSecond: (this.#count * 1000) / elapsed };
    this.#connections.clear();
    this.#count = 0;
    this.#since = now;
    return this.#recent;
  }
}

export interface Submitted {
  readonly intent: Intent;
  readonly settle: Settle;
}

/** A batch that was gathered by somebody else. */
export function batchOf(given: readonly Submitted[]): Batch {
  return {
    intents: given.map(({ intent }) => intent),
    settles: given.map(({ settle }) => settle),
    known: { from: 0, to: 0 },
    next: [],
  };
}

/** Fails all of them. */
export function rejectAll(settles: Iterable<Settle>, error: StoreError): void {
  for (const settle of settles) settle.reject(error);
}

/** UTF-16 units of the texts an intent carries that can be long; what is no text counts nothing. */
export function charsOf(intent: Intent): number {
  switch (intent.kind) {
    case "receive":
    case "record_error":
    case "reingress":
      return lengthOf(intent.message.raw);
    case "complete_with_response":
      return lengthOf(intent.response.body);
    case "hand_off":
    case "transform_hand_off": {
      let chars = 0;
      for (const { payload } of intent.deliveries) chars += lengthOf(payload);
      for (const { payload } of intent.reentries ?? []) chars += lengthOf(payload);
      for (const { key, value } of intent.state) chars += lengthOf(key) + lengthOf(value);
      return chars;
    }
    default:
      return 0;
  }
}

function lengthOf(text: unknown): number {
  return typeof text === "string" ? text.length : 0;
}
