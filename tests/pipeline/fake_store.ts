/**
 * A `Store` over a `FakeDatabase`: batches after a delay, one at a time, answered in their order.
 * What fails, and how long a commit takes, a test decides.
 */
import type { Clock } from "../../src/clock.ts";
import type { SubmitHint } from "../../src/store/group_commit.ts";
import type { ResultOf } from "../../src/store/intent_results.ts";
import type { Intent } from "../../src/store/intents.ts";
import type { Store } from "../../src/store/store.ts";
import type { FakeDatabase } from "./fake_database.ts";

export interface FakeStoreOptions {
  /** How long the next question for answers takes, milliseconds, and whether it fails. */
  readonly askMs?: () => number;
  readonly asksFail?: () => boolean;
  readonly database: FakeDatabase;
  readonly clock: Clock;
  /** How long the next commit takes, milliseconds. Default: no time, but not at once. */
  readonly commitMs?: () => number;
  /** The next batch fails as a whole. */
  readonly batchFails?: () => boolean;
  /** This intent fails alone. */
  readonly intentFails?: (intent: Intent) => boolean;
  /** Told of every intent that was not executed. */
  readonly onRefused?: (intent: Intent) => void;
  /** Told after each commit, before anybody is answered. */
  readonly onCommit?: (intents: readonly Intent[]) => void;
  /** Told of every intent that was executed, and what it is answered. */
  readonly onExecuted?: (intent: Intent, result: unknown) => void;
}

interface Submitted {
  readonly intent: Intent;
  readonly resolve: (result: never) => void;
  readonly reject: (thrown: unknown) => void;
}

const BATCH_MAX = 256;
const OUTSTANDING_MAX = 2;

export class FakeStore implements
  Pick<
    Store,
    "recovered" | "openLanes" | "nextToken" | "submit" | "march" | "crowd" | "flush" | "responsesOf"
  > {
  readonly recovered: number;
  readonly openLanes: Store["openLanes"];
  /** Lanes that march, less those that ceased to. */
  marching = 0;
  /** Senders are held back. */
  isCrowded = false;
  /** Everything submitted, in order. */
  readonly log: Intent[] = [];
  /** Why nothing may be submitted any more; a submit then is a defect. */
  closedFor: string | undefined;
  readonly defects: string[] = [];
  /** Intents that were not executed. */
  refused = 0;
  readonly #options: FakeStoreOptions;
  /** Intents of lanes that march go before the others of their batch. */
  #first: Submitted[] = [];
  #gathered: Submitted[] = [];
  #scheduled = false;
  #outstanding = 0;
  #writerFreeAt = 0;

  constructor(options: FakeStoreOptions) {
    this.#options = options;
    const { database, clock } = options;
    this.recovered = database.recover(Math.round(clock.now() * 1000));
    const lanes = new Map<string, Store["openLanes"][number]>();
    for (const { stage, lane, channel } of database.open()) {
      const key = JSON.stringify([stage, lane, channel]);
      lanes.set(key, { stage, lane, channel, open: (lanes.get(key)?.open ?? 0) + 1 });
    }
    this.openLanes = [...lanes.values()];
  }

  /** Intents without an answer. */
  get unanswered(): number {
    return this.#first.length + this.#gathered.length + this.#outstanding;
  }

  nextToken(count = 1): number {
    return this.#options.database.nextToken(count);
  }

  submit<I extends Intent>(intent: I, hint: SubmitHint = {}): Promise<ResultOf<I>> {
    this.log.push(intent);
    if (this.closedFor !== undefined) {
      this.defects.push(`"${intent.kind}" submitted after ${this.closedFor}`);
    }
    const { promise, resolve, reject } = Promise.withResolvers<ResultOf<I>>();
    const submitted = { intent, resolve: resolve as Submitted["resolve"], reject };
    (hint.pressing ? this.#first : this.#gathered).push(submitted);
    this.#schedule();
    return promise;
  }

  /** No answers, but after a while; the walk's tests look at what they say. */
  responsesOf(_id: string): Promise<readonly never[]> {
    const { askMs, asksFail } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<readonly never[]>();
    const fails = asksFail?.() ?? false;
    setTimeout(() => fails ? reject(new Error("Cannot read")) : resolve([]), askMs?.() ?? 0);
    return promise;
  }

  march(change: 1 | -1): void {
    this.marching += change;
  }

  crowd(areHeld: boolean): void {
    if (areHeld === this.isCrowded) this.defects.push(`crowd(${areHeld}) was said twice`);
    this.isCrowded = areHeld;
  }

  flush(): void {
    this.#send();
  }

  #schedule(): void {
    if (this.#scheduled || this.#outstanding >= OUTSTANDING_MAX) return;
    this.#scheduled = true;
    setTimeout(() => {
      this.#scheduled = false;
      this.#send();
    }, 0);
  }

  #send(): void {
    const batch = [...this.#first, ...this.#gathered].slice(0, BATCH_MAX);
    if (batch.length === 0 || this.#outstanding >= OUTSTANDING_MAX) return;
    const isFirst = new Set(batch);
    this.#first = this.#first.filter((item) => !isFirst.has(item));
    this.#gathered = this.#gathered.filter((item) => !isFirst.has(item));
    this.#outstanding += 1;
    const { clock, commitMs = () => 0 } = this.#options;
    const nowMs = clock.monotonic();
    this.#writerFreeAt = Math.max(nowMs, this.#writerFreeAt) + commitMs();
    setTimeout(() => this.#commit(batch), Math.ceil(this.#writerFreeAt - nowMs));
  }

  #commit(batch: readonly Submitted[]): void {
    const answers = this.#execute(batch);
    // Durable, but nobody knows yet: a crash may fall between.
    setTimeout(() => {
      this.#outstanding -= 1;
      for (const answer of answers) answer();
      if (this.#first.length + this.#gathered.length > 0) this.#schedule();
    }, 0);
  }

  #execute(batch: readonly Submitted[]): (() => void)[] {
    const { database, batchFails, intentFails, onRefused, onCommit } = this.#options;
    const fails = batchFails?.() ?? false;
    const answers = batch.map(({ intent, resolve, reject }) => {
      if (fails || database.isClosed(intent) || intentFails?.(intent)) {
        const thrown = database.refuse(intent);
        this.refused += 1;
        onRefused?.(intent);
        return () => reject(thrown);
      }
      const result = database.execute(intent) as never;
      this.#options.onExecuted?.(intent, result);
      return () => resolve(result);
    });
    if (!fails) onCommit?.(batch.map(({ intent }) => intent));
    return answers;
  }

  /** What the pipeline must not touch, reads above all, is not there. */
  get asStore(): Store {
    return this as unknown as Store;
  }
}
