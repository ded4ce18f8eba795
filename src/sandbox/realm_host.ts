/**
 * One loaded realm, inside the worker: takes batches and state, gives results.
 */
import vm from "node:vm";
import type { LoadProblem } from "./protocol.ts";
import { LoadTimeout, now, type RealmEntry, RealmLoader } from "./realm_loader.ts";
import type { Cell, LoadMessage } from "./wire.ts";

/** The batch ran longer than it may; the realm is not to be used again. */
export class BatchTimeout extends Error {}

export class RealmHost {
  readonly #context: vm.Context;
  readonly #entry: RealmEntry;
  readonly #go: vm.Script;
  /** JSON of everything the modules declared. */
  readonly registry: string;
  readonly problems: readonly LoadProblem[];

  private constructor(
    context: vm.Context,
    entry: RealmEntry,
    loaded: { registry: string; problems: readonly LoadProblem[] },
  ) {
    this.#context = context;
    this.#entry = entry;
    this.#go = new vm.Script(`${entry.goName}()`);
    this.registry = loaded.registry;
    this.problems = loaded.problems;
  }

  /**
   * Loads a graph into a new realm. Problems of single modules are told, not thrown.
   *
   * @throws {LoadTimeout}
   */
  static async load(message: LoadMessage): Promise<RealmHost> {
    const sources = [...message.engine, ...message.author];
    const loader = new RealmLoader(sources, message.broken, now() + message.timeoutMs);
    const entry = await loader.openEngine();
    entry.prepare(
      message.entropy,
      message.environment,
      JSON.stringify(message.codeSets),
      JSON.stringify(message.state),
    );
    for (const { name, entries } of message.references) entry.setReference(name, entries);
    entry.harden();
    const problems: LoadProblem[] = [];
    for (const id of message.entries) {
      const problem = await loader.evaluateAuthor(id, entry);
      if (problem !== undefined) problems.push(problem);
    }
    const registry = entry.finishLoad(JSON.stringify(message.outboundNames));
    return new RealmHost(loader.context, entry, { registry, problems });
  }

  /**
   * Runs a batch, laid out as `wire.ts` says, both ways. The caller watches over the time.
   *
   * @throws {BatchTimeout}
   */
  run(batch: string, timeoutMs: number): Cell[] {
    const entry = this.#entry;
    const deadline = now() + timeoutMs;
    entry.beginBatch(batch);
    entry.armBatch();
    this.#goUntil(deadline);
    while (!entry.isDone()) {
      entry.abandon("HandlerTimeout: its promise does not settle");
      this.#goUntil(deadline);
    }
    const out: Cell[] = [];
    const count = entry.resultCount();
    for (let i = 0; i < count; i++) out.push(entry.result(i));
    entry.endBatch();
    return out;
  }

  currentHandler(): string {
    return this.#entry.currentHandler();
  }

  consoleCalls(): number {
    return this.#entry.consoleCallCount();
  }

  setReference(name: string, entries: string): void {
    this.#entry.setReference(name, entries);
  }

  commitState(inbound: string, entries: string): void {
    this.#entry.commitState(inbound, entries);
  }

  forgetState(keys: string): void {
    this.#entry.forgetState(keys);
  }

  discardState(inbound: string): void {
    this.#entry.discardState(inbound);
  }

  #goUntil(deadline: number): void {
    try {
      this.#go.runInContext(this.#context);
    } catch {
      // The realm catches what author code throws: this is the end of its time or of its stack.
      throw outOfTime();
    }
    // Also tells when the end of the time was taken for the end of the microtasks.
    if (now() > deadline) throw outOfTime();
  }
}

function outOfTime(): BatchTimeout {
  return new BatchTimeout("The batch ran out of time");
}

export { LoadTimeout, now };
