/**
 * The `start` profile: the shipped bundle, from the start of its process to its first ACK.
 *
 * Upstream: `main.ts`. Downstream: the program folder as `deno task bundle` lays it out, once with
 * the launcher and once the engine alone, under the flags that the launcher would derive. Starts
 * are taken in turns, each with a store of its own, after one of each that fills the caches.
 */
import { Buffer } from "node:buffer";
import net from "node:net";
import { layOut } from "../tools/bundle.ts";
import { runProgram } from "../tools/bundle/files.ts";
import { bundleFiles } from "./engine_bundle.ts";
import { freePorts, readUsage } from "./machine.ts";
import { frame } from "./mllp.ts";
import { profiles } from "./profiles.ts";
import { percentile } from "./reconcile.ts";

export const START_PROFILE = "start";

/** One line of the start table; without times, `reason` says why. */
export interface StartResult {
  readonly how: "engine alone" | "with launcher";
  readonly starts: number;
  readonly medianMs?: number;
  readonly minMs?: number;
  readonly maxMs?: number;
  /** User and system time of all processes up to the ACK; the median. */
  readonly cpuSeconds?: number;
  readonly reason?: string;
}

interface Start {
  readonly ms: number;
  readonly cpuSeconds: number;
}

interface Site {
  readonly program: string;
  readonly directory: string;
  readonly port: number;
}

/** Unless `--repeat` says otherwise. */
const STARTS = 7;
const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 30_000;
const RETRY_MS = 1;

const MESSAGE = "MSH|^~\\&|BENCH|MFHOSP|BENCH|ENGINE|20260101000000||ADT^A01|START1|P|2.5.1\r" +
  "EVN|A01|20260101000000\rPID|1||4711\rPV1|1|I\r";

/** Measures both ways to start, in turns. */
export async function runStarts(directory: string, repeat: number): Promise<StartResult[]> {
  const starts = repeat > 1 ? repeat : STARTS;
  const place = await Deno.makeTempDir({ dir: directory, prefix: "start-" });
  try {
    const site = await makeSite(place);
    const ways = [["engine alone", engineAlone], ["with launcher", withLauncher]] as const;
    const results = ways.map(([how, command]) => ({ how, command, measured: [] as Start[] }));
    for (let turn = 0; turn <= starts; turn++) {
      console.error(`${START_PROFILE} ${turn}/${starts}`);
      for (const { how, command, measured } of results) {
        const start = await measure(await command(site), { site, turn: `${how} ${turn}` });
        if (turn > 0) measured.push(start);
      }
    }
    return results.map(({ how, measured }) => ({ how, ...summary(measured) }));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [{ how: "engine alone", starts: 0, reason }];
  } finally {
    await Deno.remove(place, { recursive: true });
  }
}

async function makeSite(place: string): Promise<Site> {
  const program = await layOut(place);
  const directory = `${place}/site`;
  const profile = profiles.find(({ name }) => name === "lanes-8") ?? profiles[0]!;
  const [apiPort = 0, ...ports] = freePorts(1 + profile.sources + profile.lanes);
  const files = bundleFiles({
    profile,
    directory,
    inboundPorts: ports.slice(0, profile.sources),
    // Nobody is there: an ACK says that a message is stored, and waits for no partner.
    lanePorts: ports.slice(profile.sources),
    apiPort,
    synchronous: "full",
    storeLines: undefined,
  });
  for (const [name, text] of Object.entries(files)) {
    const path = `${directory}/${name}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(path, text);
  }
  return { program, directory, port: ports[0]! };
}

function anchor({ directory }: Site): readonly string[] {
  return ["--project-root", directory, "--env", "dev"];
}

function withLauncher(site: Site): Promise<readonly string[]> {
  return Promise.resolve([`${site.program}/messagefoundry`, "serve", ...anchor(site)]);
}

async function engineAlone(site: Site): Promise<readonly string[]> {
  const { program } = site;
  const args = ["permissions", ...anchor(site), "--format", "json"];
  const { flags } = JSON.parse(
    await runProgram(`${program}/messagefoundry`, args, { cwd: site.directory }),
  );
  const main = [`${program}/engine/main.js`, "serve", "--engine"];
  return [`${program}/runtime/deno`, "run", "--quiet", ...flags, ...main, ...anchor(site)];
}

/** Starts, sends one message as soon as somebody listens, stops again. */
async function measure(
  [program = "", ...args]: readonly string[],
  { site, turn }: { readonly site: Site; readonly turn: string },
): Promise<Start> {
  await removeStore(site);
  const from = performance.now();
  const child = new Deno.Command(program, {
    args,
    cwd: site.directory,
    env: { DENO_DIR: `${site.program}/cache`, DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const said = new Response(child.stderr).text();
  let hasEnded = false;
  child.status.then(() => hasEnded = true);
  try {
    await firstAcknowledgement(site.port, () => hasEnded);
    const ms = performance.now() - from;
    return { ms, cpuSeconds: readUsage(child.pid).cpuSeconds };
  } catch (cause) {
    child.kill("SIGTERM");
    throw new Error(`Cannot start ${turn}: ${(await said).slice(-500)}`, { cause });
  } finally {
    if (!hasEnded) child.kill("SIGTERM");
    const insist = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
    await child.status;
    clearTimeout(insist);
    await said;
  }
}

async function firstAcknowledgement(port: number, hasEnded: () => boolean): Promise<void> {
  const deadline = performance.now() + START_LIMIT_MS;
  while (!await isAcknowledged(port)) {
    if (hasEnded()) throw new Error("The process has ended");
    if (performance.now() > deadline) throw new Error(`No ACK within ${START_LIMIT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
}

/** False while nobody listens. */
async function isAcknowledged(port: number): Promise<boolean> {
  const socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
  try {
    return await new Promise((resolve, reject) => {
      let reply = "";
      socket.on("error", () => resolve(false));
      socket.on("connect", () => socket.write(frame(Buffer.from(MESSAGE, "latin1"))));
      socket.on("data", (bytes) => {
        reply += bytes.toString("latin1");
        if (!reply.includes("\x1c\r")) return;
        if (reply.includes("\rMSA|AA|START1")) resolve(true);
        else reject(new Error("The first message was not accepted"));
      });
      socket.on("close", () => resolve(false));
    });
  } finally {
    socket.destroy();
  }
}

async function removeStore({ directory }: Site): Promise<void> {
  for await (const { name } of Deno.readDir(directory)) {
    if (name.startsWith("messagefoundry.db")) await Deno.remove(`${directory}/${name}`);
  }
}

function summary(starts: readonly Start[]): Omit<StartResult, "how"> {
  const ms = Float64Array.from(starts, (start) => start.ms).sort();
  const cpu = Float64Array.from(starts, ({ cpuSeconds }) => cpuSeconds).sort();
  return {
    starts: starts.length,
    medianMs: percentile(ms, 0.5),
    minMs: ms[0],
    maxMs: ms.at(-1),
    cpuSeconds: percentile(cpu, 0.5),
  };
}
