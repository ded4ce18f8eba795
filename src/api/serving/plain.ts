/**
 * Serves plain HTTP, for loopback and for a proxy in front.
 *
 * The runtime's own server: it has no limit for how long a client may take over its headers, which a
 * proxy has, and is twice as fast as `node:http`.
 */
import type { Answer } from "../arrival.ts";
import { jsonAnswer } from "../refusal.ts";
import { type ListenAt, type Listening, STOP_GRACE_MS } from "./listening.ts";

/** @throws what `Deno.listen` throws. */
export function servePlain(answer: Answer, { hostname, port }: ListenAt): Listening {
  const abort = new AbortController();
  const server = Deno.serve({
    hostname,
    port,
    signal: abort.signal,
    onListen: () => {},
    onError: () => jsonAnswer(500, "internal error"),
  }, (request, { remoteAddr }) =>
    answer(request, {
      peer: remoteAddr.hostname,
      isTls: false,
      upgrade: (onOpen) => {
        const { socket, response } = Deno.upgradeWebSocket(request);
        socket.addEventListener("open", () => onOpen(socket), { once: true });
        return response;
      },
    }));
  return {
    port: server.addr.port,
    // WebSockets that are open are told 1001 by the runtime.
    async [Symbol.asyncDispose]() {
      const timer = setTimeout(() => abort.abort(), STOP_GRACE_MS);
      await server.shutdown();
      await server.finished;
      clearTimeout(timer);
    },
  };
}
