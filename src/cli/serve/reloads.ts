/**
 * What asks a running engine for its bundle anew beside the API: a hang-up signal, as services take
 * it, and with `--watch` every change of a file.
 *
 * Whatever a reload finds wrong is in the log, and the graph that ran goes on.
 */
import type { Engine } from "../../engine.ts";
import { localOperator, reloadConfig } from "../../operations/mod.ts";
import { hangup } from "./stop_signals.ts";

export interface ReloadsOptions {
  /** False: a hang-up is a stop. */
  readonly onHangup: boolean;
  /** Undefined: files are not watched. */
  readonly watch: {
    readonly bundleDir: string;
    readonly environmentsDir: string;
  } | undefined;
  /** After each reload, successful or not. */
  readonly onDone: (isLoaded: boolean) => void;
}

/** Editors write a file in several steps, and often several files at once. */
const DEBOUNCE_MS = 200;
/** What of a bundle's own folder is watched; the store may lie beside it. */
const IN_BUNDLE = /[/\\](graph|codesets|connections\.toml)$/;
const SOURCE = /\.(ts|mts|js|json|csv|toml)$/;

export class Reloads implements Disposable {
  readonly #engine: Engine;
  readonly #options: ReloadsOptions;
  readonly #hangup = () => void this.#reload();
  #watcher: Deno.FsWatcher | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isReloading = false;
  #isWantedAgain = false;
  #isOver = false;

  constructor(engine: Engine, options: ReloadsOptions) {
    this.#engine = engine;
    this.#options = options;
    if (options.onHangup && Deno.build.os !== "windows") {
      Deno.addSignalListener(hangup, this.#hangup);
    }
    this.#watch();
  }

  /** One at a time; what is asked for meanwhile is one more. */
  async #reload(): Promise<void> {
    if (this.#isReloading) {
      this.#isWantedAgain = true;
      return;
    }
    this.#isReloading = true;
    do {
      this.#isWantedAgain = false;
      // A folder that was made, or replaced, is watched from now on.
      this.#watch();
      this.#options.onDone(await this.#reloadOnce());
    } while (this.#isWantedAgain && !this.#isOver);
    this.#isReloading = false;
  }

  async #reloadOnce(): Promise<boolean> {
    try {
      const act = { engine: this.#engine, actor: localOperator };
      await reloadConfig.perform(act, { dir: undefined, dryRun: false });
      return true;
    } catch {
      // The operation has told the log why.
      return false;
    }
  }

  #watch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    const { watch } = this.#options;
    if (watch === undefined || this.#isOver) return;
    const { bundleDir, environmentsDir } = watch;
    const folders = [`${bundleDir}/graph`, `${bundleDir}/codesets`, environmentsDir];
    const watcher = Deno.watchFs([bundleDir, ...folders.filter(isDirectory)], {
      recursive: false,
    });
    this.#watcher = watcher;
    void this.#follow(watcher);
  }

  async #follow(watcher: Deno.FsWatcher): Promise<void> {
    for await (const { kind, paths } of watcher) {
      if (kind === "access" || !paths.some((path) => this.#matters(path))) continue;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => void this.#reload(), DEBOUNCE_MS);
    }
  }

  #matters(path: string): boolean {
    const { bundleDir } = this.#options.watch!;
    const isInRoot = path.startsWith(bundleDir) && !/[/\\]/.test(path.slice(bundleDir.length + 1));
    return isInRoot ? IN_BUNDLE.test(path) : SOURCE.test(path);
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
    this.#watcher?.close();
    if (this.#options.onHangup && Deno.build.os !== "windows") {
      Deno.removeSignalListener(hangup, this.#hangup);
    }
  }
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}
