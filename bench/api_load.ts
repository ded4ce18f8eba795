/**
 * Asks the API while messages flow: a fixed mix of reads at a fixed rate, on a few kept connections.
 *
 * Upstream: `run.ts`. Downstream: the engine's API, asked by `h2load` of nghttp2. Who asks shares the
 * machine with the engine, and a program in C costs it a fifth of what one of this runtime does.
 * Several of them run at once, each at another place of the mix.
 */
import { percentile } from "./reconcile.ts";

export interface ApiLoadOptions {
  readonly port: number;
  readonly token: string;
  readonly ratePerSecond: number;
  /** Takes the files of the run. */
  readonly directory: string;
}

export interface ApiCalls {
  readonly asked: number;
  /** Answered otherwise than 200, or not at all. */
  readonly refused: number;
  readonly callsPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** What a console asks: mostly lists, then what was found in them, then figures. */
const MIX = [
  ...["/messages?limit=50", "MESSAGE", "/connections", "/messages?limit=50", "MESSAGE"],
  ...["/stats", "/messages?status=error", "/messages?limit=50&offset=500", "/dead-letters"],
  ...["/messages?channel_id=IB_1", "/status", "/events", "/alerts/active"],
] as const;

/** Kept connections of each program; there is one program for each place of the mix. */
const CONNECTIONS_EACH = 2;
const ANSWER_LIMIT_MS = 10_000;

/** @throws {Error} naming the package, when `h2load` is missing. */
export async function requireApiLoad(): Promise<void> {
  try {
    await new Deno.Command("h2load", { args: ["--version"], stdout: "null" }).output();
  } catch (cause) {
    throw new Error("Cannot ask the API: h2load is missing (Debian's package nghttp2-client)", {
      cause,
    });
  }
}

/**
 * Asks for so many seconds.
 *
 * @throws {Error} when a program fails or does not end.
 */
export async function callApi(options: ApiLoadOptions, seconds: number): Promise<ApiCalls> {
  const paths = await mixOf(options);
  const each = Math.max(
    CONNECTIONS_EACH,
    Math.round(options.ratePerSecond * seconds / paths.length),
  );
  const logs = await Promise.all(
    paths.map((_, at) => runOne(options, { paths: turned(paths, at), count: each, at, seconds })),
  );
  const calls = logs.flat();
  const latencies = Float64Array.from(calls, ({ tookMs }) => tookMs).sort();
  const startedMs = calls.reduce((first, { atMs }) => Math.min(first, atMs), Infinity);
  const endedMs = calls.reduce((last, { atMs, tookMs }) => Math.max(last, atMs + tookMs), 0);
  const asked = each * paths.length;
  const [p50Ms, p99Ms] = [percentile(latencies, 0.5), percentile(latencies, 0.99)];
  if (p50Ms === undefined || p99Ms === undefined) {
    throw new Error("No read of the API was answered");
  }
  return {
    asked,
    refused: asked - calls.filter(({ status }) => status === 200).length,
    callsPerSecond: calls.length * 1000 / (endedMs - startedMs),
    p50Ms,
    p99Ms,
  };
}

/** The mix with a message that a list shows in the place of `MESSAGE`. */
async function mixOf({ port, token }: ApiLoadOptions): Promise<readonly string[]> {
  const response = await fetch(`http://127.0.0.1:${port}/messages?limit=1`, {
    headers: { authorization: `Bearer ${token}` },
    signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
  });
  const { messages } = await response.json() as { messages: readonly { id: string }[] };
  const id = messages[0]?.id;
  const message = id === undefined ? "/messages?limit=1" : `/messages/${id}`;
  return MIX.map((path) => path === "MESSAGE" ? message : path);
}

interface Call {
  /** Since the epoch. */
  readonly atMs: number;
  readonly status: number;
  readonly tookMs: number;
}

interface Share {
  readonly paths: readonly string[];
  readonly count: number;
  readonly at: number;
  readonly seconds: number;
}

async function runOne(
  { port, token, ratePerSecond, directory }: ApiLoadOptions,
  { paths, count, at, seconds }: Share,
): Promise<readonly Call[]> {
  const perConnection = ratePerSecond / (paths.length * CONNECTIONS_EACH);
  const [uris, log] = [`${directory}/api_${at}.uris`, `${directory}/api_${at}.log`];
  await Deno.writeTextFile(
    uris,
    paths.map((path) => `http://127.0.0.1:${port}${path}\n`).join(""),
  );
  await Deno.remove(log).catch(() => {});
  // A moment after each other, as people are, and the connections of each as well.
  const apartMs = Math.round(1000 / (perConnection * CONNECTIONS_EACH));
  await new Promise((resolve) => setTimeout(resolve, at * apartMs / paths.length));
  const { success, stderr, stdout } = await new Deno.Command("h2load", {
    args: [
      ...["--h1", `--input-file=${uris}`, `--log-file=${log}`],
      ...[`--requests=${count}`, `--clients=${CONNECTIONS_EACH}`, `--rps=${perConnection}`],
      ...["--rate=1", `--rate-period=${apartMs}ms`],
      ...[`--header=authorization: Bearer ${token}`],
    ],
    signal: AbortSignal.timeout(seconds * 1000 + ANSWER_LIMIT_MS),
  }).output();
  const said = new TextDecoder();
  if (!success) throw new Error(`h2load failed: ${said.decode(stderr)}${said.decode(stdout)}`);
  return readCalls(await Deno.readTextFile(log));
}

/** Reads what `h2load` logged: microseconds since the epoch, status, microseconds it took. */
function readCalls(log: string): readonly Call[] {
  return log.split("\n").filter((line) => line !== "").map((line) => {
    const [at, status, took] = line.split("\t").map(Number);
    return { atMs: at! / 1000, status: status!, tookMs: took! / 1000 };
  });
}

function turned<T>(items: readonly T[], by: number): readonly T[] {
  return [...items.slice(by), ...items.slice(0, by)];
}
