/** A hospital system of the demo: one MLLP connection, one message in flight, the clock its pace. */
import { FrameDecoder } from "../../connectors/mllp/frame_decoder.ts";
import { frameAll } from "../../connectors/mllp/framing.ts";
import { readAcknowledgement } from "../../hl7/mod.ts";
import { CommandFailure } from "../failure.ts";
import type { PlannedMessage } from "./traffic.ts";

/** A planned message with the time it is due, milliseconds after the start. */
export interface ScheduledMessage extends PlannedMessage {
  readonly dueMs: number;
}

export interface SenderOptions {
  readonly port: number;
  readonly messages: readonly ScheduledMessage[];
  /** Just before the bytes leave. */
  readonly onSent: (message: PlannedMessage) => void;
  readonly onAnswered: (message: PlannedMessage, code: string, tookMs: number) => void;
}

const ANSWER_MS = 30_000;
const REPLY_BYTES_MAX = 1024 * 1024;

/**
 * Sends its messages in order, each when it is due and the last one is answered.
 *
 * @throws {CommandFailure} when the engine closes the connection or does not answer.
 */
export async function sendAll(options: SenderOptions, signal: AbortSignal): Promise<void> {
  const { port, messages, onSent, onAnswered } = options;
  if (messages.length === 0) return;
  using line = await Line.open(port);
  const startedAt = performance.now();
  for (const message of messages) {
    await until(startedAt + message.dueMs, signal);
    if (signal.aborted) return;
    const sentAt = performance.now();
    onSent(message);
    const reply = await line.exchange(message.bytes);
    const { code = "?", controlId } = readAcknowledgement(reply);
    const isOurs = controlId === message.controlId;
    onAnswered(message, isOurs ? code : "?", performance.now() - sentAt);
  }
}

class Line implements Disposable {
  readonly #connection: Deno.Conn;
  readonly #decoder = new FrameDecoder(REPLY_BYTES_MAX);
  readonly #buffer = new Uint8Array(16 * 1024);

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  static async open(port: number): Promise<Line> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay();
    return new Line(connection);
  }

  async exchange(body: Uint8Array): Promise<string> {
    const framed = frameAll([body]);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tooLate = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(unanswered("within 30 seconds")), ANSWER_MS);
    });
    try {
      return await Promise.race([this.#exchange(framed), tooLate]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #exchange(framed: Uint8Array): Promise<string> {
    for (let at = 0; at < framed.length;) at += await this.#connection.write(framed.subarray(at));
    for (;;) {
      const found = this.#decoder.next();
      if (found instanceof Uint8Array) return new TextDecoder().decode(found);
      const read = await this.#connection.read(this.#buffer);
      if (read === null) throw unanswered("and closed the connection");
      this.#decoder.push(this.#buffer.slice(0, read));
    }
  }

  [Symbol.dispose](): void {
    this.#connection.close();
  }
}

function unanswered(how: string): CommandFailure {
  return new CommandFailure(`The engine did not acknowledge a message ${how}`, {
    hint: "Read the engine's log in the demo's folder",
  });
}

/** Waits for a moment of the monotonic clock, or for the signal. */
function until(at: number, signal: AbortSignal): Promise<void> {
  const waitMs = at - performance.now();
  if (waitMs <= 0 || signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, waitMs);
    signal.addEventListener("abort", done);
  });
}
