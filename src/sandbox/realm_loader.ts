/**
 * Makes one realm, links modules into it and evaluates them, inside the worker.
 *
 * A realm is a `node:vm` context with a global of its own, a microtask queue of its own and no code
 * from text. The worker's functions never enter it: dynamic import has no callback and so fails, and
 * what author code throws is described inside the realm and comes out as text.
 */
import vm from "node:vm";
import { authoringId, realmEntryId, resolveId, type SourceText } from "./module_ids.ts";
import type { LoadProblem } from "./protocol.ts";

/** The functions of `realm/entry.ts`: all the worker calls in a realm, with primitives only. */
export type RealmEntry = typeof import("./realm/entry.ts");

/** A module that cannot be linked. Its text names files and specifiers, never a value. */
class LinkProblem extends Error {
  readonly problem: LoadProblem;

  constructor(problem: LoadProblem) {
    super(problem.message);
    this.problem = problem;
  }
}

/** The load took longer than it may; the realm is not to be used. */
export class LoadTimeout extends Error {}

// Taken before the walls go up, for they remove the globals.
const { setTimeout } = globalThis;
export const now: () => number = performance.now.bind(performance);

const evaluateName = "__messagefoundry_evaluate__";

export class RealmLoader {
  readonly context: vm.Context = vm.createContext(vm.constants.DONT_CONTEXTIFY, {
    codeGeneration: { strings: false, wasm: false },
    microtaskMode: "afterEvaluate",
  });
  readonly #sources: ReadonlyMap<string, string>;
  readonly #modules = new Map<string, vm.SourceTextModule>();
  readonly #deadline: number;
  readonly #evaluate = new vm.Script(`${evaluateName}()`);
  readonly #drain = new vm.Script("0");

  readonly #broken: ReadonlySet<string>;

  /**
   * `sources` are the engine's and the author's, `broken` names files that cannot be read;
   * `deadline` as of `now()`.
   */
  constructor(sources: readonly SourceText[], broken: readonly string[], deadline: number) {
    this.#broken = new Set(broken);
    this.#sources = new Map(sources.map(({ id, code }) => [id, code]));
    this.#deadline = deadline;
  }

  /** Evaluates the engine's modules; they are ours, so a failure is a defect and thrown. */
  async openEngine(): Promise<RealmEntry> {
    const module = this.#create(realmEntryId);
    this.#create(authoringId);
    await this.#link(module);
    await module.evaluate();
    return module.namespace as RealmEntry;
  }

  /**
   * Evaluates one module of the author's, and first what it imports; returns what is wrong with it.
   *
   * @throws {LoadTimeout}
   */
  async evaluateAuthor(id: string, entry: RealmEntry): Promise<LoadProblem | undefined> {
    const module = await this.#linked(id);
    if (!(module instanceof vm.SourceTextModule)) return module;
    const outcome = await this.#evaluateWithin(module, id);
    if (outcome.isOk) return undefined;
    entry.stash(outcome.thrown);
    return this.#described(entry, id);
  }

  /** Runs `script` in the realm under the time limit of the load. @throws {LoadTimeout} */
  runWithin(script: vm.Script, id: string): void {
    const timeout = this.#remaining(id);
    try {
      script.runInContext(this.context, { timeout });
    } catch {
      throw timedOut(id);
    }
  }

