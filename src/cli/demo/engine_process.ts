/**
 * The engine as an operator runs it: a process of its own under the permissions that `serve`
 * derives from settings and graph, and under no other.
 */
import { fileURLToPath } from "node:url";
import { type Anchor, findAnchor } from "../anchor.ts";
import { CommandFailure } from "../failure.ts";
import { deriveForInstance } from "../serve/instance.ts";
import { flagsOf } from "../serve/permission_set.ts";
import type { DataFolder } from "./data_folder.ts";
import type { DemoPorts } from "./ports.ts";

/** Settings, bundle and variables of the demo's instance. */
export interface DemoInstance {
  readonly anchor: Anchor;
  readonly args: readonly string[];
  /** Variables the engine gets beside those of this process. */
  readonly variables: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
}

const START_MS = 60_000;
const POLL_MS = 50;
const STOP_MS = 20_000;
const LOG_TAIL_LINES = 8;

/** Anchors the shipped bundle to the demo's ports and folder. */
export async function demoInstance(
  { folder, ports, env }: {
    folder: DataFolder;
    ports: DemoPorts;
    env: Readonly<Record<string, string>>;
  },
): Promise<DemoInstance> {
  const variables = {
    MEFOR_VALUE_ADT_PORT: String(ports.adt),
    MEFOR_VALUE_ORU_PORT: String(ports.oru),
    MEFOR_VALUE_ORM_PORT: String(ports.orm),
    MEFOR_VALUE_EHR_HOST: "127.0.0.1",
    MEFOR_VALUE_EHR_PORT: String(ports.ehr),
    MEFOR_VALUE_LAB_HOST: "127.0.0.1",
    MEFOR_VALUE_LAB_PORT: String(ports.lab),
    MEFOR_VALUE_ARCHIVE_DIR: folder.archive,
    MEFOR_VALUE_RESEARCH_DIR: folder.research,
    // Nobody signs in to the demo: it lives on loopback, in a folder of its own, with no real data.
    MEFOR_AUTH_ENABLED: "false",
    MEFOR_EGRESS_DENY_BY_DEFAULT: "true",
    MEFOR_EGRESS_ALLOWED_MLLP: `127.0.0.1:${ports.ehr},127.0.0.1:${ports.lab}`,
    MEFOR_EGRESS_ALLOWED_FILE_DIRS: folder.dir,
    // A checkout under umask 002 is writable by its group; the demo handles nobody's data.
    MEFOR_ALLOW_INSECURE_CONFIG_SOURCE: "1",
  };
  const whole = { ...env, ...variables };
  const given = { db: folder.store, host: "127.0.0.1", port: String(ports.api) };
  const anchor = await findAnchor({
    options: { config: ".", env: "dev" },
    env: whole,
    flags: { "store.path": given.db, "api.host": given.host, "api.port": given.port },
  });
  const args = Object.entries(given).flatMap(([name, value]) => [`--${name}`, value]);
  return { anchor, args: ["--env", "dev", ...args], variables, env: whole };
}

export class EngineProcess implements AsyncDisposable {
  readonly apiUrl: string;
  /** The runtime's flags the engine runs under. */
  readonly flags: readonly string[];
  readonly #child: Deno.ChildProcess;
  readonly #logging: Promise<void>;
  readonly #log: string;
  #status: Deno.CommandStatus | undefined;

  private constructor(child: Deno.ChildProcess, options: {
    apiUrl: string;
    flags: readonly string[];
    log: string;
  }) {
    this.#child = child;
    this.apiUrl = options.apiUrl;
    this.flags = options.flags;
    this.#log = options.log;
    this.#logging = writeLog(child, options.log);
    void child.status.then((status) => this.#status = status);
  }

  /**
   * Starts the engine; resolves once it takes messages.
   *
   * @throws {CommandFailure} when it ends or stays silent; the end of its log says why.
   */
  static async start(
    { anchor, args, variables, env }: DemoInstance,
    { log, api }: { log: string; api: number },
  ): Promise<EngineProcess> {
    const { grants } = await deriveForInstance(anchor, { env, allowInsecureBind: false });
    const flags = flagsOf(grants);
    const main = `${fileURLToPath(new URL("../../../", import.meta.url))}main.ts`;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", ...flags, main, "serve", "--engine", ...args],
      env: { ...variables },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const engine = new EngineProcess(child, { apiUrl: `http://127.0.0.1:${api}`, flags, log });
    try {
      await engine.#ready();
      return engine;
    } catch (thrown) {
      await engine[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  /** True once the process is gone. */
  get hasEnded(): boolean {
    return this.#status !== undefined;
  }

  /** The last lines of the engine's log. */
  async logTail(): Promise<string> {
    const text = await Deno.readTextFile(this.#log);
    return text.trimEnd().split("\n").slice(-LOG_TAIL_LINES).join("\n");
  }

  /** Asks for a clean stop; after 20 seconds it is ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    const timer = setTimeout(() => this.#signal("SIGKILL"), STOP_MS);
    this.#signal("SIGTERM");
    await this.#child.status;
    clearTimeout(timer);
    await this.#logging;
  }

  #signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It ended before.
    }
  }

  async #ready(): Promise<void> {
    const deadline = performance.now() + START_MS;
    while (!await this.#isHealthy()) {
      if (this.#status === undefined && performance.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
        continue;
      }
      const how = this.#status === undefined
        ? `did not answer within ${START_MS / 1000} seconds`
        : `ended with exit code ${this.#status.code}`;
      if (this.#status !== undefined) await this.#logging;
      throw new CommandFailure(`The engine ${how}:\n${await this.logTail()}`, {
        hint: `Its whole log is "${this.#log}"`,
      });
    }
  }

  async #isHealthy(): Promise<boolean> {
    try {
      const response = await fetch(`${this.apiUrl}/health`, { signal: AbortSignal.timeout(2_000) });
      await response.body?.cancel();
      return response.ok;
    } catch {
      return false;
    }
  }
}

/** Copies what the engine prints into one file, until it has ended. */
async function writeLog(child: Deno.ChildProcess, path: string): Promise<void> {
  using file = await Deno.open(path, { create: true, append: true });
  const copy = async (stream: ReadableStream<Uint8Array>) => {
    for await (const bytes of stream) {
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
    }
  };
  await Promise.all([copy(child.stdout), copy(child.stderr)]);
}
