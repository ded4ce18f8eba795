/** Stands between the engine and a directory, and sees bytes pass. */
import net from "node:net";

export interface RelayEvents {
  /** `connection` counts from 1; `sent` are the client's bytes on it so far. */
  readonly onClientBytes?: (connection: number, sent: number) => void;
  readonly onServerBytes?: (connection: number) => void;
}

export class Relay implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #sockets: Set<net.Socket>;

  private constructor(server: net.Server, sockets: Set<net.Socket>) {
    this.#server = server;
    this.#sockets = sockets;
  }

  static async start(
    target: { readonly host: string; readonly port: number },
    { onClientBytes, onServerBytes }: RelayEvents,
  ): Promise<Relay> {
    const sockets = new Set<net.Socket>();
    let count = 0;
    const server = net.createServer((client) => {
      const connection = ++count;
      const far = net.connect(target);
      let sent = 0;
      for (const [socket, other] of [[client, far], [far, client]] as const) {
        sockets.add(socket);
        socket.on("error", () => other.destroy());
        socket.on("close", () => {
          sockets.delete(socket);
          other.destroy();
        });
      }
      client.on("data", (bytes) => {
        sent += bytes.length;
        far.write(bytes);
        onClientBytes?.(connection, sent);
      });
      far.on("data", (bytes) => {
        onServerBytes?.(connection);
        client.write(bytes);
      });
    });
    await new Promise<void>((resolve) => server.listen({ host: "127.0.0.1", port: 0 }, resolve));
    return new Relay(server, sockets);
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
