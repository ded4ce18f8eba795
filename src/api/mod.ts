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
import type { Listening } from "./serving/listening.ts";
import { servePlain } from "./serving/plain.ts";
import type { ApiTls } from "./serving/tls_reload.ts";

export type { ApiTls, TlsMaterial } from "./serving/tls_reload.ts";

export interface RunningApi extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
}

export interface ApiOptions {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** Undefined serves plain HTTP. */
  readonly tls?: ApiTls;
}

/**
 * Serves the API until it is disposed.
 *
 * @throws {EngineError} `api.not_loopback`, `api.bind_in_use`, `api.bind_denied`,
 * `api.bind_unavailable` or `api.bind_failed`; what `tls.load()` throws.
 */
export async function startApi(engine: Engine, options: ApiOptions): Promise<RunningApi> {
  const { host, port, tls } = options;
  if (engine.auth === undefined && !isLoopbackName(host)) {
    throw new EngineError(
      "api.not_loopback",
      `Cannot serve the API on "${host}" with [auth] enabled = false`,
      { hint: 'Set [api] host = "127.0.0.1"' },
    );
  }
  const answer = createApp({ engine }, host);
  const hostname = plainHost(host);
  try {
    if (tls === undefined) return new Serving(host, servePlain(answer, { hostname, port }));
    // Most instances serve plain HTTP and need none of it.
    const { serveHttps } = await import("./serving/https.ts");
    const { logger, clock } = engine;
    return new Serving(host, await serveHttps(answer, { hostname, port, tls, logger, clock }));
  } catch (cause) {
    throw cause instanceof EngineError ? cause : bindError(options, cause);
  }
}

class Serving implements RunningApi {
  readonly host: string;
  readonly port: number;
  readonly #listening: Listening;

  constructor(host: string, listening: Listening) {
    this.host = host;
    this.port = listening.port;
    this.#listening = listening;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#listening[Symbol.asyncDispose]();
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
