/**
 * The way to a syslog collector: a datagram socket or one TCP connection.
 *
 * Every wait has a bound and ends with the signal. Nothing here knows records, retries or buffers.
 */
import { isIPv4, isIPv6 } from "node:net";
import { plainHost } from "../settings/mod.ts";
import { lineFramed } from "./syslog.ts";

export interface CollectorAddress {
  readonly protocol: "udp" | "tcp";
  readonly host: string;
  readonly port: number;
}

export interface LinkOptions extends CollectorAddress {
  /** Longest wait for a connection, and for a collector that takes no more bytes. */
  readonly stallMs: number;
  /** Closes the link, whatever it waits for. */
  readonly signal: AbortSignal;
}

export interface CollectorLink extends AsyncDisposable {
  /** False once the collector has closed or reset the connection. */
  readonly isOpen: boolean;
  /** Hands the messages to the network. Throws when that cannot be; some may have left then. */
  send(messages: readonly Uint8Array[]): Promise<void>;
}

/** Opens a link. Throws what the runtime throws, or `Deno.errors.TimedOut`. */
export function openLink(options: LinkOptions): Promise<CollectorLink> {
  return options.protocol === "udp" ? Promise.resolve(new UdpLink(options)) : TcpLink.open(options);
}

/**
 * Returns the local address datagrams to `host` leave from, which needs a permission of its own: the
 * loopback for a collector on this machine, so that nobody else can reach the socket.
 */
export function datagramSource(host: string): string {
  const plain = plainHost(host);
  if (isIPv6(plain)) return plain === "::1" ? "::1" : "::";
  const isLocal = plain.toLowerCase() === "localhost" || (isIPv4(plain) && /^127\./.test(plain));
  return isLocal ? "127.0.0.1" : "0.0.0.0";
}

/**
 * `Deno.listenDatagram` and not `node:dgram`: that one either wants a grant for the address behind a
 * name, which nobody knows when flags are derived, or looks the name up while the process stands
 * still. Datagrams to a name go to its first address, which has to be IPv4.
 */
class UdpLink implements CollectorLink {
  readonly #options: LinkOptions;
  readonly #socket: Deno.DatagramConn;
  readonly #close = () => this.#closeNow();
  isOpen = true;

  constructor(options: LinkOptions) {
    options.signal.throwIfAborted();
    this.#options = options;
    const hostname = datagramSource(options.host);
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
    options.signal.addEventListener("abort", this.#close);
  }

  async send(messages: readonly Uint8Array[]): Promise<void> {
    const { host, port, stallMs } = this.#options;
    const address = { transport: "udp" as const, hostname: plainHost(host), port };
    for (const message of messages) {
      await bounded(this.#socket.send(message, address), { stallMs, giveUp: this.#close });
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#closeNow();
    return Promise.resolve();
  }

  #closeNow(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#options.signal.removeEventListener("abort", this.#close);
    this.#socket.close();
  }
}

class TcpLink implements CollectorLink {
  readonly #options: LinkOptions;
  readonly #connection: Deno.TcpConn;
  readonly #close = () => this.#closeNow();
  readonly #watching: Promise<void>;
  isOpen = true;
  #isClosed = false;

  static async open(options: LinkOptions): Promise<TcpLink> {
    const { host, port, stallMs, signal } = options;
    const abort = new AbortController();
    const giveUp = () => abort.abort();
    signal.throwIfAborted();
    signal.addEventListener("abort", giveUp);
    try {
      const connecting = Deno.connect({ hostname: plainHost(host), port, signal: abort.signal });
      return new TcpLink(await bounded(connecting, { stallMs, giveUp }), options);
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  private constructor(connection: Deno.TcpConn, options: LinkOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#watching = this.#watch();
    options.signal.addEventListener("abort", this.#close);
    if (options.signal.aborted) this.#closeNow();
  }

  async send(messages: readonly Uint8Array[]): Promise<void> {
    const { stallMs } = this.#options;
    const bytes = lineFramed(messages);
    for (let done = 0; done < bytes.length;) {
      const writing = this.#connection.write(bytes.subarray(done));
      done += await bounded(writing, { stallMs, giveUp: this.#close });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isClosed) await this.#connection.closeWrite().catch(() => {});
    this.#closeNow();
    await this.#watching;
  }

  /** Collectors say nothing; reading tells when one has gone, before a record is written to it. */
  async #watch(): Promise<void> {
    const ignored = new Uint8Array(1_024);
    try {
      while (await this.#connection.read(ignored) !== null);
    } catch {
      // Reset, or closed by us.
    }
    this.isOpen = false;
  }

  #closeNow(): void {
    this.isOpen = false;
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.signal.removeEventListener("abort", this.#close);
    this.#connection.close();
  }
}

/** Waits for `work`; after `stallMs` calls `giveUp`, which makes it fail, and says so. */
async function bounded<T>(
  work: Promise<T>,
  { stallMs, giveUp }: { readonly stallMs: number; readonly giveUp: () => void },
): Promise<T> {
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    giveUp();
  }, stallMs);
  try {
    return await work;
  } catch (thrown) {
    if (isLate) throw new Deno.errors.TimedOut("no progress", { cause: thrown });
    throw thrown;
  } finally {
    clearTimeout(timer);
  }
}
