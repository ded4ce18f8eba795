/**
 * The partners of the proof: each answers as its plan says and remembers every frame.
 *
 * What they remember is the evidence of order, overlap and duplicates; nothing of the engine is used
 * to make it. `blocked` keeps one lane's head refused for as long as it is set.
 */
import net from "node:net";
import { acknowledgementFor, framed } from "../connectors/scripted_partner.ts";
import { controlIdOf, type LaneName, tagOf } from "./expectation.ts";
import { type PartnerAnswer, partnerAnswer } from "./plan.ts";
import { endServer, listenOnLoopback } from "../connectors/test_server.ts";

/** One frame as a partner saw it. */
export interface Exchange {
  readonly lane: LaneName;
  /** Control ID and tag: names the row the frame is of. */
  readonly key: string;
  readonly text: string;
  /** Life of the engine it came from, counted from 1. */
  readonly life: number;
  /** Another exchange of the lane was open, in the same life. */
  readonly overlaps: boolean;
  /** Undefined: the connection ended before the partner had answered. */
  answer: PartnerAnswer | undefined;
}

export class Witness implements AsyncDisposable {
  readonly lane: LaneName;
  readonly exchanges: Exchange[] = [];
  /** Refuse everything, for now. */
  blocked = false;
  /** Life of the engine that connects now. */
  life = 1;
  readonly #seed: string;
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #attempts = new Map<string, number>();
  readonly #open = new Map<net.Socket, Exchange>();

  private constructor(lane: LaneName, seed: string) {
    this.lane = lane;
    this.#seed = seed;
    this.#server = net.createServer({ noDelay: true }, (socket) => this.#accept(socket));
  }

  static async start(lane: LaneName, seed: string): Promise<Witness> {
    const witness = new Witness(lane, seed);
    await listenOnLoopback(witness.#server);
    return witness;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return endServer(this.#server, this.#sockets);
  }

  #accept(socket: net.Socket): void {
    const { life } = this;
    this.#sockets.add(socket);
    let buffered = Buffer.alloc(0);
    let turn = Promise.resolve();
    socket.on("data", (chunk) => {
      buffered = Buffer.concat([buffered, chunk]);
      for (;;) {
        const start = buffered.indexOf(0x0b);
        const end = buffered.indexOf(0x1c, start + 1);
        if (start === -1 || end === -1) return;
        const text = buffered.toString("latin1", start + 1, end);
        buffered = buffered.subarray(end + 1);
        const exchange = this.#note(socket, text, life);
        turn = turn.then(() => this.#answer(socket, exchange));
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#sockets.delete(socket);
      this.#open.delete(socket);
    });
  }

  #note(socket: net.Socket, text: string, life: number): Exchange {
    const others = [...this.#open.values()];
    const exchange: Exchange = {
      lane: this.lane,
      key: `${controlIdOf(text)} ${tagOf(text)}`,
      text,
      life,
      overlaps: others.some((other) => other.life === life),
      answer: undefined,
    };
    this.exchanges.push(exchange);
    this.#open.set(socket, exchange);
    return exchange;
  }

  async #answer(socket: net.Socket, exchange: Exchange): Promise<void> {
    const { key, text } = exchange;
    const attempt = (this.#attempts.get(key) ?? 0) + 1;
    this.#attempts.set(key, attempt);
    const planned = partnerAnswer(this.#seed, { lane: this.lane, key, attempt });
    if (planned.delayMs > 0) await new Promise((done) => setTimeout(done, planned.delayMs));
    if (!socket.writable || socket.destroyed) return;
    const answer = this.blocked ? "AE" : planned.answer;
    exchange.answer = answer;
    this.#open.delete(socket);
    if (answer === "close") socket.end();
    else socket.write(framed(acknowledgementFor(text, { code: answer })));
  }
}
