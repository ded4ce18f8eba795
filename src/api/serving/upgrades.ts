/** Hands connections of the HTTPS server over to WebSockets, by the same answers as requests. */
import type { IncomingMessage } from "node:http";
import { STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { WebSocketServer } from "ws";
import type { Answer, ApiSocket } from "../arrival.ts";
import { bareHeaders } from "../headers.ts";
import { GOING_AWAY } from "./listening.ts";

/** Clients have nothing to say here beyond pings. */
const MESSAGE_BYTES_MAX = 65_536;

export class Upgrades {
  readonly #answer: Answer;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MESSAGE_BYTES_MAX,
    perMessageDeflate: false,
  });

  constructor(answer: Answer) {
    this.#answer = answer;
  }

  /** Asks the routes, then upgrades, or answers as they say and closes. */
  async take(
    incoming: IncomingMessage,
    { socket, head }: { readonly socket: Duplex; readonly head: Uint8Array },
  ): Promise<void> {
    socket.on("error", () => {});
    const request = requestOf(incoming);
    if (request === undefined) return await refuse(socket, undefined);
    let open: ((socket: ApiSocket) => void) | undefined;
    const response = await this.#answer(request, {
      peer: incoming.socket.remoteAddress ?? "",
      isTls: true,
      upgrade: (onOpen) => {
        open = onOpen;
        return new Response(null);
      },
    });
    if (open === undefined || !response.ok) return await refuse(socket, response);
    const onOpen = open;
    this.#sockets.handleUpgrade(incoming, socket, head, (opened: ApiSocket) => {
      // Without a listener a broken frame would end the process.
      opened.addEventListener("error", () => {});
      onOpen(opened);
    });
  }

  /** Says good-bye on every open one. */
  close(): void {
    for (const socket of this.#sockets.clients) socket.close(GOING_AWAY);
  }
}

/** Undefined for what is no request for a WebSocket. */
function requestOf({ headers, method, rawHeaders, url = "/" }: IncomingMessage) {
  if (method !== "GET" || headers.upgrade?.toLowerCase() !== "websocket") return undefined;
  const target = URL.parse(
    url.startsWith("/") ? `https://${headers.host ?? "localhost"}${url}` : url,
  );
  if (target === null) return undefined;
  const fields = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    fields.append(rawHeaders[at]!, rawHeaders[at + 1]!);
  }
  // A name before the host makes no request.
  return target.username === "" && target.password === ""
    ? new Request(target, { headers: fields })
    : undefined;
}

/** Answers with what the routes said, or 400, and closes. */
async function refuse(socket: Duplex, response: Response | undefined): Promise<void> {
  const body = new Uint8Array(await response?.arrayBuffer() ?? new ArrayBuffer(0));
  const status = response === undefined ? 400 : response.status;
  const headers = [
    ...(response === undefined ? bareHeaders() : response.headers),
    ["content-length", String(body.length)],
    ["connection", "close"],
  ];
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  if (!socket.writable) return void socket.destroy();
  socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines}\r\n`);
  socket.end(body, () => socket.destroy());
}
