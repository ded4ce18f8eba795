/**
 * One kept connection to the API: asks and waits for the whole answer. Costs its process little, for
 * it shares the machine with the engine.
 */
import { Buffer } from "node:buffer";
import net from "node:net";

export interface ApiAnswer {
  readonly status: number;
  readonly body: string;
}

const HEAD_END = "\r\n\r\n";

export class ApiConnection implements Disposable {
  readonly #socket: net.Socket;
  readonly #head: string;
  #received = Buffer.alloc(0);
  #waiting: { resolve: (answer: ApiAnswer) => void; reject: (why: Error) => void } | undefined;

  static async open(port: number, token: string): Promise<ApiConnection> {
    const socket = net.connect(port, "127.0.0.1");
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    });
    return new ApiConnection(socket, `host: 127.0.0.1:${port}\r\nauthorization: Bearer ${token}`);
  }

  private constructor(socket: net.Socket, head: string) {
    this.#socket = socket;
    this.#head = head;
    socket.setNoDelay(true);
    socket.on("data", (bytes) => this.#take(bytes));
    const end = (why: string) => this.#waiting?.reject(new Error(why));
    socket.on("error", ({ message }) => end(message));
    socket.on("close", () => end("the API closed the connection"));
  }

  /** Asks for one path; the one before must be answered. */
  get(path: string): Promise<ApiAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(`GET ${path} HTTP/1.1\r\n${this.#head}\r\n\r\n`);
    });
  }

  [Symbol.dispose](): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #take(bytes: Uint8Array): void {
    this.#received = this.#received.length === 0
      ? Buffer.from(bytes)
      : Buffer.concat([this.#received, bytes]);
    const headEnd = this.#received.indexOf(HEAD_END);
    if (headEnd === -1) return;
    const head = this.#received.toString("latin1", 0, headEnd);
    const [, length] = /^content-length: *(\d+)/im.exec(head) ?? [];
    if (length === undefined) {
      return void this.#socket.destroy(new Error("an answer has no length"));
    }
    const end = headEnd + HEAD_END.length + Number(length);
    if (this.#received.length < end) return;
    const body = this.#received.toString("utf8", headEnd + HEAD_END.length, end);
    this.#received = this.#received.subarray(end);
    this.#waiting?.resolve({ status: Number(head.slice(9, 12)), body });
  }
}
