/**
 * A partner that listens for MLLP and does what its script says, right or wrong.
 *
 * Used by the destination's tests, the walk and the crash tests. It cuts frames and builds
 * acknowledgements by itself, so that it shares no mistake with the code under test.
 */
import net from "node:net";
import tls from "node:tls";
import { pause, within } from "./waiting.ts";
import { endServer } from "./test_server.ts";

/** What the partner does about one received frame. */
export type PartnerStep =
  | AcknowledgeStep
  /** Sends these bytes as they are, latin-1, framed or not. */
  | { readonly do: "raw"; readonly bytes: string }
  /** Says nothing and keeps the connection. */
  | { readonly do: "silence" }
  /** Closes without a byte. */
  | { readonly do: "close" }
  /** Sends the first half of a positive acknowledgement, then closes. */
  | { readonly do: "close_mid_frame" }
  /** Resets the connection. */
  | { readonly do: "reset" };

export interface AcknowledgeStep {
  readonly do: "ack";
  /** MSA-1; `AA` when left out. */
  readonly code?: string;
  /** MSA-2; the received MSH-10 when left out, absent when null. */
  readonly controlId?: string | null;
  /** False leaves out the MSA segment. */
  readonly msa?: boolean;
  readonly delayMs?: number;
  /** Waited for before anything is sent. */
  readonly when?: Promise<unknown>;
  /** One byte a write. */
  readonly bytewise?: boolean;
  /** Sent right after the frame, latin-1. */
  readonly trailing?: string;
}

export interface PartnerFrame {
  /** The body, latin-1. */
  readonly text: string;
  readonly bytes: Uint8Array;
  /** 1 for the first connection ever accepted. */
  readonly connection: number;
  /** Address of the sender. */
  readonly from: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly controlId: string;
}

export interface PartnerOptions {
  readonly port?: number;
  readonly host?: string;
  readonly tls?: tls.TlsOptions;
  /** What to do once the queued steps are used up; a positive acknowledgement when left out. */
  readonly otherwise?: PartnerStep | ((frame: PartnerFrame) => PartnerStep);
}

const positive: PartnerStep = { do: "ack" };

export class ScriptedPartner implements AsyncDisposable {
  readonly received: PartnerFrame[] = [];
  /** Connections accepted so far. */
  connections = 0;
  /** Frames that were not accepted, whatever was done about them. */
  refused = 0;
  otherwise: PartnerStep | ((frame: PartnerFrame) => PartnerStep);
  readonly #steps: PartnerStep[] = [];
  readonly #sockets = new Set<net.Socket>();
  readonly #waiters = new Set<() => void>();
  readonly #server: net.Server;
  #port = 0;

  private constructor(server: net.Server, options: PartnerOptions) {
    this.#server = server;
    this.otherwise = options.otherwise ?? positive;
  }

