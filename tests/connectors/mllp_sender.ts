/** A sending partner for tests: raw bytes out, reply frames in, and when the connection ended. */
import net from "node:net";
import tls from "node:tls";
import { framed } from "./scripted_partner.ts";
import { within } from "./waiting.ts";

export class MllpSender implements Disposable {
  readonly socket: net.Socket;
  /** Reply bodies, latin-1, in order of arrival. */
  readonly replies: string[] = [];
  /** Everything received, byte for byte. */
  raw = Buffer.alloc(0);
  /** Settles with the error code, or undefined after an orderly end. */
  readonly closed: Promise<string | undefined>;
  /** Reads of the socket so far: coalesced replies arrive in fewer reads. */
  reads = 0;
  #cutAt = 0;
  readonly #waiters = new Set<() => void>();
  #isClosed = false;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    let failure: string | undefined;
    socket.on("data", (chunk) => this.#read(chunk));
    socket.on("error", (error: Error & { code?: string }) => {
      failure = error.code ?? error.name;
    });
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.#isClosed = true;
        this.#announce();
        resolve(failure);
      });
    });
  }

  static async connect(
    port: number,
    options: { host?: string; localAddress?: string; tls?: tls.ConnectionOptions } = {},
  ): Promise<MllpSender> {
    const host = options.host ?? "127.0.0.1";
    const where = { port, host, localAddress: options.localAddress, noDelay: true };
    const socket = options.tls === undefined
      ? net.connect(where)
      : tls.connect({ ...where, ...options.tls });
    const ready = options.tls === undefined ? "connect" : "secureConnect";
    await within(
      new Promise<void>((resolve, reject) => {
        socket.once(ready, () => resolve());
        socket.once("error", reject);
      }),
      "a connection",
    );
    return new MllpSender(socket);
  }

  /** Writes bytes as they are; text is latin-1. */
  write(bytes: string | Uint8Array): void {
    this.socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  /** Frames and writes each body. */
  send(...bodies: readonly string[]): void {
    this.socket.write(Buffer.concat(bodies.map((body) => framed(body))));
  }

  /** Resolves once `count` replies have arrived; rejects when the connection ends before. */
  async waitForReplies(count: number, ms = 5_000): Promise<readonly string[]> {
    await within(
      new Promise<void>((resolve, reject) => {
        const look = () => {
          if (this.replies.length >= count) resolve();
          else if (this.#isClosed) reject(new Error(`Closed after ${this.replies.length} replies`));
          else return;
          this.#waiters.delete(look);
        };
        this.#waiters.add(look);
        look();
      }),
      `reply ${count}`,
      ms,
    );
    return this.replies;
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.reads++;
    this.raw = Buffer.concat([this.raw, chunk]);
    for (;;) {
      const start = this.raw.indexOf(0x0b, this.#cutAt);
      const end = this.raw.indexOf(0x1c, start + 1);
      if (start === -1 || end === -1) break;
      this.replies.push(this.raw.toString("latin1", start + 1, end));
      this.#cutAt = end + 1;
    }
    this.#announce();
  }

  #announce(): void {
    for (const look of [...this.#waiters]) look();
  }
}
