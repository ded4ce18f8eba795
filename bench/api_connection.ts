/**
 * One kept connection to the API: asks and waits for the whole answer. Costs its process little, for
 * it shares the machine with the engine: bytes are read into one buffer that is used again, and a body
 * becomes text only for who wants it.
 */
import { Buffer } from "node:buffer";

export interface ApiAnswer {
  readonly status: number;
  /** Of this answer until the next one is asked for. */
  text(): string;
}

const HEAD_END = "\r\n\r\n";
const ROOM_BYTES = 65_536;

export class ApiConnection implements Disposable {
  readonly #conn: Deno.TcpConn;
  readonly #tail: string;
  #room = Buffer.allocUnsafeSlow(ROOM_BYTES);

  static async open(port: number, token: string): Promise<ApiConnection> {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port });
    conn.setNoDelay(true);
    return new ApiConnection(conn, `host: 127.0.0.1:${port}\r\nauthorization: Bearer ${token}`);
  }

  private constructor(conn: Deno.TcpConn, head: string) {
    this.#conn = conn;
    this.#tail = ` HTTP/1.1\r\n${head}\r\n\r\n`;
  }

  /**
   * Asks for one path; the one before must be answered.
   *
   * @throws {Error} when the API closes the connection, or an answer has no length.
   */
  async get(path: string): Promise<ApiAnswer> {
    const request = Buffer.from(`GET ${path}${this.#tail}`);
    // A request is shorter than what a socket takes at once.
    if (await this.#conn.write(request) < request.length) throw new Error("a request was cut");
    let filled = 0;
    let headEnd = -1;
    let end = Infinity;
    let status = 0;
    while (filled < end) {
      if (filled === this.#room.length) this.#grow();
      const count = await this.#conn.read(this.#room.subarray(filled));
      if (count === null) throw new Error("the API closed the connection");
      filled += count;
      if (headEnd !== -1) continue;
      headEnd = this.#room.subarray(0, filled).indexOf(HEAD_END);
      if (headEnd === -1) continue;
      const head = this.#room.toString("latin1", 0, headEnd);
      const [, length] = /^content-length: *(\d+)/im.exec(head) ?? [];
      if (length === undefined) throw new Error("an answer has no length");
      status = Number(head.slice(9, 12));
      end = headEnd + HEAD_END.length + Number(length);
    }
    const body = this.#room.subarray(headEnd + HEAD_END.length, end);
    return { status, text: () => body.toString() };
  }

  [Symbol.dispose](): void {
    this.#conn.close();
  }

  #grow(): void {
    this.#room = Buffer.concat([this.#room], this.#room.length * 2);
  }
}
