/**
 * One connection of a sending partner: bytes in, frames to intake, replies out in arrival order.
 *
 * Frames are handed over without waiting for the answers to earlier ones, so one partner's messages
 * can share a commit. Replies still leave strictly in order, and the ready ones in one write.
 */
import type net from "node:net";
import type {
  ConnectionCounters,
  ConnectionEventKind,
  IntakeAnswer,
  Receive,
} from "../connector.ts";
import { FrameDecoder } from "./frame_decoder.ts";
import { frameAll } from "./framing.ts";

/** Frames handed to intake and not yet answered, per connection; then reading pauses. */
const framesOutstandingMax = 64;

/** After our FIN: how long unread bytes are thrown away, lest they reset replies under way. */
const lingerMs = 500;

/** How long answers are waited for once no more is read. */
const drainMsMax = 5_000;

export interface SourceConnectionOptions {
  readonly socket: net.Socket;
  readonly id: number;
  readonly peer: string | undefined;
  readonly receive: Receive;
  readonly frameBytesMax: number;
  readonly counters: ConnectionCounters;
  /** The source's coarse clock, in ticks. */
  readonly now: () => number;
  readonly onEvent: (kind: ConnectionEventKind, reason?: string) => void;
  /** Called once, when the socket is gone. */
  readonly onClose: () => void;
}

/** How long a connection may be quiet, in ticks of the source's clock. */
export interface PatienceTicks {
  readonly read: number;
  readonly openFrame: number;
}

/** A frame on its way through intake. */
interface Turn {
  answer: IntakeAnswer | undefined;
}

