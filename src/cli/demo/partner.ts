/** A receiving system of the demo: takes messages over MLLP and acknowledges what it took. */
import { FrameDecoder } from "../../connectors/mllp/frame_decoder.ts";
import { frameUtf8 } from "../../connectors/mllp/framing.ts";
import { buildAcknowledgement, peekHeader } from "../../hl7/mod.ts";

/** What a partner does about one message. */
export interface PartnerStep {
  readonly code: "AA" | "AE";
  /** Keeps every sender of this partner waiting for so long first. */
  readonly holdMs?: number;
}

export interface Arrival {
  readonly controlId: string;
  readonly code: "AA" | "AE";
  /** Milliseconds of the monotonic clock. */
  readonly at: number;
}

const FRAME_BYTES_MAX = 16 * 1024 * 1024;

export class Partner implements AsyncDisposable {
  readonly name: string;
  readonly port: number;
  readonly #listener: Deno.Listener;
  readonly #connections = new Set<Deno.Conn>();
  readonly #arrivals: Arrival[] = [];
  readonly #decide: (arrival: number, controlId: string) => PartnerStep;
  readonly #onArrival: (arrival: Arrival) => void;
  readonly #stopped = new AbortController();
  readonly #accepting: Promise<void>;
  #answersFrom = 0;

  /** Listens at once; `decide` is asked with the number of the arrival, counted from 1. */
  constructor(options: {
    name: string;
    port: number;
    decide: (arrival: number, controlId: string) => PartnerStep;
    onArrival: (arrival: Arrival) => void;
  }) {
    this.name = options.name;
    this.port = options.port;
    this.#decide = options.decide;
    this.#onArrival = options.onArrival;
    this.#listener = Deno.listen({ hostname: "127.0.0.1", port: options.port });
    this.#accepting = this.#accept();
  }

  /** Everything that came, in order, refused or not. */
  get arrivals(): readonly Arrival[] {
    return this.#arrivals;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped.abort();
    this.#listener.close();
    for (const connection of this.#connections) connection.close();
    await this.#accepting;
  }

  async #accept(): Promise<void> {
    const serving: Promise<void>[] = [];
    try {
      for await (const connection of this.#listener) {
        this.#connections.add(connection);
        serving.push(this.#serve(connection));
      }
    } finally {
      await Promise.all(serving);
    }
  }

  async #serve(connection: Deno.Conn): Promise<void> {
    const decoder = new FrameDecoder(FRAME_BYTES_MAX);
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (;;) {
        const read = await connection.read(buffer);
        if (read === null) break;
        decoder.push(buffer.slice(0, read));
        for (let found = decoder.next(); found !== undefined; found = decoder.next()) {
          if (found instanceof Uint8Array) await this.#take(connection, found);
        }
      }
      this.#connections.delete(connection);
      connection.close();
    } catch {
      // The engine hung up, or the demo ended: either way there is nobody left to answer.
      this.#connections.delete(connection);
    }
  }

  async #take(connection: Deno.Conn, body: Uint8Array): Promise<void> {
    const text = new TextDecoder().decode(body);
    const peek = peekHeader(text);
    const header = peek.ok ? peek.header : undefined;
    const controlId = header?.controlId ?? "";
    const { code, holdMs = 0 } = this.#decide(this.#arrivals.length + 1, controlId);
    const arrival = { controlId, code, at: performance.now() };
    this.#arrivals.push(arrival);
    this.#onArrival(arrival);
    if (holdMs > 0) this.#answersFrom = performance.now() + holdMs;
    await this.#hold(this.#answersFrom - performance.now());
    const reply = frameUtf8(buildAcknowledgement({
      header,
      rawStart: "",
      code,
      mode: "original",
      now: Date.now(),
    }));
    for (let at = 0; at < reply.length;) at += await connection.write(reply.subarray(at));
  }

  #hold(ms: number): Promise<void> {
    const { signal } = this.#stopped;
    if (ms <= 0 || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal.addEventListener("abort", done);
    });
  }
}

/** The health record takes everything, and once keeps its senders waiting as if it restarted. */
export function healthRecord(
  { pauseAt, pauseMs, onPause }: { pauseAt: number; pauseMs: number; onPause: () => void },
): (arrival: number) => PartnerStep {
  return (arrival) => {
    if (arrival !== pauseAt) return { code: "AA" };
    onPause();
    return { code: "AA", holdMs: pauseMs };
  };
}

/** The laboratory answers AE to a few orders the first time they come. */
export function laboratory(
  { every, first, most, onRefused }: {
    first: number;
    every: number;
    most: number;
    onRefused: (controlId: string) => void;
  },
): (arrival: number, controlId: string) => PartnerStep {
  const refused = new Set<string>();
  return (arrival, controlId) => {
    const isTurn = arrival >= first && (arrival - first) % every === 0;
    if (!isTurn || refused.size >= most || refused.has(controlId)) return { code: "AA" };
    refused.add(controlId);
    onRefused(controlId);
    return { code: "AE" };
  };
}
