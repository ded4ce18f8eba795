/**
 * Starts the engine on a bundle made for one profile.
 *
 * Upstream: `target.ts`. Downstream: the engine process, its `/health` and its `/stats`. The
 * bundle's text comes from `engine_bundle.ts`; the command line stands here and nowhere else.
 */
import { fileURLToPath } from "node:url";
import { fixedFlags } from "../src/cli/serve/permission_set.ts";
import { signIn } from "./api_session.ts";
import { Child } from "./child.ts";
import { bundleFiles } from "./engine_bundle.ts";
import type { StoreTotals, Target, TargetOptions } from "./target.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

const START_LIMIT_MS = 120_000;
const REQUEST_LIMIT_MS = 10_000;
const POLL_MS = 100;

/** Starts the engine and waits until it is healthy and listens. @throws {Error} when it is not. */
export async function startEngine(options: TargetOptions): Promise<Target> {
  const { directory, inboundPorts, apiPort, profile } = options;
  for (const [name, text] of Object.entries(bundleFiles(options))) {
    const path = `${directory}/${name}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(path, text);
  }
  const child = new Child({ ...engineCommand(options), name: "engine", isMute: true });
  try {
    await waitFor(child, () => isHealthy(apiPort));
    // Listeners are bound in no particular order; the sender is stopped by the first missing one.
    for (const port of inboundPorts) await waitFor(child, () => accepts(port));
  } catch (error) {
    await child.stop();
    throw error;
  }
  const token = profile.apiCallsPerSecond > 0 ? await signIn(apiPort, directory) : undefined;
  return {
    token,
    pid: child.pid,
    get hasEnded() {
      return child.hasEnded;
    },
    get errors() {
      return child.errors;
    },
    stats: () => readTotals(apiPort, token),
    [Symbol.asyncDispose]: () => child.stop(),
  };
}

/** The command line of `serve`, but for its grants: one directory, loopback, `MEFOR_*`. */
function engineCommand({ directory, isEncrypted }: TargetOptions) {
  return {
    flags: [
      ...fixedFlags,
      "--allow-net=127.0.0.1",
      `--allow-read=${root},${directory}`,
      `--allow-write=${directory}`,
      "--allow-env=MEFOR_*",
      "--ignore-env",
    ],
    module: `${root}main.ts`,
    args: [
      "serve",
      "--engine",
      ...["--config", directory],
      ...["--service-config", `${directory}/messagefoundry.toml`],
      ...["--env", "dev"],
    ],
    cwd: directory,
    env: isEncrypted ? { MEFOR_STORE_ENCRYPTION_KEY: newKey() } : undefined,
  };
}

/** Of one run; its store goes with it. */
function newKey(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toBase64();
}

async function waitFor(child: Child, isTrue: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + START_LIMIT_MS;
  while (!await isTrue()) {
    if (child.hasEnded) throw new Error(`The engine ended at start: ${child.errors}`);
    if (performance.now() > deadline) {
      throw new Error(`The engine did not start in ${START_LIMIT_MS} ms: ${child.errors}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function isHealthy(apiPort: number): Promise<boolean> {
  try {
    const response = await request(apiPort, "/health");
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}

async function accepts(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}

/** Reads the store's counters; undefined when this engine does not report them. */
async function readTotals(
  apiPort: number,
  token: string | undefined,
): Promise<StoreTotals | undefined> {
  const response = await request(apiPort, "/stats", token);
  const { diagnostics } = await response.json();
  const { commits, statements, fsyncs } = diagnostics ?? {};
  const isComplete = [commits, statements, fsyncs].every((total) => typeof total === "number");
  return isComplete ? { commits, statements, fsyncs } : undefined;
}

function request(apiPort: number, path: string, token?: string): Promise<Response> {
  const signal = AbortSignal.timeout(REQUEST_LIMIT_MS);
  const headers = token === undefined ? undefined : { authorization: `Bearer ${token}` };
  return fetch(`http://127.0.0.1:${apiPort}${path}`, { headers, signal });
}
