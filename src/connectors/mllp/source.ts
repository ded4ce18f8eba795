/**
 * Listens for partners that send over MLLP.
 *
 * Refuses at accept whoever is not allowed or one too many, gives every other connection to
 * `source_connection.ts`, and sweeps them all with one timer. No reply is made here: intake's is
 * written back as it comes.
 */
import net from "node:net";
import tls from "node:tls";
import { plainAddress } from "../allow_list.ts";
import type {
  ConnectionCounters,
  ConnectionEventKind,
  ConnectorContext,
  Receive,
  Source,
} from "../connector.ts";
import { ConnectionIds, newCounters } from "../counters.ts";
import { ClientCertificates } from "../client_certificates.ts";
import { closeServer, listen } from "../listen.ts";
import type { MllpSourceOptions } from "./options.ts";
import { type PatienceTicks, SourceConnection } from "./source_connection.ts";

/** How long a peer may take over its TLS handshake. */
const handshakeMsMax = 10_000;

/** How long in-flight messages are waited for at a stop. */
const stopMsMax = 5_000;

/** An open frame gets this many times the time-out of one read. */
const openFrameFactor = 10;

/** An accepted socket, below TLS where there is any. */
interface Accepted {
  readonly peer: string | undefined;
  readonly socket: net.Socket;
  connection: SourceConnection | undefined;
  handshakeTimer: ReturnType<typeof setTimeout> | undefined;
  /** Code of the failure that ended the handshake. */
  tlsFailure: string | undefined;
}

export class MllpSource implements Source {
  readonly counters: ConnectionCounters = newCounters();
  readonly #options: MllpSourceOptions;
  readonly #context: ConnectorContext;
  readonly #ids = new ConnectionIds();
  readonly #accepted = new Map<net.Socket, Accepted>();
  /** Outlives `#accepted`: a handshake's failure may be told after its socket has closed. */
  readonly #bySocket = new WeakMap<net.Socket, Accepted>();
  readonly #tickMs: number;
  readonly #patience: PatienceTicks;
  #server: net.Server | undefined;
  #tlsServer: tls.Server | undefined;
  #receive: Receive | undefined;
  #stopping: Promise<void> | undefined;
  #isStopping = false;
  #sweeper: ReturnType<typeof setInterval> | undefined;
  #tick = 0;
  /** Woken whenever a socket goes. */
  #onEmpty: (() => void) | undefined;

