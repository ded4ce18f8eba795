/** One life of the engine's process, the real command, started, watched and ended by its handle. */
import { fileURLToPath } from "node:url";
import { sandboxV8Flags } from "../../src/sandbox/v8_flags.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

export interface EngineChildOptions {
  readonly dir: string;
  /** `name@n` pairs of `src/failpoints.ts`. */
  readonly failpoints?: string;
  /** Further variables of its environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Heap of the engine under proof: small, so that a message can use it up quickly. */
const HEAP_MB = 96;
const LINES_KEPT = 20;
const READY_MS = 30_000;

export class EngineChild {
  readonly #process: Deno.ChildProcess;
  readonly #readers: Promise<void>;
  readonly #ready = Promise.withResolvers<boolean>();
  readonly #lines: string[] = [];
  /** How it ended; undefined while it runs. */
  status: Deno.CommandStatus | undefined;
  readonly ended: Promise<Deno.CommandStatus>;

  constructor({ dir, failpoints, env = {} }: EngineChildOptions) {
    this.#process = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--cached-only",
        "--frozen",
        "--ignore-env",
        "--allow-net=127.0.0.1",
        `--allow-read=${root},${dir}`,
        `--allow-write=${dir}`,
        "--allow-env=MEFOR_*",
        `--v8-flags=${[...sandboxV8Flags, `--max-old-space-size=${HEAP_MB}`].join(",")}`,
        `${root}main.ts`,
        ...["serve", "--engine", "--env", "dev"],
        ...["--config", dir, "--service-config", `${dir}/messagefoundry.toml`],
      ],
      cwd: root,
      env: failpoints === undefined ? env : { ...env, MEFOR_FAILPOINTS: failpoints },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#readers = Promise.all([
      forEachLine(this.#process.stdout, (line) => this.#onLine(line)),
      forEachLine(this.#process.stderr, (line) => this.#onLine(line)),
    ]).then(() => {});
    this.ended = this.#process.status.then(async (status) => {
      await this.#readers;
      this.status = status;
      this.#ready.resolve(false);
      return status;
    });
  }

  /**
   * Resolves to false when it ended before it listened.
   * @throws {Error} when it does neither in time.
   */
  async becomesReady(): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLate = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), READY_MS);
    });
    const isReady = await Promise.race([this.#ready.promise, tooLate]);
    clearTimeout(timer);
    if (isReady === undefined) throw new Error(`The engine did not start: ${this.errors}`);
    return isReady;
  }

  #onLine(line: string): void {
    if (line.includes("engine.started")) this.#ready.resolve(true);
    this.#lines.push(line);
    if (this.#lines.length > LINES_KEPT) this.#lines.shift();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** What it last said. */
  get errors(): string {
    return this.#lines.join("\n");
  }

  /** Ends it; nothing when it has ended already. */
  signal(signal: "SIGKILL" | "SIGTERM"): void {
    try {
      this.#process.kill(signal);
    } catch {
      // It ended between the look and the signal.
    }
  }

  /** Resolves to whether it ended within `ms`. */
  async endsWithin(ms: number): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLate = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), ms);
    });
    const ended = await Promise.race([this.ended.then(() => true), tooLate]);
    clearTimeout(timer);
    return ended;
  }
}

async function forEachLine(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") onLine(line);
  }
}
