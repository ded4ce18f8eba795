/**
 * One connection to a partner and the exchange on it: a frame out, a frame back.
 *
 * `destination.ts` decides when to open and reuse one. What the reply says is not read here.
 */
import net from "node:net";
import tls from "node:tls";
import { hostAndPort, isDeniedAddress } from "../../settings/mod.ts";
import { DeliveryError } from "../connector.ts";
import { FrameDecoder } from "./frame_decoder.ts";
import type { MllpDestinationOptions } from "./options.ts";

/** Idle connections that a router forgot are found by the operating system's own probes. */
const keepAliveMs = 30_000;

/** A plain connection's room for one read; acknowledgements are far smaller. */
const readBytes = 4_096;

/** How long a partner may take to refuse our certificate. */
const refusalMs = 250;

/** Told how an exchange ended, exactly once. Objects, not promises: this is the hot path. */
export interface Exchange {
  replied(frame: Uint8Array): void;
  failed(error: DeliveryError): void;
}

type Phase = "idle" | "writing" | "waiting";

export class MllpLink {
  readonly #socket: net.Socket;
  readonly #options: MllpDestinationOptions;
  readonly #decoder: FrameDecoder;
  readonly #onRead: (bytes: number) => void;
  readonly #openedAt = performance.now();
  #exchange: Exchange | undefined;
  #phase: Phase = "idle";
  #lastUsed = this.#openedAt;
  /** Bytes came that nobody asked for: what follows could answer anything. */
  #isSpoiled = false;
  #deadline = 0;
  /** Runs while exchanges go on; looks at the deadline when it fires instead of being reset. */
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    socket: net.Socket,
    options: MllpDestinationOptions,
    onRead: (bytes: number) => void,
  ) {
    this.#socket = socket;
    this.#options = options;
    this.#onRead = onRead;
    this.#decoder = new FrameDecoder(options.replyBytesMax);
    // A plain socket emits none: what it reads goes through dial() straight to read().
    socket.on("data", (chunk: Uint8Array) => this.read(chunk));
    socket.on("drain", () => this.#drained());
    socket.on("end", () => this.#lost("delivery.connection_closed", "the partner closed it"));
    socket.on(
      "error",
      (cause) => this.#lost("delivery.connection_lost", "the connection broke", cause),
    );
    socket.on("close", () => this.#lost("delivery.connection_closed", "the connection closed"));
  }

  /** True while a message may go over this connection `now`; asked right before, without I/O. */
  isReusable(now: number): boolean {
    if (this.#isSpoiled || this.#socket.destroyed || !this.#socket.writable) return false;
    return now - this.#lastUsed < this.#options.idleMsMax &&
      now - this.#openedAt < this.#options.ageMsMax;
  }

  /** Writes one frame `now`; `exchange` hears of the reply or the failure. */
  begin(frame: Uint8Array, exchange: Exchange, now: number): void {
    this.#exchange = exchange;
    const isFlushed = this.#socket.write(frame);
    this.#phase = isFlushed ? "waiting" : "writing";
    this.#deadline = now + this.#options.timeoutMs;
    this.#timer ??= setTimeout(() => this.#timerFired(), this.#options.timeoutMs);
  }

  /** Drops the connection; an exchange under way fails with `error`. */
  close(error?: DeliveryError): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#isSpoiled = true;
    this.#socket.destroy();
    this.#phase = "idle";
    const exchange = this.#exchange;
    this.#exchange = undefined;
    if (error !== undefined) exchange?.failed(error);
  }

  /** Takes what the partner sent; `chunk` may change once this returns. */
  read(chunk: Uint8Array): void {
    this.#onRead(chunk.length);
    this.#decoder.push(chunk);
    if (this.#exchange === undefined) {
      if (this.#decoder.hasUnread) this.close();
      else this.#decoder.reset();
      return;
    }
    let found = this.#decoder.next();
    while (found === "restarted") found = this.#decoder.next();
    if (found === undefined) return;
    if (found === "oversize") {
      this.close(unconfirmed("delivery.ack_oversize", "its acknowledgement exceeds the cap"));
      return;
    }
    // A reply to a message that has not left whole, or more than one reply: not to be built on.
    this.#isSpoiled ||= this.#decoder.hasUnread || this.#socket.writableLength > 0;
    this.#decoder.reset();
    this.#phase = "idle";
    this.#lastUsed = performance.now();
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange.replied(found);
  }

  #drained(): void {
    if (this.#phase !== "writing") return;
    this.#phase = "waiting";
    this.#deadline = performance.now() + this.#options.timeoutMs;
  }

  #timerFired(): void {
    this.#timer = undefined;
    if (this.#phase === "idle") return;
    const left = this.#deadline - performance.now();
    if (left > 0) {
      this.#timer = setTimeout(() => this.#timerFired(), left);
    } else if (this.#phase === "writing") {
      this.close(unconfirmed("delivery.write_timeout", "the partner does not read"));
    } else {
      this.close(unconfirmed("delivery.ack_timeout", "no acknowledgement came in time"));
    }
  }

  #lost(code: string, reason: string, cause?: unknown): void {
    const phase = this.#phase === "writing" ? "while writing" : "before the acknowledgement";
    this.close(unconfirmed(code, `${reason} ${phase}`, cause));
  }
}

/** A failure after the first byte: the partner may hold the message. */
export function unconfirmed(code: string, reason: string, cause?: unknown): DeliveryError {
  return new DeliveryError(code, `Cannot confirm delivery: ${reason}`, {
    cause,
    reached: "unknown",
  });
}

/**
 * Opens a connection, TLS included. What a plain one reads is handed to `onRead` and never emitted,
 * which leaves out the machinery of streams; the bytes are gone once `onRead` returns, and nothing
 * is read before whoever awaits the connection has run.
 *
 * @throws {DeliveryError} `reached: "no"`: `delivery.connect_failed`, `delivery.connect_timeout`,
 * `delivery.connect_denied`, `delivery.address_denied`, `delivery.tls_failed` or `delivery.aborted`.
 */
export function dial(
  options: MllpDestinationOptions,
  { signal, onRead }: { signal: AbortSignal; onRead?: (chunk: Uint8Array) => void },
): Promise<net.Socket> {
  const { host, port, connectTimeoutMs } = options;
  const target = `"${hostAndPort({ host, port })}"`;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(notReached("delivery.aborted", `Cannot connect to ${target}: stopped`));
      return;
    }
    let isConnected = false;
    const socket = options.tls === undefined
      ? net.connect({ host, port, noDelay: true, onread: onRead && intoOneBuffer(onRead) })
      : tls.connect({ host, port, ...options.tls });
    const settle = (outcome: () => void) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      socket.off("connect", onConnect).off("secureConnect", onReady);
      socket.off("error", onError).off("close", onClose);
      outcome();
    };
    const fail = (error: DeliveryError) =>
      settle(() => {
        // A late error of a socket nobody listens to would end the process.
        socket.on("error", () => {});
        socket.destroy();
        reject(error);
      });
    const onReady = () => settle(() => resolve(ready(socket)));
    const onConnect = () => {
      isConnected = true;
      // A name may lead anywhere; the runtime's own check knows fewer spellings.
      if (isDeniedAddress(socket.remoteAddress ?? "")) return fail(denied(target));
      if (options.tls === undefined) onReady();
    };
    const onError = (cause: Error) => fail(connectError(cause, { target, isConnected }));
    const onClose = () => onError(new Error("closed during the handshake"));
    const onAbort = () =>
      fail(notReached("delivery.aborted", `Cannot connect to ${target}: stopped`));
    const timer = setTimeout(() => {
      const what = isConnected ? "the TLS handshake" : "the connection";
      fail(
        notReached("delivery.connect_timeout", `Cannot connect to ${target}: ${what} timed out`),
      );
    }, connectTimeoutMs);
    signal.addEventListener("abort", onAbort);
    socket.on("connect", onConnect).on("secureConnect", onReady);
    socket.on("error", onError).on("close", onClose);
  });
}

