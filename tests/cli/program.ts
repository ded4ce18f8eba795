/**
 * Runs the real program as a child, under permissions as narrow as the command allows.
 *
 * Tests of this room need run, read, write (temporary directories) and net (loopback).
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { within } from "../connectors/waiting.ts";

export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");
const main = `${root}/main.ts`;

/** What offline commands run under; `deno task messagefoundry` adds write and run. */
export const offlineFlags = ["--allow-read", "--allow-env=MEFOR_*", "--ignore-env"];

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Permission flags; those of offline commands by default. */
  readonly flags?: readonly string[];
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs one command to its end; bounded. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const child = command(args, options).spawn();
  try {
    const { code, stdout, stderr } = await within(child.output(), "the program to end", 60_000);
    const decoder = new TextDecoder();
    return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
  } catch (thrown) {
    child.kill("SIGKILL");
    throw thrown;
  }
}

function command(
  args: readonly string[],
  { cwd = root, env = {}, flags = offlineFlags }: RunOptions,
): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--cached-only", "--frozen", ...flags, main, ...args],
    cwd,
    // A colour, or a posture of the machine that runs the tests, would change what is printed.
    env: { NO_COLOR: "1", RUST_BACKTRACE: "0", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

/** A `serve` that runs; leaving the scope ends it, and fails the test when it has to be killed. */
export class Served implements AsyncDisposable {
  readonly lines: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #readers: Promise<void>[];
  readonly #waiters = new Set<() => void>();
  readonly status: Promise<Deno.CommandStatus>;
  #hasEnded = false;

  constructor(args: readonly string[], options: RunOptions) {
    this.#child = command(["serve", ...args], options).spawn();
    this.#readers = [this.#read(this.#child.stdout), this.#read(this.#child.stderr)];
    this.status = this.#child.status.then((status) => {
      this.#hasEnded = true;
      this.#announce();
      return status;
    });
  }

  get text(): string {
    return this.lines.join("\n");
  }

  /** Waits for a line, of either stream; `count` such lines when given. */
  async line(pattern: RegExp, count = 1): Promise<string> {
    const found = () => this.lines.filter((line) => pattern.test(line));
    await within(
      new Promise<void>((resolve, reject) => {
        const look = () => {
          if (found().length >= count) resolve();
          else if (this.#hasEnded) reject(new Error(`Ended without ${pattern}:\n${this.text}`));
          else return;
          this.#waiters.delete(look);
        };
        this.#waiters.add(look);
        look();
      }),
      `a line like ${pattern}`,
      30_000,
    );
    return found()[count - 1] ?? "";
  }

  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Ends it as an operator would; returns the exit code. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<number> {
    this.signal(signal);
    const { code } = await within(this.status, "the engine to stop", 30_000);
    await Promise.all(this.#readers);
    return code;
  }

  /** Waits for an end of its own accord, and for that of whoever else holds its output. */
  async ended(): Promise<number> {
    const { code } = await within(this.status, "the engine to end", 30_000);
    await within(Promise.all(this.#readers), "the end of its output", 30_000);
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#hasEnded) this.#child.kill("SIGTERM");
    const insist = setTimeout(() => this.#child.kill("SIGKILL"), 20_000);
    const status = await this.status;
    clearTimeout(insist);
    await Promise.all(this.#readers);
    assert.notEqual(status.signal, "SIGKILL", `had to be killed:\n${this.text}`);
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      this.lines.push(...lines);
      this.#announce();
    }
    if (rest !== "") this.lines.push(rest);
    this.#announce();
  }

  #announce(): void {
    for (const look of [...this.#waiters]) look();
  }
}

/** A temporary directory that is gone afterwards. */
export interface TempDir extends AsyncDisposable {
  readonly path: string;
  write(path: string, text: string): Promise<void>;
}

export async function tempDir(): Promise<TempDir> {
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "mefor_cli_" }));
  return {
    path,
    async write(name, text) {
      const file = `${path}/${name}`;
      await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true, mode: 0o755 });
      await Deno.writeTextFile(file, text, { mode: 0o644 });
    },
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** A small sound graph: MLLP in, MLLP out, one handler. */
export function graphText(
  { port, partnerPort = 6661 }: { port: number; partnerPort?: number },
): string {
  return `import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
const partner = outbound("OB_PARTNER", mllp({ host: "127.0.0.1", port: ${partnerPort} }));
const forward = handler("forward", (message) => send(partner, message));
const route = router("route", (message) => message.messageCode === "ADT" ? forward : null);
inbound("IB_ADT", mllp({ port: ${port} }), { router: route });
`;
}
