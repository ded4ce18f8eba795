/** Listening and ending, for the servers that tests write themselves. */
import type net from "node:net";

/** Listens on a port of loopback that the system chooses. */
export async function listenOnLoopback(server: net.Server): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: 0, host: "127.0.0.1" }, resolve);
  });
}

/** Ends a server and what is open of it. */
export async function endServer(server: net.Server, sockets: Iterable<net.Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const socket of sockets) socket.destroy();
  await closed;
}
