/**
 * The senders of the proof and what they know: which frames they sent, what they were answered.
 *
 * A sender keeps sending over one connection after the other while the engine dies and comes back.
 * A frame without an answer is never sent again: nobody knows whether it is stored, and both is right.
 */
import net from "node:net";
import { Random } from "../../src/synthetic/random.ts";
import { framed } from "../connectors/scripted_partner.ts";
import { bodyOf, type InboundName, type Kind, kindsOf } from "./expectation.ts";
import type { RoundPlan } from "./plan.ts";

export interface SentFrame {
  readonly inbound: InboundName;
  /** Name of the sender; its frames are in `sequence` order. */
  readonly sender: string;
  readonly sequence: number;
  readonly kind: Kind;
  readonly controlId: string;
  /** Latin-1. */
  readonly body: string;
  /** MSA-1, once it came. */
  code: string | undefined;
}

export interface SenderOptions {
  readonly inbound: InboundName;
  readonly name: string;
  readonly port: number;
  readonly plan: Pick<RoundPlan, "seed" | "window" | "pauseMs" | "paddingMax">;
}

const RECONNECT_MS = 25;
/** Slow handlers get no more than they can take, or a round would drain for ever. */
const SLOW_REST_MS = 40;

export class Sender {
  readonly sent: SentFrame[] = [];
  /** Answers that named another message than the one whose turn it was. */
  readonly wrongAnswers: string[] = [];
  readonly #options: SenderOptions;
  readonly #random: Random;
  #stopped = false;
  #running: Promise<void> | undefined;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#random = new Random(`${options.plan.seed}/${options.name}`);
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Sends nothing more; resolves when what is under way is answered or given up. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const socket = await connect(this.#options.port);
      if (socket !== undefined) await this.#use(socket);
      if (!this.#stopped) await pause(RECONNECT_MS);
    }
  }

  /** Sends over one connection until it ends. */
  async #use(socket: net.Socket): Promise<void> {
    const { window, pauseMs } = this.#options.plan;
    const restMs = this.#options.inbound === "IB_SLOW" ? SLOW_REST_MS : 0;
    const waiting: SentFrame[] = [];
    let isOpen = true;
    let moved = Promise.withResolvers<void>();
    const move = () => {
      moved.resolve();
      moved = Promise.withResolvers();
    };
    let buffered = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      buffered = Buffer.concat([buffered, chunk]);
      for (;;) {
        const start = buffered.indexOf(0x0b);
        const end = buffered.indexOf(0x1c, start + 1);
        if (start === -1 || end === -1) break;
        this.#take(buffered.toString("latin1", start + 1, end), waiting.shift());
        buffered = buffered.subarray(end + 1);
      }
      move();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      isOpen = false;
      move();
    });
    while (isOpen && !this.#stopped) {
      if (waiting.length >= window) {
        await moved.promise;
        continue;
      }
      const frame = this.#next();
      waiting.push(frame);
      socket.write(framed(frame.body));
      await pause(this.#random.int(0, pauseMs) + restMs);
    }
    const deadline = setTimeout(() => socket.destroy(), 10_000);
    while (isOpen && waiting.length > 0) await moved.promise;
    clearTimeout(deadline);
    socket.destroy();
  }

  #next(): SentFrame {
    const { inbound, name, plan } = this.#options;
    const sequence = this.sent.length;
    const kind = this.#random.pick(kindsOf[inbound]);
    const controlId = `${name}-${sequence}`;
    const body = bodyOf(kind, controlId, this.#random.int(0, plan.paddingMax));
    const frame = { inbound, sender: name, sequence, kind, controlId, body, code: undefined };
    this.sent.push(frame);
    return frame;
  }

  #take(reply: string, frame: SentFrame | undefined): void {
    const [, code = "", controlId = ""] = reply.split("\r")
      .find((line) => line.startsWith("MSA"))?.split("|") ?? [];
    if (frame === undefined || controlId !== frame.controlId) {
      this.wrongAnswers.push(`${this.#options.name}: ${controlId} for ${frame?.controlId}`);
    } else {
      frame.code = code;
    }
  }
}

function connect(port: number): Promise<net.Socket | undefined> {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: "127.0.0.1", noDelay: true });
    const refused = () => resolve(undefined);
    socket.once("error", refused);
    socket.once("connect", () => {
      socket.off("error", refused);
      resolve(socket);
    });
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
