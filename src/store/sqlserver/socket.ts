/** The way to the server. */
import net, { type Socket } from "node:net";

export interface Opening {
  /** To be destroyed by whoever cannot wait. */
  readonly socket: Socket;
  readonly opened: Promise<Socket>;
}

/**
 * The library would look the host up and connect to a number; the engine's permissions name the host
 * and its port. It stops waiting by itself, and forgets a socket that comes later.
 */
export function openSocket(
  { host, port }: { readonly host: string; readonly port: number },
  timeoutMs: number,
): Opening {
  const { promise: opened, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = net.connect({ host, port, noDelay: true, keepAlive: true });
  const deadline = setTimeout(() => socket.destroy(new Error("No answer in time")), timeoutMs);
  socket.once("error", reject);
  socket.once("close", () => {
    clearTimeout(deadline);
    reject(new Error("The socket was closed"));
  });
  socket.once("connect", () => {
    clearTimeout(deadline);
    socket.setKeepAlive(true, 10_000);
    resolve(socket);
  });
  return { socket, opened };
}
