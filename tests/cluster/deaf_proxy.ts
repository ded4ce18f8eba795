/** Stands between a node and PostgreSQL and passes everything on but notifications, which it drops. */
import net from "node:net";
import { endServer, listenOnLoopback } from "../connectors/test_server.ts";

/** Source: PostgreSQL 15 §55.7: a message of the server is a byte of type and a length with itself. */
const NOTIFICATION = "A".charCodeAt(0);

export class DeafProxy implements AsyncDisposable {
  /** Notifications that were dropped so far. */
  dropped = 0;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  private constructor(databasePort: number) {
    this.#server = net.createServer({ noDelay: true }, (node) => {
      const database = net.connect({ port: databasePort, host: "127.0.0.1", noDelay: true });
      for (const socket of [node, database]) {
        this.#sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => {
          this.#sockets.delete(socket);
          node.destroy();
          database.destroy();
        });
      }
      node.on("data", (bytes) => database.write(bytes));
      let buffered = Buffer.alloc(0);
      database.on("data", (bytes) => {
        buffered = Buffer.concat([buffered, bytes]);
        for (;;) {
          const end = buffered.length < 5 ? Infinity : 1 + buffered.readUInt32BE(1);
          if (buffered.length < end) return;
          if (buffered[0] === NOTIFICATION) this.dropped += 1;
          else node.write(buffered.subarray(0, end));
          buffered = buffered.subarray(end);
        }
      });
    });
  }

  static async start(databasePort: number): Promise<DeafProxy> {
    const proxy = new DeafProxy(databasePort);
    await listenOnLoopback(proxy.#server);
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return endServer(this.#server, this.#sockets);
  }
}
