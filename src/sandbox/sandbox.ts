/**
 * Runs author code for the engine: one worker, batches in, results out, in order.
 *
 * A batch that runs out of time or takes its worker down is run again message by message, so that
 * the guilty one alone gets the error. Upstream: `graph/` loads it, `pipeline/` runs it.
 */
import { EngineError } from "../errors.ts";
import { type AuthorModule, prepareModules } from "./author_modules.ts";
import { engineSources } from "./engine_sources.ts";
import { type RawRegistry, withMentions } from "./mentions.ts";
import { makeNameBook, type NameBook } from "./names.ts";
import type {
  CodeSetData,
  LoadProblem,
  ReferenceData,
  Registry,
  RunRequest,
  RunResult,
  StateEntry,
  StateKey,
} from "./protocol.ts";
import { StateTable } from "./state_table.ts";
import { type LoadMessage, packRequests, shorten, unpackResults } from "./wire.ts";
import { WorkerGone, WorkerLink } from "./worker_link.ts";

/** The sandbox cannot run anything. */
export class SandboxError extends EngineError {}

export interface SandboxOptions {
  /** How positions name the graph folder, relative to the bundle: `graph`. */
  readonly graphDir: string;
  /** Every file of it that may be loaded or imported. */
  readonly modules: readonly AuthorModule[];
  readonly codeSets: readonly CodeSetData[];
  /** What `currentEnvironment()` answers. */
  readonly environment: string | undefined;
  /** Outbounds that modules do not declare: those of `connections.toml`. */
  readonly outboundNames?: readonly string[];
  /** Everything the store holds. */
  readonly state: readonly StateEntry[];
  readonly loadTimeoutMs: number;
  /** Bound of a batch of several messages; a few seconds. */
  readonly batchTimeoutMs: number;
  /**
   * Bound of one message that runs alone. It bounds memory as well (`DESIGN.md`), so one or two
   * seconds: a message takes microseconds.
   */
  readonly messageTimeoutMs: number;
  /** Takes patient data out of error texts. */
  readonly redact: (text: string) => string;
  /** Waited for an answer beyond the time limit before a worker counts as dead. Default 2000. */
  readonly graceMs?: number;
}

export interface LoadedSandbox {
  /** Undefined when nothing usable came to be; `problems` says why. */
  readonly sandbox: Sandbox | undefined;
  readonly registry: Registry;
  /** Of single modules; the others are loaded all the same. */
  readonly problems: readonly LoadProblem[];
}

/** Messages that cross the boundary together at most. */
const batchMessagesMax = 64;
/** UTF-16 units of text that cross together at most, unless one message has more. */
const batchCharsMax = 4 * 1024 * 1024;
const graceDefaultMs = 2_000;
/** Failures of a message that runs alone before it gets the error. */
const strikesMax = 2;
/** Workers in a row that may fail to load what once loaded. */
const replacementsMax = 3;

const emptyRegistry: Registry = {
  inbounds: [],
  outbounds: [],
  routers: [],
  handlers: [],
  codeSets: [],
  references: [],
  referencesRead: [],
  readsResponses: false,
};

type LoadPart = Omit<LoadMessage, "state" | "references" | "entropy">;

/** One `run()` call. */
interface Call {
  readonly results: RunResult[];
  missing: number;
  readonly resolve: (results: readonly RunResult[]) => void;
  readonly reject: (reason: unknown) => void;
}

/** One message of a call. */
interface Slot {
  readonly request: RunRequest;
  readonly call: Call;
  readonly index: number;
}

/** How a batch failed. */
type Failure =
  | { readonly kind: "timedOut"; readonly handler: string; readonly limitMs: number }
  | { readonly kind: "died" };

export class Sandbox {
  readonly #options: SandboxOptions;
  readonly #load: LoadPart;
  readonly #state: StateTable;
  readonly #references = new Map<string, ReferenceData>();
  readonly #queue: Slot[] = [];
  #link: WorkerLink;
  #isPumping = false;
  #isClosed = false;
  #leakedThreads = 0;
  #consoleCalls = 0;
  #consoleCallsBefore = 0;
  #registry: Registry = emptyRegistry;
  /** Of the load the worker runs now. */
  #book: NameBook = makeNameBook(emptyRegistry, []);

  private constructor(options: SandboxOptions, load: LoadPart) {
    this.#options = options;
    this.#load = load;
    this.#state = new StateTable();
    for (const entry of options.state) {
      this.#state.write("", entry);
      this.#state.commit("", [entry]);
    }
    this.#link = new WorkerLink();
  }

