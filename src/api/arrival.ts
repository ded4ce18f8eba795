/** What is known of a request beside its own text: who stands at the other end, and over what. */

/** A WebSocket that is open, as both servers give it. */
export type ApiSocket = Pick<
  WebSocket,
  "readyState" | "bufferedAmount" | "send" | "close" | "addEventListener"
>;

export interface Arrival {
  /** Address of the TCP peer: a client, or the proxy in front of it. */
  readonly peer: string;
  /** True when this process ended the TLS of the connection. */
  readonly isTls: boolean;
  /**
   * Takes the connection over as a WebSocket; the caller answers with what this returns.
   *
   * @throws {TypeError} the request asks for no WebSocket.
   */
  readonly upgrade: (onOpen: (socket: ApiSocket) => void) => Response;
}

/** Answers a request; never throws. */
export type Answer = (request: Request, arrival: Arrival) => Promise<Response>;
