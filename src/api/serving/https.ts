/**
 * Serves HTTPS: TLS 1.2 or 1.3, client certificates, and certificates that change while it runs.
 *
 * `node:https`, for the runtime's own server knows neither client certificates nor reloads. Strangers
 * reach this port before anybody has signed in, so whatever they could hold on to has a limit here.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import https from "node:https";
import type net from "node:net";
import type { Duplex } from "node:stream";
import type tls from "node:tls";
import { getRequestListener, type HttpBindings } from "@hono/node-server";
import type { Clock } from "../../clock.ts";
import type { Logger } from "../../logging/mod.ts";
import type { Answer } from "../arrival.ts";
import { bareHeaders } from "../headers.ts";
import { jsonAnswer } from "../refusal.ts";
import { type ListenAt, type Listening, STOP_GRACE_MS } from "./listening.ts";
import { type ApiTls, type TlsMaterial, TlsReload } from "./tls_reload.ts";
import { Upgrades } from "./upgrades.ts";

export interface HttpsLimits {
  /** A TLS handshake. */
  readonly handshakeMs: number;
  /** From the first byte to the end of the headers; also an open connection that asks nothing. */
  readonly headersMs: number;
  /** A whole request with its body. */
  readonly requestMs: number;
  /** A connection between two requests. */
  readonly keepAliveMs: number;
  /** An answer of which the client takes nothing. */
  readonly idleMs: number;
  readonly connectionsMax: number;
}

/** Names and values together. */
const HEADER_BYTES_MAX = 16_384;
/** The plain server's limit too; reading them costs the square of their number. */
const HEADERS_MAX = 100;
/** How often the limits are looked at. */
const CHECK_MS = 1_000;

export const httpsLimits: HttpsLimits = {
  handshakeMs: 10_000,
  headersMs: 10_000,
  requestMs: 30_000,
  keepAliveMs: 30_000,
  idleMs: 60_000,
  connectionsMax: 256,
};

export interface HttpsOptions extends ListenAt {
  readonly tls: ApiTls;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly limits?: HttpsLimits;
  /** How often the certificate files are looked at, milliseconds. */
  readonly lookMs?: number;
}

/** @throws what `Deno.listen` throws, and what `tls.load()` throws. */
export async function serveHttps(answer: Answer, options: HttpsOptions): Promise<Listening> {
  const server = new HttpsListening(answer, options);
  await server.listen(options);
  return server;
}

interface Connection {
  readonly peer: string;
  /** Requests under way; one that became a WebSocket never ends. */
  requests: number;
}

class HttpsListening implements Listening {
  readonly #server: https.Server;
  readonly #logger: Logger;
  readonly #reload: TlsReload;
  readonly #upgrades: Upgrades;
  /** By the socket below TLS. */
  readonly #open = new Map<net.Socket, Connection>();
  #port = 0;
  #isStopping = false;
  readonly #tls: ApiTls;
  readonly #lookMs: number | undefined;
  /** Undefined while clients need no certificate. */
  #clients: ReturnType<ApiTls["clientsOf"]> | undefined;

  constructor(answer: Answer, { tls, logger, clock, limits = httpsLimits, lookMs }: HttpsOptions) {
    this.#tls = tls;
    this.#lookMs = lookMs;
    this.#logger = logger;
    this.#upgrades = new Upgrades(answer);
    this.#reload = new TlsReload(tls, { logger, clock });
    const server = https.createServer({
      ...this.#contextOf(this.#reload.load()),
      handshakeTimeout: limits.handshakeMs,
      headersTimeout: limits.headersMs,
      requestTimeout: limits.requestMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: Math.min(CHECK_MS, limits.headersMs),
      maxHeaderSize: HEADER_BYTES_MAX,
    } as https.ServerOptions, listener(answer, limits));
    this.#server = server;
    // What is over the limit is dropped, not refused: one more shows that there were more.
    server.maxHeadersCount = HEADERS_MAX + 1;
    server.maxConnections = limits.connectionsMax;
    this.#watchConnections();
  }