  constructor(options: MllpSourceOptions, context: ConnectorContext) {
    this.#options = options;
    this.#context = context;
    const { receiveTimeoutMs } = options;
    this.#tickMs = Math.max(10, Math.min(1_000, receiveTimeoutMs / 8));
    const readTicks = Math.ceil(receiveTimeoutMs / this.#tickMs) + 1;
    this.#patience = { read: readTicks, openFrame: readTicks * openFrameFactor };
  }

  /** The bound port: the one of the settings, or the one the system chose for port 0. */
  get port(): number | undefined {
    return (this.#server?.address() as net.AddressInfo | null | undefined)?.port;
  }

  async start(receive: Receive): Promise<void> {
    await this.#stopping;
    if (this.#server !== undefined) throw new Error(`"${this.#context.name}" has been started`);
    this.#receive = receive;
    this.#isStopping = false;
    this.#tlsServer = this.#options.tls && this.#makeTlsServer(this.#options.tls);
    const server = net.createServer(
      // A partner may close its sending side and still wait for the acknowledgement.
      { noDelay: true, allowHalfOpen: true },
      (socket) => this.#accept(socket),
    );
    this.#server = server;
    try {
      await listen(server, this.#options.address);
    } catch (failure) {
      this.#server = undefined;
      throw failure;
    }
    // Without a listener an error of the server, out of descriptors for one, would end the process.
    server.on("error", (error: Error & { code?: string }) => {
      const fields = { connection: this.#context.name, reason: error.code ?? error.name };
      this.#context.logger?.error("connector.accept_failed", fields);
    });
  }

  stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return this.#stopping ?? Promise.resolve();
    this.#server = undefined;
    this.#stopping = this.#stop(server).finally(() => {
      this.#stopping = undefined;
    });
    return this.#stopping;
  }

  async #stop(server: net.Server): Promise<void> {
    this.#isStopping = true;
    const closed = closeServer(server);
    for (const { connection, socket } of this.#accepted.values()) {
      if (connection === undefined) socket.destroy();
      else connection.stop();
    }
    await this.#allGone(stopMsMax);
    for (const { connection, socket } of this.#accepted.values()) {
      connection?.destroy();
      socket.destroy();
    }
    await closed;
  }

  /** Resolves when the last socket is gone, or after `ms`. */
  async #allGone(ms: number): Promise<void> {
    if (this.#accepted.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#onEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#onEmpty = undefined;
  }

  #accept(socket: net.Socket): void {
    if (this.#isStopping) {
      socket.on("error", () => {});
      socket.destroy();
      return;
    }
    const peer = plainAddress(socket.remoteAddress);
    const refusal = this.#refusal(peer);
    if (refusal !== undefined) {
      this.counters.connectionsRefused++;
      this.#emit(refusal, peer);
      socket.on("error", () => {});
      socket.destroy();
      return;
    }
    const accepted: Accepted = {
      peer,
      socket,
      connection: undefined,
      handshakeTimer: undefined,
      tlsFailure: undefined,
    };
    this.#accepted.set(socket, accepted);
    this.#bySocket.set(socket, accepted);
    this.counters.connectionsOpen++;
    this.#sweeper ??= setInterval(() => this.#sweep(), this.#tickMs);
    socket.on("close", () => this.#gone(accepted));
    if (this.#tlsServer === undefined) {
      this.#establish(accepted, socket);
    } else {
      socket.on("error", () => {});
      accepted.handshakeTimer = setTimeout(() => {
        accepted.tlsFailure = "handshake timeout";
        socket.destroy();
      }, handshakeMsMax);
      this.#tlsServer.emit("connection", socket);
    }
  }

  #refusal(peer: string | undefined): ConnectionEventKind | undefined {
    if (!this.#options.allowList.allows(peer)) return "peer_not_allowlisted";
    return this.#accepted.size >= this.#options.connectionsMax ? "at_capacity" : undefined;
  }

  /**
   * A TLS server that never listens: it gets sockets that passed the checks at accept, so a stranger
   * costs no handshake.
   */
  #makeTlsServer(options: tls.TlsOptions): tls.Server {
    const server = tls.createServer({ ...options, allowHalfOpen: true } as tls.TlsOptions);
    const clients = typeof options.ca === "string" ? new ClientCertificates(options.ca) : undefined;
    server.on("secureConnection", (secured) => {
      const accepted = this.#acceptedOf(secured);
      if (accepted !== undefined && clients?.admits(secured) === false) {
        accepted.tlsFailure = "resumed without a certificate";
        secured.on("error", () => {});
        secured.destroy();
        accepted.socket.destroy();
        return;
      }
      if (accepted === undefined || accepted.socket.destroyed || this.#isStopping) {
        secured.on("error", () => {});
        secured.destroy();
      } else {
        clearTimeout(accepted.handshakeTimer);
        this.#establish(accepted, secured);
      }
    });
    server.on("tlsClientError", (error: Error & { code?: string }, failed) => {
      const accepted = this.#acceptedOf(failed);
      if (accepted === undefined) return;
      accepted.tlsFailure ??= error.code ?? error.name;
      accepted.socket.destroy();
    });
    return server;
  }

  /** The runtime keeps the socket below TLS in `_parent`, as Node does; nothing else names it. */
  #acceptedOf(secured: tls.TLSSocket): Accepted | undefined {
    const { _parent: below } = secured as { _parent?: net.Socket };
    return below && this.#bySocket.get(below);
  }

  #establish(accepted: Accepted, socket: net.Socket): void {
    const { peer } = accepted;
    this.#emit("established", peer);
    accepted.connection = new SourceConnection({
      socket,
      id: this.#ids.next(),
      peer,
      receive: this.#receive as Receive,
      frameBytesMax: this.#options.frameBytesMax,
      counters: this.counters,
      now: () => this.#tick,
      onEvent: (kind, reason) => this.#emit(kind, peer, reason),
      onClose: () => accepted.socket.destroy(),
    });
  }

  #gone(accepted: Accepted): void {
    clearTimeout(accepted.handshakeTimer);
    if (!this.#accepted.delete(accepted.socket)) return;
    this.counters.connectionsOpen--;
    if (accepted.connection === undefined && !this.#isStopping) {
      // The code, if any, comes after the close.
      setTimeout(() => this.#emit("tls_error", accepted.peer, accepted.tlsFailure ?? "closed"), 0);
    }
    if (this.#accepted.size > 0) return;
    clearInterval(this.#sweeper);
    this.#sweeper = undefined;
    this.#onEmpty?.();
  }

  #sweep(): void {
    this.#tick++;
    for (const { connection } of this.#accepted.values()) {
      connection?.sweep(this.#tick, this.#patience);
    }
  }

  #emit(kind: ConnectionEventKind, peer: string | undefined, reason?: string): void {
    const { name, onEvent } = this.#context;
    onEvent({ connection: name, transport: "mllp", direction: "inbound", kind, peer, reason });
  }
}