  /** Loads a graph into a worker of its own. */
  static async load(options: SandboxOptions): Promise<LoadedSandbox> {
    const prepared = prepareModules(options.graphDir, options.modules);
    const sandbox = new Sandbox(options, {
      kind: "load",
      engine: await engineSources(),
      author: prepared.sources,
      entries: prepared.entries,
      broken: prepared.broken,
      codeSets: options.codeSets,
      environment: options.environment,
      outboundNames: options.outboundNames ?? [],
      timeoutMs: options.loadTimeoutMs,
    });
    const loaded = await sandbox.#loadWorker();
    const problems = [...prepared.problems, ...loaded.problems];
    if (loaded.registry === undefined) {
      sandbox.close();
      return { sandbox: undefined, registry: emptyRegistry, problems };
    }
    const raw = JSON.parse(loaded.registry) as RawRegistry;
    sandbox.#registry = withMentions(raw, prepared.sources);
    return { sandbox, registry: sandbox.#registry, problems };
  }

  /** What the modules declared. */
  get registry(): Registry {
    return this.#registry;
  }

  /** Threads given up while they may still spin. Only the end of the process frees them. */
  get leakedThreads(): number {
    return this.#leakedThreads;
  }

  /** Calls of `console` by author code, whose text is dropped unread. */
  get consoleCalls(): number {
    return this.#consoleCallsBefore + this.#consoleCalls;
  }

  /**
   * Runs each request, in order; requests of calls that wait are taken together.
   *
   * What author code does wrong is an error in its result. State writes are seen by later requests
   * of the same inbound at once, and have to be committed or discarded.
   *
   * @throws {SandboxError} `sandbox.closed`, `sandbox.unavailable`
   */
  run(requests: readonly RunRequest[]): Promise<readonly RunResult[]> {
    if (this.#isClosed) return Promise.reject(closed());
    if (requests.length === 0) return Promise.resolve([]);
    return new Promise((resolve, reject) => {
      const results = new Array<RunResult>(requests.length);
      const call: Call = { results, missing: requests.length, resolve, reject };
      for (let index = 0; index < requests.length; index++) {
        this.#queue.push({ request: requests[index] as RunRequest, call, index });
      }
      if (!this.#isPumping) void this.#pump();
    });
  }

  /** All durable state as of now, for another sandbox to begin with. */
  committedState(): readonly StateEntry[] {
    return this.#state.entries();
  }

  /** Takes state writes that results of `inbound` held as durable: all of them, in their order. */
  commitState(inbound: string, entries: readonly StateEntry[]): void {
    if (entries.length === 0) return;
    this.#state.commit(inbound, entries);
    this.#link.post({ kind: "commit", inbound, entries });
  }

  /** Lets a version of a reference set take the place of the one before, for later batches. */
  setReference(reference: ReferenceData): void {
    this.#references.set(reference.name, reference);
    this.#link.post({ kind: "reference", reference });
  }

  /** Forgets durable values that the store has deleted. */
  forgetState(keys: readonly StateKey[]): void {
    if (keys.length === 0) return;
    this.#state.forget(keys);
    this.#link.post({ kind: "forget", keys });
  }

  /** Forgets what `inbound` wrote and never committed: its messages will run again. */
  discardState(inbound: string): void {
    this.#state.discard(inbound);
    this.#link.post({ kind: "discard", inbound });
  }

  /** Gives the worker up; calls that wait are refused. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#link.close();
    for (const slot of this.#queue.splice(0)) slot.call.reject(closed());
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #pump(): Promise<void> {
    this.#isPumping = true;
    while (this.#queue.length > 0) {
      const slots = this.#takeBatch();
      try {
        await this.#runSlots(slots);
      } catch (thrown) {
        for (const slot of slots) slot.call.reject(thrown);
      }
    }
    this.#isPumping = false;
  }

  #takeBatch(): readonly Slot[] {
    let count = 0;
    let chars = 0;
    for (const { request } of this.#queue) {
      chars += request.text.length;
      if (count > 0 && (count === batchMessagesMax || chars > batchCharsMax)) break;
      count++;
    }
    return this.#queue.splice(0, count);
  }

  async #runSlots(slots: readonly Slot[]): Promise<void> {
    const requests = slots.map(({ request }) => request);
    const answer = await this.#attempt(requests);
    if (!("kind" in answer)) {
      for (let index = 0; index < slots.length; index++) {
        settle(slots[index] as Slot, answer[index] as RunResult);
      }
      return;
    }
    for (const slot of slots) {
      settle(slot, await this.#runAlone(slot.request, slots.length, answer));
    }
  }

  /**
   * Runs one message of a batch of `count` that failed as `first`. It has to fail twice to get the
   * error, for a busy machine is late, too. Of a batch that ran out of time nobody is suspected yet.
   */
  async #runAlone(request: RunRequest, count: number, first: Failure): Promise<RunResult> {
    let failure = first;
    for (let strikes = count === 1 || first.kind === "died" ? 1 : 0; strikes < strikesMax;) {
      const answer = await this.#attempt([request]);
      if (!("kind" in answer)) return answer[0] as RunResult;
      failure = answer;
      strikes++;
    }
    return failed(failureText(failure));
  }

  /** Runs a batch once; when it fails the next one finds a realm as new. */
  async #attempt(requests: readonly RunRequest[]): Promise<readonly RunResult[] | Failure> {
    const { batchTimeoutMs, messageTimeoutMs, graceMs = graceDefaultMs } = this.#options;
    const limitMs = requests.length === 1 ? messageTimeoutMs : batchTimeoutMs;
    try {
      const batch = packRequests(requests, this.#book);
      const message = { kind: "run", timeoutMs: limitMs, batch } as const;
      const answer = await this.#link.ask(message, limitMs + graceMs);
      if (answer.kind === "ran") {
        this.#consoleCalls = answer.consoleCalls;
        const results = unpackResults(answer.cells, this.#book, this.#options.redact);
        if (results.length !== requests.length) throw new TypeError("Results are missing");
        this.#noteState(requests, results);
        return results;
      }
      const handler = answer.kind === "timedOut" ? answer.handler : "";
      await this.#recover(false);
      return { kind: "timedOut", handler, limitMs };
    } catch (thrown) {
      if (!(thrown instanceof WorkerGone) || this.#isClosed) {
        throw this.#isClosed ? closed() : thrown;
      }
      if (!thrown.hasEnded) this.#leakedThreads++;
      await this.#recover(true);
      return { kind: "died" };
    }
  }

  #noteState(requests: readonly RunRequest[], results: readonly RunResult[]): void {
    for (let index = 0; index < results.length; index++) {
      for (const { state } of (results[index] as RunResult).outcomes) {
        for (const entry of state) this.#state.write(requests[index]?.inbound ?? "", entry);
      }
    }
  }

  /** Loads the graph anew, in the same worker or in a new one. */
  async #recover(needsWorker: boolean): Promise<void> {
    this.#consoleCallsBefore += this.#consoleCalls;
    this.#consoleCalls = 0;
    let isFresh = !needsWorker;
    for (let attempt = 0; attempt < replacementsMax; attempt++) {
      if (!isFresh) {
        this.#link.close();
        this.#link = new WorkerLink();
      }
      isFresh = false;
      const { registry } = await this.#loadWorker();
      if (this.#isClosed) throw closed();
      if (registry !== undefined) return;
    }
    throw new SandboxError(
      "sandbox.unavailable",
      "Cannot run author code: the graph does not load any more",
      { hint: "Look for a module whose top level does not come to an end" },
    );
  }

  async #loadWorker(): Promise<{ registry?: string; problems: readonly LoadProblem[] }> {
    const { loadTimeoutMs, graceMs = graceDefaultMs } = this.#options;
    const entropy = crypto.getRandomValues(new Uint8Array(44)).toHex();
    const message: LoadMessage = {
      ...this.#load,
      state: this.#state.dump(),
      references: [...this.#references.values()],
      entropy,
    };
    try {
      const answer = await this.#link.ask(message, loadTimeoutMs + graceMs);
      if (answer.kind === "loaded") {
        const declared = JSON.parse(answer.registry) as RawRegistry;
        this.#book = makeNameBook(declared, this.#load.outboundNames);
        return { registry: answer.registry, problems: redacted(answer.problems, this.#options) };
      }
      return { problems: answer.kind === "unloaded" ? answer.problems : [] };
    } catch (thrown) {
      if (!(thrown instanceof WorkerGone)) throw thrown;
      if (!thrown.hasEnded) this.#leakedThreads++;
      return { problems: [{ message: `Cannot load the graph: ${thrown.message}` }] };
    }
  }
}

function settle({ call, index }: Slot, result: RunResult): void {
  call.results[index] = result;
  if (--call.missing === 0) call.resolve(call.results);
}

function redacted(
  problems: readonly LoadProblem[],
  { redact }: SandboxOptions,
): readonly LoadProblem[] {
  return problems.map((problem) => ({ ...problem, message: redact(problem.message) }));
}

function failed(error: string): RunResult {
  return { handlers: [], outcomes: [], error: shorten(error) };
}

function failureText(failure: Failure): string {
  if (failure.kind === "died") return "HandlerCrash: the message takes the sandbox down";
  const { handler, limitMs } = failure;
  const who = handler === "" ? "" : `handler "${handler}": `;
  return `HandlerTimeout: ${who}no result within ${limitMs} ms`;
}

function closed(): SandboxError {
  return new SandboxError("sandbox.closed", "Cannot run author code: the sandbox is closed");
}
