/** A TCP proxy between a node and its database that can hold back what passes, both ways or one. */
import net from "node:net";

export type Direction = "to_database" | "to_node";

export class FaultProxy implements AsyncDisposable {
  readonly port: number;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #held = new Set<Direction>();
  /** What is on its way, one of each connection and direction. */
  readonly #ways = new Set<() => Promise<void>>();
  #waiting: (() => void)[] = [];
  /** Each way, for what comes from now on. */
  latencyMs = 0;

  static async start(target: number): Promise<FaultProxy> {
    const server = net.createServer({ noDelay: true });
    await new Promise<void>((resolve) => server.listen({ port: 0, host: "127.0.0.1" }, resolve));
    return new FaultProxy(server, target);
  }

  private constructor(server: net.Server, target: number) {
    this.#server = server;
    this.port = (server.address() as net.AddressInfo).port;
    server.on("connection", (near: net.Socket) => {
      const far = net.connect({ port: target, host: "127.0.0.1", noDelay: true });
      this.#pump(near, far, "to_database");
      this.#pump(far, near, "to_node");
    });
  }

  /** Nothing passes any more; connections stay, as over a cable that was cut. */
  hold(...directions: readonly Direction[]): void {
    for (const direction of directions) this.#held.add(direction);
  }

  /** What was held back passes now. */
  release(): void {
    this.#held.clear();
    for (const go of this.#waiting.splice(0)) go();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.release();
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await Promise.all([...this.#ways].map((turn) => turn()));
  }

  #pump(from: net.Socket, to: net.Socket, direction: Direction): void {
    this.#sockets.add(from);
    let turn = Promise.resolve();
    this.#ways.add(() => turn);
    from.on("data", (chunk) => {
      turn = turn.then(async () => {
        if (this.latencyMs > 0) await new Promise((go) => setTimeout(go, this.latencyMs));
        while (this.#held.has(direction)) {
          await new Promise<void>((go) => this.#waiting.push(go));
        }
        if (!to.destroyed) to.write(chunk);
      });
    });
    from.on("error", () => {});
    from.on("close", () => {
      this.#sockets.delete(from);
      if (!this.#held.has(direction)) to.destroy();
    });
  }
}
