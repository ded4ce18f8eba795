/**
 * The processes of one run and the lines of JSON they exchange over standard input and output.
 *
 * Upstream: `run.ts` and `target.ts` start children and stop them by their handles. Downstream:
 * `sender.ts`, `sink.ts` and `reference.ts` read commands and report events.
 */

/** One line from a child: `event` names it, the rest is its payload. */
export interface ChildEvent {
  readonly event: string;
  readonly [field: string]: unknown;
}

/** One line to a child. */
export interface ChildCommand {
  readonly command: string;
  readonly [field: string]: unknown;
}

export interface ChildOptions {
  /** For error texts: `sender`. */
  readonly name: string;
  /** Permission flags of the runtime. */
  readonly flags: readonly string[];
  readonly module: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** True when its standard output is a log, kept like standard error. */
  readonly isMute?: boolean;
}

const STDERR_LINES_KEPT = 12;
const STOP_LIMIT_MS = 15_000;

/** A child process under bounded waits; leaving the scope stops it. */
export class Child implements AsyncDisposable {
  readonly pid: number;
  readonly #name: string;
  readonly #process: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #events: ChildEvent[] = [];
  readonly #stderr: string[] = [];
  readonly #readers: Promise<void>[];
  #waiting: (() => void) | undefined;
  #ended = false;

  constructor(options: ChildOptions) {
    this.#name = options.name;
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", ...options.flags, options.module, ...options.args],
      cwd: options.cwd,
      env: options.env,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.pid = this.#process.pid;
    this.#input = this.#process.stdin.getWriter();
    this.#readers = [
      forEachLine(
        this.#process.stdout,
        (line) => options.isMute ? this.#onErrorLine(line) : this.#onLine(line),
      ),
      forEachLine(this.#process.stderr, (line) => this.#onErrorLine(line)),
    ];
    void this.#process.status.then(() => {
      this.#ended = true;
      this.#waiting?.();
    });
  }

  /** Last lines of standard error, for the reason of a failed run. */
  get errors(): string {
    return this.#stderr.join(" | ");
  }

  get hasEnded(): boolean {
    return this.#ended;
  }

  /** Writes one command. */
  async tell(command: ChildCommand): Promise<void> {
    await this.#input.write(new TextEncoder().encode(JSON.stringify(command) + "\n"));
  }

  /**
   * Waits for the next event of this name; earlier events of other names are dropped.
   *
   * @throws {Error} when the child ends, reports `failed`, or stays silent for `limitMs`.
   */
  async next(event: string, limitMs: number): Promise<ChildEvent> {
    const deadline = performance.now() + limitMs;
    for (;;) {
      const found = this.#events.shift();
      if (found?.event === event) return found;
      if (found?.event === "failed") throw new Error(`The ${this.#name} failed: ${found.reason}`);
      if (found !== undefined) continue;
      if (this.#ended) throw new Error(`The ${this.#name} ended early: ${this.errors}`);
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) {
        throw new Error(`The ${this.#name} did not report "${event}" in ${limitMs} ms`);
      }
      await this.#somethingOrTimeout(leftMs);
    }
  }

  /** Asks the child to end, then insists; resolves when it is gone. */
  async stop(): Promise<void> {
    if (!this.#ended) this.#signal("SIGTERM");
    const insist = setTimeout(() => this.#signal("SIGKILL"), STOP_LIMIT_MS);
    await this.#process.status;
    clearTimeout(insist);
    await this.#input.close().catch(() => undefined);
    await Promise.allSettled(this.#readers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #signal(signal: Deno.Signal): void {
    try {
      this.#process.kill(signal);
    } catch {
      // It ended between the look and the signal.
    }
  }

  #onLine(line: string): void {
    this.#events.push(JSON.parse(line));
    this.#waiting?.();
  }

  #onErrorLine(line: string): void {
    this.#stderr.push(line);
    if (this.#stderr.length > STDERR_LINES_KEPT) this.#stderr.shift();
  }

  #somethingOrTimeout(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, limitMs);
      this.#waiting = done;
      function done() {
        clearTimeout(timer);
        resolve();
      }
    });
  }
}

/** Reports an event to the parent, from inside a child. */
export function report(event: ChildEvent): void {
  const bytes = new TextEncoder().encode(JSON.stringify(event) + "\n");
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

/** Calls `onCommand` for each command of the parent; ends the process when the parent is gone. */
export async function obey(onCommand: (command: ChildCommand) => void): Promise<void> {
  await forEachLine(Deno.stdin.readable, (line) => onCommand(JSON.parse(line)));
  Deno.exit(0);
}

/** Reads the plan that the parent put into the first argument. */
export function readPlan<Plan>(): Plan {
  return JSON.parse(Deno.args[0] ?? "{}");
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
