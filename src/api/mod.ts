/**
 * The HTTP API: reads for dashboards, and the acts of `operations/`, each for whom it is meant.
 *
 * Upstream: consoles, editors, scrapers, load balancers. Downstream: `operations/` and the engine's
 * handles. The wire contract is spec api; the routes stand in the files named by what they are about.
 * Not here: what an act means (`operations/`), who somebody is (`auth/`), and pages (`console/`).
 */
import type { Engine } from "../engine.ts";
import { EngineError } from "../errors.ts";
import { plainHost } from "../settings/mod.ts";
import { createApp } from "./app.ts";
import { isLoopbackName } from "./guards.ts";
import { jsonAnswer } from "./refusal.ts";

export interface RunningApi extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

export interface ApiOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
}

/** How long answers under way are waited for at the end. */
const STOP_GRACE_MS = 5_000;

/**
 * Serves the API until it is disposed.
 *
 * @throws {EngineError} `api.not_loopback`, `api.bind_in_use`, `api.bind_denied`,
 * `api.bind_unavailable` or `api.bind_failed`.
 */
export function startApi(engine: Engine, options: ApiOptions): Promise<RunningApi> {
  const { host } = options;
  if (engine.auth === undefined && !isLoopbackName(host)) {
    return Promise.reject(
      new EngineError(
        "api.not_loopback",
        `Cannot serve the API on "${host}" with [auth] enabled = false`,
        { hint: 'Set [api] host = "127.0.0.1"' },
      ),
    );
  }
  const answer = createApp({ engine }, host);
  try {
    const hostname = plainHost(host);
    const abort = new AbortController();
    const server = Deno.serve({
      hostname,
      port: options.port,
      signal: abort.signal,
      onListen: () => {},
      onError: () => jsonAnswer(500, "internal error"),
    }, (request, { remoteAddr }) => answer(request, remoteAddr.hostname));
    return Promise.resolve(new Serving(server, { host, abort }));
  } catch (cause) {
    return Promise.reject(bindError(options, cause));
  }
}

class Serving implements RunningApi {
  readonly host: string;
  readonly port: number;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #abort: AbortController;

  constructor(
    server: Deno.HttpServer<Deno.NetAddr>,
    { host, abort }: { host: string; abort: AbortController },
  ) {
    this.host = host;
    this.port = server.addr.port;
    this.#server = server;
    this.#abort = abort;
  }

  /** Takes no new request, lets answers under way end within the grace, closes the rest. */
  async [Symbol.asyncDispose](): Promise<void> {
    const timer = setTimeout(() => this.#abort.abort(), STOP_GRACE_MS);
    await this.#server.shutdown();
    await this.#server.finished;
    clearTimeout(timer);
  }
}

function bindError({ host, port }: ApiOptions, cause: unknown): EngineError {
  const address = `${host}:${port}`;
  if (cause instanceof Deno.errors.AddrInUse) {
    return new EngineError("api.bind_in_use", `Cannot serve the API on "${address}": in use`, {
      cause,
      hint: "Stop the program that listens there, or set another [api] port",
    });
  }
  if (cause instanceof Deno.errors.AddrNotAvailable) {
    return new EngineError(
      "api.bind_unavailable",
      `Cannot serve the API on "${address}": this machine has no such address`,
      { cause, hint: 'Set [api] host = "127.0.0.1"' },
    );
  }
  if (cause instanceof Deno.errors.NotCapable || cause instanceof Deno.errors.PermissionDenied) {
    return new EngineError(
      "api.bind_denied",
      `Cannot serve the API on "${address}": the process has no permission for it`,
      { cause, hint: `Start the engine with --allow-net=${address}, or take a port above 1023` },
    );
  }
  return new EngineError("api.bind_failed", `Cannot serve the API on "${address}"`, { cause });
}
