/** One engine of a cluster as a process of its own: the real command, ended by its handle. */
import { fileURLToPath } from "node:url";
import { sandboxV8Flags } from "../../src/sandbox/v8_flags.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const READY_MS = 40_000;

export interface NodeProcessOptions {
  readonly name: string;
  readonly bundleDir: string;
  readonly settingsFile: string;
  /** Where it may write. */
  readonly storeDir: string;
  readonly apiHost: string;
  readonly apiPort: number;
  /** What `--allow-net` grants. */
  readonly net: readonly string[];
  /** What precedes the program on the command line; it becomes the program. */
  readonly command?: readonly string[];
  /** Beside what every node is given. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ctrl-C in a terminal is for whoever started it, who ends it in turn. */
  readonly isDetached?: boolean;
}

/** What a node says of itself for load balancers; undefined: it does not answer. */
export interface Readiness {
  readonly status: number;
  readonly role: string;
}

export class NodeProcess {
  readonly name: string;
  readonly apiPort: number;
  /** A session of its users'; undefined: it asks for none. */
  token: string | undefined;
  /** What it logged, one JSON record each, and when that was read here, milliseconds. */
  readonly log: {
    readonly event: string;
    readonly readAt: number;
    readonly [field: string]: unknown;
  }[] = [];
  readonly errors: string[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #started = Promise.withResolvers<boolean>();
  readonly ended: Promise<Deno.CommandStatus>;
  hasEnded = false;
  isFrozen = false;

  readonly #url: string;

  constructor(options: NodeProcessOptions) {
    const { name, bundleDir, storeDir, settingsFile, apiHost, apiPort } = options;
    const { net, command = [], env, isDetached = false } = options;
    this.name = name;
    this.apiPort = apiPort;
    this.#url = `http://${apiHost}:${apiPort}`;
    const [program, ...words] = [...command, Deno.execPath()];
    this.#child = new Deno.Command(program!, {
      args: [
        ...words,
        ...["run", "--no-prompt", "--cached-only", "--frozen", "--ignore-env"],
        `--allow-net=${net.join(",")}`,
        `--allow-read=${root},${bundleDir},${storeDir}`,
        `--allow-write=${storeDir}`,
        "--allow-env=MEFOR_*",
        `--v8-flags=${sandboxV8Flags.join(",")}`,
        `${root}main.ts`,
        ...["serve", "--engine", "--env", "dev", "--allow-insecure-bind"],
        ...["--config", bundleDir, "--service-config", settingsFile],
      ],
      cwd: root,
      env: { MEFOR_STORE_PASSWORD: "unused", DENO_NO_UPDATE_CHECK: "1", ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      detached: isDetached,
    }).spawn();
    const readers = Promise.all([
      forEachLine(this.#child.stdout, (line) => this.#onLine(line)),
      forEachLine(this.#child.stderr, (line) => this.#onLine(line)),
    ]);
    this.ended = this.#child.status.then(async (status) => {
      await readers;
      this.hasEnded = true;
      this.#started.resolve(false);
      return status;
    });
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Resolves to false when it ended before it served its API. */
  async starts(): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), READY_MS);
    });
    const started = await Promise.race([this.#started.promise, limit]);
    clearTimeout(timer);
    if (started === undefined) throw new Error(`${this.name} did not start: ${this.said}`);
    return started;
  }

  saw(event: string): boolean {
    return this.log.some((record) => record.event === event);
  }

  count(event: string): number {
    return this.log.filter((record) => record.event === event).length;
  }

  /** When it last logged such an event, by `performance.now()`. */
  sawAt(event: string): number | undefined {
    return this.log.findLast((record) => record.event === event)?.readAt;
  }

  /** What it last said, for a failure's sake. */
  get said(): string {
    const last = this.log.slice(-8).map((record) => JSON.stringify(record));
    return [...last, ...this.errors.slice(-8)].join("\n");
  }

  async readiness(ms = 300): Promise<Readiness | undefined> {
    try {
      const answer = await this.get("/ready", ms);
      return { status: answer.status, role: answer.json.role as string };
    } catch {
      return undefined;
    }
  }

  async get(path: string, ms = 2_000): Promise<{ status: number; json: Record<string, unknown> }> {
    return await this.#ask(path, { signal: AbortSignal.timeout(ms) });
  }

  async post(path: string, body: unknown, ms = 5_000) {
    return await this.#ask(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ms),
    });
  }

  /** Nothing when it has ended. */
  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
      if (signal === "SIGSTOP") this.isFrozen = true;
      if (signal === "SIGCONT") this.isFrozen = false;
    } catch {
      // It ended between the look and the signal.
    }
  }

  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }

  /** Stops it in order. */
  async stop(): Promise<void> {
    this.signal("SIGTERM");
    const insist = setTimeout(() => this.signal("SIGKILL"), 30_000);
    await this.ended;
    clearTimeout(insist);
  }

  async #ask(path: string, init: RequestInit) {
    const headers = new Headers(init.headers);
    if (this.token !== undefined) headers.set("authorization", `Bearer ${this.token}`);
    const response = await fetch(`${this.#url}${path}`, { ...init, headers });
    return { status: response.status, json: await response.json() };
  }

  #onLine(line: string): void {
    if (line.startsWith("{")) {
      const { message: event, ...fields } = JSON.parse(line);
      this.log.push({
        ...{ ...fields, text: event, event: String(event).split(" ")[0]! },
        readAt: performance.now(),
      });
      if (line.includes("engine.started")) this.#started.resolve(true);
    } else if (line !== "") {
      this.errors.push(line);
    }
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
    rest = lines.pop()!;
    for (const line of lines) onLine(line);
  }
  if (rest !== "") onLine(rest);
}