  #contextOf({ cert, key, ca }: TlsMaterial): tls.TlsOptions {
    const { minVersion, clientsOf } = this.#tls;
    this.#clients = ca === undefined ? undefined : clientsOf(ca);
    return {
      cert,
      key,
      minVersion: minVersion === "1.3" ? "TLSv1.3" : "TLSv1.2",
      ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }),
    };
  }

  get port(): number {
    return this.#port;
  }

  async listen({ hostname, port }: ListenAt): Promise<void> {
    // Bound for a moment by the runtime's own call: it finds the address of a name, and a refusal
    // is thrown here instead of out of reach of every handler.
    const probe = Deno.listen({ hostname, port });
    const { hostname: host } = probe.addr;
    probe.close();
    requirePermission(host, port);
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port }, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    this.#port = (this.#server.address() as net.AddressInfo).port;
    // Out of descriptors, for one: the listener goes on, and without this the process would not.
    this.#server.on("error", (error: Error & { code?: string }) => {
      this.#logger.error("api.accept_failed", { reason: error.code ?? error.name });
    });
    this.#reload.follow(
      (material) => this.#server.setSecureContext(this.#contextOf(material)),
      this.#lookMs,
    );
  }

  #watchConnections(): void {
    const server = this.#server;
    server.on("connection", (socket: net.Socket) => {
      this.#open.set(socket, { peer: socket.remoteAddress ?? "", requests: 0 });
      socket.once("close", () => this.#open.delete(socket));
      if (this.#isStopping) socket.destroy();
    });
    // Before the parser is given the connection.
    server.prependListener("secureConnection", (secured: tls.TLSSocket) => {
      if (this.#clients === undefined || this.#clients.admits(secured)) return;
      const client = secured.remoteAddress;
      this.#logger.warning("api.tls_failed", { client, reason: "resumed without a certificate" });
      secured.destroy();
    });
    server.on("tlsClientError", (error: Error & { code?: string }, secured: tls.TLSSocket) => {
      const below = belowTls(secured);
      const client = secured.remoteAddress ?? (below && this.#open.get(below)?.peer);
      this.#logger.warning("api.tls_failed", { client, reason: error.code ?? error.message });
      below?.destroy();
      secured.destroy();
    });
    server.on("clientError", (error: Error & { code?: string }, socket: Duplex) => {
      answerBytes(error.code, socket);
    });
    server.on("upgrade", (incoming: IncomingMessage, socket: Duplex, head: Uint8Array) => {
      this.#count(incoming.socket, 1);
      void this.#upgrades.take(incoming, { socket, head });
    });
    server.on("request", ({ socket }: IncomingMessage, outgoing: ServerResponse) => {
      this.#count(socket, 1);
      outgoing.once("close", () => this.#count(socket, -1));
    });
  }

  #count(secured: net.Socket, requests: number): void {
    const connection = this.#open.get(belowTls(secured) ?? secured);
    if (connection) connection.requests += requests;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    this.#reload[Symbol.dispose]();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const [socket, { requests }] of this.#open) if (requests === 0) socket.destroy();
    this.#upgrades.close();
    const timer = setTimeout(() => {
      for (const socket of this.#open.keys()) socket.destroy();
    }, STOP_GRACE_MS);
    await closed;
    clearTimeout(timer);
  }
}

function listener(answer: Answer, { idleMs }: HttpsLimits) {
  const respond = async (request: Request, { incoming }: HttpBindings) => {
    if (incoming.rawHeaders.length > 2 * HEADERS_MAX) return bareAnswer(431, "Too many headers");
    const response = await answer(request, {
      peer: incoming.socket.remoteAddress ?? "",
      isTls: true,
      upgrade: () => {
        throw new TypeError("The request asks for no WebSocket");
      },
    });
    // Not before: some acts take minutes. From here on the client must take what it asked for.
    incoming.socket.setTimeout(idleMs);
    return response;
  };
  return getRequestListener(respond as Parameters<typeof getRequestListener>[0], {
    // HTTP/1.0 needs no Host.
    hostname: "localhost",
    overrideGlobalObjects: false,
    errorHandler: () => bareAnswer(400, "The request cannot be read"),
  });
}

function bareAnswer(status: number, detail: string): Response {
  return jsonAnswer(status, detail, Object.fromEntries(bareHeaders()));
}

/** Answers what the parser took for no request, or gave up waiting for. */
function answerBytes(code: string | undefined, socket: Duplex): void {
  const status = code === "ERR_HTTP_REQUEST_TIMEOUT"
    ? "408 Request Timeout"
    : code === "HPE_HEADER_OVERFLOW"
    ? "431 Request Header Fields Too Large"
    : code?.startsWith("HPE_")
    ? "400 Bad Request"
    : undefined;
  socket.on("error", () => {});
  if (status === undefined || !socket.writable) return void socket.destroy();
  const headers = [...bareHeaders(), ["content-length", "0"], ["connection", "close"]];
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  socket.end(`HTTP/1.1 ${status}\r\n${lines}\r\n`, () => socket.destroy());
}

/** The runtime keeps the socket below TLS in `_parent`, as Node does; nothing else names it. */
function belowTls(secured: net.Socket): net.Socket | undefined {
  return (secured as unknown as { _parent?: net.Socket })._parent;
}

/** A listen the runtime refuses would throw out of reach of every handler. */
function requirePermission(host: string, port: number): void {
  const target = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  if (Deno.permissions.querySync({ name: "net", host: target }).state === "granted") return;
  throw new Deno.errors.NotCapable(`Requires net access to "${target}"`);
}
