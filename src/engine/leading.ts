/**
 * What this node does while it leads: a store of its own for the term, the graph at work over it,
 * the chores of a leader; and how all of that ends before the lease does.
 *
 * Upstream: `cluster/` says when. Downstream: `pipeline/` and `maintenance/`. Source: spec
 * pipeline-store-cluster §7.5–7.6.
 */
import type { Duties, Term } from "../cluster/mod.ts";
import type { Logger } from "../logging/mod.ts";
import type { Pipeline } from "../pipeline/pipeline.ts";
import type { StateEntry } from "../sandbox/protocol.ts";
import type { Store } from "../store/store.ts";

/** What changes with each term, made by the engine. */
export interface LeadingOptions {
  readonly logger: Logger;
  /** Lets go of word about rows that the store of the term is about to count. */
  readonly forgetActs: (term: Term) => Promise<void>;
  /** Opens the store for writing under `term`; rows that were in flight are pending again. */
  readonly openStore: (term: Term) => Promise<{ store: Store; recovered: number }>;
  /** Loads the graph anew if another node has loaded another. Throws: this node may not lead. */
  readonly convergeConfig: () => Promise<void>;
  readonly convergeState: (entries: readonly StateEntry[]) => void;
  /** Takes over the reference sets that the leader before has read, and reads what a start reads. */
  readonly takeOverReferences: () => Promise<void>;
  /** Builds the pipeline over the store of the term; nothing of it runs yet. */
  readonly makePipeline: (store: Store, term: Term) => Pipeline;
  /** Begins the chores of a leader; each is in `chores`, whatever becomes of the next. */
  readonly startChores: (chores: AsyncDisposableStack, leading: LeadingParts) => void;
  /** The pipeline that runs; undefined when none does. */
  readonly onPipeline: (pipeline: Pipeline | undefined) => void;
  /** Runs acts that load or swap graphs one after the other. */
  readonly inTurn: <T>(act: () => Promise<T>) => Promise<T>;
  /** How long the end may take before the store is closed under it. */
  readonly stopMs: number;
}

/** What a term runs. */
export interface LeadingParts {
  readonly store: Store;
  readonly pipeline: Pipeline;
  readonly term: Term;
}

export class Leading implements Duties {
  readonly #options: LeadingOptions;
  #store: Store | undefined;
  #pipeline: Pipeline | undefined;
  #chores: AsyncDisposable | undefined;

  constructor(options: LeadingOptions) {
    this.#options = options;
  }

  /** The store of the term under way. */
  get store(): Store | undefined {
    return this.#store;
  }

  lead(term: Term): Promise<void> {
    return this.#options.inTurn(() => this.#lead(term));
  }

  rest(): Promise<void> {
    return this.#options.inTurn(() => this.#rest());
  }

  async #lead(term: Term): Promise<void> {
    const { logger, openStore, convergeConfig, makePipeline } = this.#options;
    const { forgetActs, convergeState, takeOverReferences } = this.#options;
    term.signal.throwIfAborted();
    await convergeConfig();
    term.signal.throwIfAborted();
    await forgetActs(term);
    const { store, recovered } = await openStore(term);
    this.#store = store;
    if (recovered > 0) logger.info("store.recovered", { rows: recovered });
    convergeState(await store.state());
    await takeOverReferences();
    term.signal.throwIfAborted();
    const pipeline = this.#pipeline = makePipeline(store, term);
    this.#options.onPipeline(pipeline);
    term.signal.throwIfAborted();
    await pipeline.start();
    const chores = this.#chores = new AsyncDisposableStack();
    this.#options.startChores(chores, { store, pipeline, term });
  }

  /** The gates are closed already; here sockets, lanes and connections follow. */
  async #rest(): Promise<void> {
    const { stopMs, onPipeline } = this.#options;
    const [pipeline, chores, store] = [this.#pipeline, this.#chores, this.#store];
    this.#pipeline = undefined;
    this.#chores = undefined;
    this.#store = undefined;
    const ended = Promise.allSettled([
      pipeline?.stop(),
      chores?.[Symbol.asyncDispose](),
    ]);
    await within(ended, stopMs);
    // What still waits for the store is refused by it now.
    await store?.[Symbol.asyncDispose]();
    await ended;
    onPipeline(undefined);
  }
}

async function within(ended: Promise<unknown>, ms: number): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const limit = new Promise<void>((resolve) => timer = setTimeout(resolve, ms));
  await Promise.race([ended, limit]);
  clearTimeout(timer);
}