  /** Listens on loopback; TLS when given. */
  static async start(options: PartnerOptions = {}): Promise<ScriptedPartner> {
    const server = options.tls === undefined
      ? net.createServer({ noDelay: true })
      : tls.createServer(options.tls);
    const partner = new ScriptedPartner(server, options);
    server.on(
      options.tls === undefined ? "connection" : "secureConnection",
      (socket: net.Socket) => partner.#accept(socket),
    );
    server.on("tlsClientError", () => {});
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ port: options.port ?? 0, host: options.host ?? "127.0.0.1" }, resolve);
    });
    partner.#port = (server.address() as net.AddressInfo).port;
    return partner;
  }

  get port(): number {
    return this.#port;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  /** The control IDs received so far, in order. */
  get controlIds(): readonly string[] {
    return this.received.map((frame) => frame.controlId);
  }

  /** Queues what to do about the next frames, one step each. */
  script(...steps: readonly PartnerStep[]): void {
    this.#steps.push(...steps);
  }

  /** Resolves once `count` frames have arrived in all. */
  waitForFrames(count: number, ms = 5_000): Promise<void> {
    return within(
      this.#changed(() => this.received.length >= count),
      `frame ${count} at the partner`,
      ms,
    );
  }

  /** Resolves once every connection is gone. */
  waitForNoConnection(ms = 5_000): Promise<void> {
    return within(this.#changed(() => this.#sockets.size === 0), "the last connection to end", ms);
  }

  /** Sends bytes nobody asked for on every open connection. */
  say(bytes: string): void {
    for (const socket of this.#sockets) socket.write(Buffer.from(bytes, "latin1"));
  }

  /** Reads no further byte of any open connection. */
  stopReading(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  /** Ends every open connection in order (FIN). */
  hangUp(): void {
    for (const socket of this.#sockets) socket.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return endServer(this.#server, this.#sockets);
  }

  #accept(socket: net.Socket): void {
    const connection = ++this.connections;
    const from = socket.remoteAddress ?? "";
    this.#sockets.add(socket);
    let buffered = Buffer.alloc(0);
    let turn = Promise.resolve();
    socket.on("data", (chunk) => {
      buffered = Buffer.concat([buffered, chunk]);
      for (;;) {
        const start = buffered.indexOf(0x0b);
        const end = buffered.indexOf(0x1c, start + 1);
        if (start === -1 || end === -1) return;
        const body = Buffer.from(buffered.subarray(start + 1, end));
        buffered = buffered.subarray(end + 1);
        turn = turn.then(() => this.#take(socket, body, { connection, from }));
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#sockets.delete(socket);
      this.#announce();
    });
    this.#announce();
  }

  async #take(
    socket: net.Socket,
    bytes: Buffer,
    origin: Pick<PartnerFrame, "connection" | "from">,
  ): Promise<void> {
    const text = bytes.toString("latin1");
    const atMs = performance.timeOrigin + performance.now();
    const frame = { text, bytes, ...origin, atMs, controlId: fieldOf(text, "MSH", 9) };
    this.received.push(frame);
    this.#announce();
    const step = this.#steps.shift() ??
      (typeof this.otherwise === "function" ? this.otherwise(frame) : this.otherwise);
    if (step.do !== "ack" || (step.code ?? "AA") !== "AA") this.refused += 1;
    await perform(step, socket, text);
  }

  #changed(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve();
    return new Promise((resolve) => {
      const look = () => {
        if (!condition()) return;
        this.#waiters.delete(look);
        resolve();
      };
      this.#waiters.add(look);
    });
  }

  #announce(): void {
    for (const look of [...this.#waiters]) look();
  }
}

async function perform(step: PartnerStep, socket: net.Socket, received: string): Promise<void> {
  switch (step.do) {
    case "silence":
      return;
    case "close":
      socket.end();
      return;
    case "reset":
      socket.resetAndDestroy();
      return;
    case "raw":
      socket.write(Buffer.from(step.bytes, "latin1"));
      return;
    case "close_mid_frame": {
      const whole = framed(acknowledgementFor(received));
      socket.end(whole.subarray(0, whole.length >> 1));
      return;
    }
    case "ack": {
      await step.when;
      if (step.delayMs !== undefined) await pause(step.delayMs);
      const reply = framed(acknowledgementFor(received, step), step.trailing);
      if (step.bytewise) await writeBytewise(socket, reply);
      else if (socket.writable) socket.write(reply);
    }
  }
}

async function writeBytewise(socket: net.Socket, bytes: Uint8Array): Promise<void> {
  for (const byte of bytes) {
    if (!socket.writable) return;
    await new Promise<void>((resolve) => socket.write(Uint8Array.of(byte), () => resolve()));
  }
}

/** Builds an acknowledgement of `received` with its own delimiters. */
export function acknowledgementFor(
  received: string,
  { code = "AA", controlId, msa = true }: Partial<AcknowledgeStep> = {},
): string {
  const separator = received.charAt(3) || "|";
  const sent = fieldOf(received, "MSH", 9);
  const header = [
    "MSH",
    fieldOf(received, "MSH", 1) || "^~\\&",
    "PARTNER",
    "SITE",
    "ENGINE",
    "",
    "20260101000000",
    "",
    "ACK",
    `R${sent}`,
    "P",
    "2.5.1",
  ].join(separator);
  if (!msa) return `${header}\r`;
  const fields = controlId === null ? ["MSA", code] : ["MSA", code, controlId ?? sent];
  return `${header}\r${fields.join(separator)}\r`;
}

/** Frames latin-1 text for MLLP. */
export function framed(body: string, trailing = ""): Buffer {
  return Buffer.from(`\x0b${body}\x1c\r${trailing}`, "latin1");
}

/** `index` counts from 1 as in a split segment: MSH-10 is index 9 of `MSH`. */
function fieldOf(text: string, segment: string, index: number): string {
  const line = text.split(/\r\n?|\n/).find((candidate) => candidate.startsWith(segment));
  return line?.split(text.charAt(3))[index] ?? "";
}