export class SourceConnection {
  readonly #options: SourceConnectionOptions;
  readonly #socket: net.Socket;
  readonly #decoder: FrameDecoder;
  /** Oldest first. */
  readonly #turns: Turn[] = [];
  #isFlushScheduled = false;
  #isWriteBlocked = false;
  /** The peer sends no more; the decoder may still hold frames of its. */
  #hasPeerEnded = false;
  /** No further frame is taken: the peer, the engine or a failure ended it. */
  #isEnding = false;
  /** Our side is closed, or the socket is gone. */
  #hasEnded = false;
  /** The event that told why it ended has been emitted. */
  #isExplained = false;
  #lastRead: number;
  #frameOpenSince = -1;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: SourceConnectionOptions) {
    this.#options = options;
    this.#socket = options.socket;
    this.#decoder = new FrameDecoder(options.frameBytesMax);
    this.#lastRead = options.now();
    const socket = this.#socket;
    socket.on("data", (chunk: Uint8Array) => this.#read(chunk));
    socket.on("end", () => this.#peerEnded());
    socket.on("drain", () => {
      this.#isWriteBlocked = false;
      this.#pull();
    });
    socket.on("error", (error: Error & { code?: string }) => this.#fail(error));
    socket.on("close", () => this.#closed());
  }

  /** Takes no further frame; answers what is under way, then closes. */
  stop(): void {
    this.#finish("closed", "stopped");
  }

  /** Closes at once, whatever is under way. */
  destroy(): void {
    this.#explain("closed", "stopped");
    this.#socket.destroy();
  }

  /** Called by the source at each tick: ends a connection that has been quiet for too long. */
  sweep(tick: number, patience: PatienceTicks): void {
    if (this.#isEnding) return;
    const isFrameStuck = this.#frameOpenSince !== -1 &&
      tick - this.#frameOpenSince >= patience.openFrame;
    // A partner that waits for our answer is not idle.
    const isQuiet = this.#turns.length === 0 && tick - this.#lastRead >= patience.read;
    if (!isFrameStuck && !isQuiet) return;
    this.#explain("closed", "idle_timeout");
    this.#socket.destroy();
  }

  #read(chunk: Uint8Array): void {
    this.#options.counters.bytesIn += chunk.length;
    if (this.#isEnding) return;
    this.#lastRead = this.#options.now();
    this.#decoder.push(chunk);
    this.#pull();
  }

  /** Takes frames from the decoder as long as there is room for more turns. */
  #pull(): void {
    let hasRestarted = false;
    while (!this.#isEnding && this.#turns.length < framesOutstandingMax && !this.#isWriteBlocked) {
      const found = this.#decoder.next();
      if (found === undefined) {
        if (this.#hasPeerEnded) return this.#finish("closed", "eof");
        this.#watchOpenFrame();
        this.#socket.resume();
        break;
      }
      this.#frameOpenSince = -1;
      if (typeof found !== "string") {
        this.#handOver(found);
      } else if (found === "oversize") {
        this.#finish("frame_oversize", "frame over max_frame_bytes");
      } else if (!hasRestarted) {
        hasRestarted = true;
        this.#options.onEvent("framing_error", "a new frame began inside an open one");
      }
    }
    const isFull = this.#turns.length >= framesOutstandingMax || this.#isWriteBlocked;
    if (isFull && !this.#isEnding) this.#socket.pause();
  }

  /** A pause does not hold the end back: frames that wait for room are taken all the same. */
  #peerEnded(): void {
    this.#hasPeerEnded = true;
    this.#pull();
  }

  #watchOpenFrame(): void {
    if (!this.#decoder.isOpen) this.#frameOpenSince = -1;
    else if (this.#frameOpenSince === -1) this.#frameOpenSince = this.#options.now();
  }

  #handOver(bytes: Uint8Array): void {
    const { id, peer, receive } = this.#options;
    const turn: Turn = { answer: undefined };
    this.#turns.push(turn);
    receive({ bytes, connectionId: id, peer }).then(
      (answer) => this.#settle(turn, answer),
      () => this.#settle(turn, { stored: false }),
    );
  }

  /** Answers of one commit arrive together; the flush runs after the last of them. */
  #settle(turn: Turn, answer: IntakeAnswer): void {
    turn.answer = answer;
    if (this.#isFlushScheduled || this.#turns[0]?.answer === undefined) return;
    this.#isFlushScheduled = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#isFlushScheduled = false;
    if (this.#hasEnded) return;
    const replies: Uint8Array[] = [];
    let isRefused = false;
    let answered = 0;
    for (const { answer } of this.#turns) {
      if (answer === undefined) break;
      answered++;
      if (!answer.stored) {
        isRefused = true;
        break;
      }
      if (answer.reply !== undefined) replies.push(answer.reply);
    }
    this.#turns.splice(0, answered);
    if (replies.length > 0) this.#write(frameAll(replies));
    this.#lastRead = this.#options.now();
    if (isRefused) {
      this.#turns.length = 0;
      this.#finish("intake_error", "the message could not be stored");
    } else if (this.#isEnding) {
      if (this.#turns.length === 0) this.#end();
    } else {
      this.#pull();
    }
  }

  #write(bytes: Uint8Array): void {
    this.#options.counters.bytesOut += bytes.length;
    if (!this.#socket.write(bytes)) this.#isWriteBlocked = true;
  }

  /** Takes no more frames. What was handed over is answered first, for it may be stored already. */
  #finish(kind: ConnectionEventKind, reason: string): void {
    this.#explain(kind, reason);
    if (!this.#isEnding) {
      this.#isEnding = true;
      this.#decoder.reset();
      this.#frameOpenSince = -1;
      this.#destroyIn(drainMsMax);
    }
    if (this.#turns.length === 0) this.#end();
    else this.#socket.pause();
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#destroyIn(lingerMs);
    this.#socket.end();
    this.#socket.resume();
  }

  #destroyIn(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#socket.destroyed) this.#timer = setTimeout(() => this.#socket.destroy(), ms);
  }

  #fail(error: Error & { code?: string }): void {
    const isTls = error.code?.startsWith("ERR_SSL") || error.code?.startsWith("ERR_TLS");
    this.#explain(isTls ? "tls_error" : "peer_reset", error.code);
  }

  /** A connection's end is told once: the first cause is the true one. */
  #explain(kind: ConnectionEventKind, reason: string | undefined): void {
    if (this.#isExplained) return;
    this.#isExplained = true;
    this.#options.onEvent(kind, reason);
  }

  #closed(): void {
    clearTimeout(this.#timer);
    this.#isEnding = true;
    this.#hasEnded = true;
    this.#turns.length = 0;
    this.#decoder.reset();
    this.#explain("closed", "eof");
    this.#options.onClose();
  }
}
