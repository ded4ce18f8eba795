/** Syslog collectors of every temper, on loopback; each is closed by leaving its scope. */
import net from "node:net";

export interface Collector extends AsyncDisposable {
  readonly port: number;
  /** Messages so far, decoded. */
  readonly messages: string[];
}

/** Takes datagrams. */
export function udpCollector(port = 0): Collector {
  const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port });
  const messages: string[] = [];
  const reading = (async () => {
    for await (const [bytes] of socket) messages.push(decoder.decode(bytes));
  })();
  return {
    port: (socket.addr as Deno.NetAddr).port,
    messages,
    async [Symbol.asyncDispose]() {
      socket.close();
      await reading;
    },
  };
}

export interface TcpCollector extends Collector {
  /** Connections taken so far. */
  readonly connections: number;
  /** Cuts every connection with a reset. */
  reset(): void;
}

/** What a TCP collector does with a new connection; the default reads its frames. */
export type Temper = (socket: net.Socket, take: (bytes: Uint8Array) => void) => void;

export const attentive: Temper = (socket, take) => void socket.on("data", take);

/** Accepts and never reads. */
export const stalled: Temper = (socket) => void socket.pause();

/** Resets every connection as soon as the first bytes have come. */
export const resetting: Temper = (socket) =>
  void socket.once("data", () => socket.resetAndDestroy());

/** Reads a little every few milliseconds. */
export const slow: Temper = (socket, take) => {
  let timer: ReturnType<typeof setTimeout> | undefined;
  socket.on("data", (bytes: Uint8Array) => {
    take(bytes);
    socket.pause();
    timer = setTimeout(() => socket.resume(), 5);
  });
  socket.once("close", () => clearTimeout(timer));
};

/** Takes messages that end with a line feed (RFC 6587 §3.4.2) over TCP. */
export async function tcpCollector(
  { port = 0, temper = attentive }: { port?: number; temper?: Temper } = {},
): Promise<TcpCollector> {
  const messages: string[] = [];
  const sockets = new Set<net.Socket>();
  let connections = 0;
  const server = net.createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
    const frames = new FrameReader(messages);
    temper(socket, (bytes) => frames.take(bytes));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: "127.0.0.1" }, () => resolve());
  });
  return {
    port: (server.address() as net.AddressInfo).port,
    messages,
    get connections() {
      return connections;
    },
    reset() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

class FrameReader {
  readonly #messages: string[];
  #rest: Uint8Array = new Uint8Array();

  constructor(messages: string[]) {
    this.#messages = messages;
  }

  take(bytes: Uint8Array): void {
    const all = new Uint8Array(this.#rest.length + bytes.length);
    all.set(this.#rest);
    all.set(bytes, this.#rest.length);
    let at = 0;
    for (let end = all.indexOf(0x0a); end >= 0; end = all.indexOf(0x0a, at)) {
      const message = decoder.decode(all.subarray(at, end));
      if (!/^<\d+>1 /.test(message)) throw new Error(`No syslog message: "${message}"`);
      this.#messages.push(message);
      at = end + 1;
    }
    this.#rest = all.slice(at);
  }
}

const decoder = new TextDecoder("utf-8", { fatal: true });
