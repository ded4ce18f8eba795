/** An HTTP server of the test's own that takes alerts in, answers as told, and can be waited for. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { within } from "../connectors/waiting.ts";

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly type: string | undefined;
  readonly authorization: string | undefined;
  readonly body: Readonly<Record<string, unknown>>;
}

export class Receiver implements AsyncDisposable {
  readonly received: Received[] = [];
  /** What the next requests are answered; "never" leaves them waiting. */
  answer: number | "never" = 200;
  readonly headers: Record<string, string> = {};
  readonly #server: Server;
  #arrived = Promise.withResolvers<void>();

  /** Over TLS when an identity is given. */
  static async start(identity?: { cert: string; key: string }): Promise<Receiver> {
    const receiver = new Receiver(identity);
    await new Promise<void>((resolve) => receiver.#server.listen(0, "127.0.0.1", resolve));
    return receiver;
  }

  private constructor(identity?: { cert: string; key: string }) {
    const take = (request: IncomingMessage, response: ServerResponse) =>
      void this.#take(request, response);
    if (identity === undefined) this.#server = createServer(take);
    else {
      const [cert, key] = [identity.cert, identity.key].map((path) => Deno.readTextFileSync(path));
      this.#server = createTlsServer({ cert, key }, take);
      this.#server.on("tlsClientError", () => {});
    }
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  url(path = "/hook"): string {
    return `http://127.0.0.1:${this.port}${path}`;
  }

  /** Waits until `count` requests have come. */
  async requests(count: number, ms = 10_000): Promise<readonly Received[]> {
    const deadline = performance.now() + ms;
    while (this.received.length < count) {
      const what = `${count} requests, there are ${this.received.length}`;
      await within(this.#arrived.promise, what, deadline - performance.now());
    }
    return this.received;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    try {
      for await (const chunk of request) text += chunk;
    } catch {
      return;
    }
    const { method = "", url = "", headers } = request;
    this.received.push({
      method,
      path: url,
      type: headers["content-type"],
      authorization: headers.authorization,
      body: JSON.parse(text),
    });
    const { resolve } = this.#arrived;
    this.#arrived = Promise.withResolvers();
    resolve();
    if (this.answer !== "never") response.writeHead(this.answer, this.headers).end("what it says");
  }
}
