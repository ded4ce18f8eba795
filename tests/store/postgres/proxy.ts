/**
 * A TCP proxy between a writer and its server that cuts at a commit: before the server hears of it,
 * or after it has answered, so that only the server knows what became of it.
 */
import net from "node:net";

export type Cut =
  /** The server never hears the COMMIT. */
  | "before_commit"
  /** The server commits, and its answer is lost. */
  | "after_commit"
  /** The server commits; the answer is lost and the way is closed until it is opened again. */
  | "after_commit_and_closed";

const COMMIT = new TextEncoder().encode("COMMIT\0");

export class CuttingProxy implements AsyncDisposable {
  readonly port: number;
  readonly #server: net.Server;
  readonly #target: number;
  readonly #sockets = new Set<net.Socket>();
  #next: Cut | undefined;
  #isClosed = false;
  #isStalled = false;
  /** Cuts that were made. */
  cuts = 0;

  static async start(target: number): Promise<CuttingProxy> {
    const server = net.createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return new CuttingProxy(server, target);
  }

  private constructor(server: net.Server, target: number) {
    this.#server = server;
    this.#target = target;
    this.port = (server.address() as net.AddressInfo).port;
    server.on("connection", (client) => this.#connect(client));
  }

  /** Cuts at the next commit. */
  cutNext(cut: Cut): void {
    this.#next = cut;
  }

  /** Refuses who comes, and drops who is there. */
  close(): void {
    this.#isClosed = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  open(): void {
    this.#isClosed = false;
    this.#isStalled = false;
  }

  /** Takes everything and passes nothing on, in either direction. */
  stall(): void {
    this.#isStalled = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #connect(client: net.Socket): void {
    this.#watch(client);
    if (this.#isClosed) return void client.destroy();
    const server = net.connect(this.#target, "127.0.0.1");
    this.#watch(server);
    let isAnswerLost = false;
    const cut = () => {
      this.cuts += 1;
      client.destroy();
      server.destroy();
    };
    client.on("data", (bytes: Uint8Array) => {
      if (this.#isStalled) return;
      if (this.#next !== undefined && holds(bytes, COMMIT)) {
        const kind = this.#next;
        this.#next = undefined;
        if (kind === "before_commit") return cut();
        isAnswerLost = true;
        if (kind === "after_commit_and_closed") this.#isClosed = true;
      }
      server.write(bytes);
    });
    server.on("data", (bytes: Uint8Array) => {
      if (this.#isStalled) return;
      if (!isAnswerLost) return void client.write(bytes);
      // The tag of its answer: what came before it is passed on no more either.
      if (holds(bytes, COMMIT)) cut();
    });
    client.on("close", () => server.destroy());
    server.on("close", () => client.destroy());
  }

  #watch(socket: net.Socket): void {
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.#sockets.delete(socket));
  }
}

function holds(bytes: Uint8Array, part: Uint8Array): boolean {
  return new TextDecoder("latin1").decode(bytes).includes(new TextDecoder("latin1").decode(part));
}