/** Reads into the same memory every time. Each chunk is a plain array, as decoders want it. */
function intoOneBuffer(onRead: (chunk: Uint8Array) => void): net.OnReadOpts {
  const buffer = new Uint8Array(readBytes);
  return {
    buffer,
    callback(bytes) {
      onRead(buffer.subarray(0, bytes));
      return true;
    },
  };
}

/**
 * Waits a moment for a partner that refuses our certificate: with TLS 1.3 its refusal comes after
 * our side of the handshake is done (RFC 8446 §4.4.2).
 *
 * @throws {DeliveryError} `delivery.tls_failed`.
 */
export async function heedRefusal(socket: net.Socket): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const refusal = new Promise<Error | undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), refusalMs);
    socket.once("error", resolve);
    socket.once("close", () => resolve(new Error("closed right after the handshake")));
    socket.resume();
  });
  const cause = await refusal;
  clearTimeout(timer);
  if (cause === undefined) return;
  const message = "Cannot connect: the partner refused the TLS connection";
  throw notReached("delivery.tls_failed", message, { cause });
}

function ready(socket: net.Socket): net.Socket {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, keepAliveMs);
  return socket;
}

function connectError(
  cause: Error & { code?: string },
  { target, isConnected }: { target: string; isConnected: boolean },
): DeliveryError {
  if (isConnected) {
    return notReached(
      "delivery.tls_failed",
      `Cannot connect to ${target}: the TLS handshake failed`,
      { cause, hint: "Compare tls_ca_file and the client certificate with the partner's" },
    );
  }
  if (cause.name === "NotCapable" || cause.code === "EPERM") {
    return notReached(
      "delivery.connect_denied",
      `Cannot connect to ${target}: the process has no permission for it`,
      { cause, hint: "Let serve derive its permissions anew, or add the host to --allow-net" },
    );
  }
  const why = cause.code === undefined ? "" : ` (${cause.code})`;
  return notReached("delivery.connect_failed", `Cannot connect to ${target}${why}`, { cause });
}

function denied(target: string): DeliveryError {
  return notReached(
    "delivery.address_denied",
    `Cannot connect to ${target}: its name leads to a link-local or metadata address`,
    { hint: "Look who controls the name, or write the partner's address instead" },
  );
}

function notReached(
  code: string,
  message: string,
  options: { cause?: unknown; hint?: string } = {},
): DeliveryError {
  return new DeliveryError(code, message, { ...options, reached: "no" });
}