  async #linked(id: string): Promise<vm.SourceTextModule | LoadProblem> {
    try {
      const module = this.#create(id);
      await this.#link(module);
      return module;
    } catch (thrown) {
      if (thrown instanceof LinkProblem) return thrown.problem;
      // V8's own, for a name that a module does not export.
      const text = thrown instanceof Error || isErrorLike(thrown) ? thrown.message : "";
      return { message: `Cannot link "${id}": ${text}`, file: id };
    }
  }

  async #evaluateWithin(
    module: vm.SourceTextModule,
    id: string,
  ): Promise<{ isOk: true } | { isOk: false; thrown: unknown }> {
    let evaluated: Promise<unknown> | undefined;
    const start = () => {
      evaluated = module.evaluate();
      evaluated.catch(() => {});
    };
    const timeout = this.#remaining(id);
    Object.defineProperty(globalThis, evaluateName, { value: start, configurable: true });
    try {
      this.#evaluate.runInThisContext({ timeout });
    } catch {
      throw timedOut(id);
    } finally {
      Reflect.deleteProperty(globalThis, evaluateName);
    }
    this.runWithin(this.#drain, id);
    // Author code has no timers, so what is not settled now never will be.
    const never = new Promise<"never">((resolve) => setTimeout(resolve, 5, "never"));
    const settled = (evaluated ?? Promise.resolve()).then(
      () => ({ isOk: true } as const),
      (thrown: unknown) => ({ isOk: false, thrown } as const),
    );
    const outcome = await Promise.race([settled, never]);
    if (outcome === "never") throw timedOut(id);
    return outcome;
  }

  #described(entry: RealmEntry, id: string): LoadProblem {
    this.runWithin(new vm.Script(`${entry.goName}()`), id);
    const { text, position } = JSON.parse(entry.takeDescription()) as {
      text: string;
      position?: { file: string; line: number };
    };
    return { message: `Cannot load "${id}": ${text}`, file: id, ...position };
  }

  /** Makes the module `id` and everything it imports, each once. */
  #create(id: string): vm.SourceTextModule {
    const known = this.#modules.get(id);
    if (known !== undefined) return known;
    const source = this.#sources.get(id);
    if (source === undefined) throw new LinkProblem({ message: `Cannot find "${id}"` });
    const module = this.#compile(id, source);
    this.#modules.set(id, module);
    try {
      for (const specifier of module.dependencySpecifiers) {
        this.#create(this.#target(id, specifier));
      }
    } catch (thrown) {
      this.#modules.delete(id);
      throw thrown;
    }
    return module;
  }

  #compile(id: string, source: string): vm.SourceTextModule {
    const code = id.endsWith(".json") ? jsonModule(source) : source;
    try {
      return new vm.SourceTextModule(code, { context: this.context, identifier: id });
    } catch (thrown) {
      const text = isErrorLike(thrown) ? thrown.message : "";
      throw new LinkProblem({ message: `Cannot read "${id}": ${text}`, file: id });
    }
  }

  /** The id of what `from` imports, or a refusal that says what may be imported. */
  #target(from: string, specifier: string): string {
    if (specifier === "messagefoundry") return authoringId;
    const id = resolveId(from, specifier);
    if (id !== undefined && this.#sources.has(id)) return id;
    const problem = id === undefined
      ? 'a graph may import "messagefoundry" and files of its own folder only'
      : this.#broken.has(id)
      ? "the file cannot be read"
      : "the bundle has no such file";
    const line = lineOf(this.#sources.get(from) ?? "", specifier);
    throw new LinkProblem({
      message: `Cannot import "${specifier.slice(0, 200)}" in "${from}": ${problem}`,
      file: from,
      ...(line === undefined ? {} : { line }),
    });
  }

  async #link(module: vm.SourceTextModule): Promise<void> {
    if (module.status !== "unlinked") return;
    await module.link((specifier, referrer) => {
      const target = this.#modules.get(this.#target(referrer.identifier, specifier));
      if (target === undefined) throw new TypeError("A module was not made before it was linked");
      return target;
    });
  }

  #remaining(id: string): number {
    const left = Math.ceil(this.#deadline - now());
    if (left < 1) throw timedOut(id);
    return left;
  }
}

function timedOut(id: string): LoadTimeout {
  return new LoadTimeout(`Cannot load "${id}": its top level does not come to an end in time`);
}

/** The error may be of the realm; V8 made it, so its message is plain text. */
function isErrorLike(thrown: unknown): thrown is { message: string } {
  return typeof thrown === "object" && thrown !== null && "message" in thrown &&
    typeof thrown.message === "string";
}

function jsonModule(text: string): string {
  return `export default JSON.parse(${JSON.stringify(text)});`;
}

/** Line of the import, from 1: where its specifier first stands in quotes. */
function lineOf(code: string, specifier: string): number | undefined {
  const at = Math.max(code.indexOf(`"${specifier}"`), code.indexOf(`'${specifier}'`));
  return at < 0 ? undefined : code.slice(0, at).split("\n").length;
}
