/**
 * The sending side of a run, one process: one connection a source, every send and ACK logged.
 *
 * Closed loop: a source sends its next message when the last one is acknowledged. Open loop: the
 * schedule decides, with at most `depth` messages in flight on a connection.
 * Upstream: `run.ts` starts it and orders phases. Downstream: the sent log for `reconcile.ts`.
 */
import type { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { obey, readPlan, report } from "./child.ts";
import { ACK_CODES, sentColumns, sentLog } from "./columns.ts";
import { CONTROL_ID_BYTES, controlKey, readControlKey, writeControlId } from "./control_id.ts";
import { writeSequence } from "./control_id.ts";
import { clockSince } from "./machine.ts";
import { copyFrame, type MessageFrame, messagePool } from "./messages.ts";
import { acknowledgement, FrameReader } from "./mllp.ts";

/** What `run.ts` passes as the first argument. */
export interface SenderPlan {
  /** Port each source connects to on 127.0.0.1, by source index. */
  readonly ports: readonly number[];
  /** Messages in flight on one connection, at most; 1 in a closed loop. */
  readonly depth: number;
  readonly messageBytes: number;
  /** Zero of all times in the log, milliseconds since the Unix epoch. */
  readonly epochMs: number;
  readonly logFile: string;
}

/** One order to send: ends after `seconds` or `count`, whichever comes first. */
export interface SendOrder {
  readonly seconds: number;
  readonly count: number;
  /** Over all sources; 0 for a closed loop. */
  readonly ratePerSecond: number;
}

const POOL_SIZE = 16;
const ACK_LIMIT_MS = 30_000;
const CONNECT_BURST = 64;
const TICK_MS = 1;

const plan = readPlan<SenderPlan>();
const now = clockSince(plan.epochMs);
const log = sentLog();
const pool = messagePool({ count: POOL_SIZE, bytes: plan.messageBytes });
let phase: Phase | undefined;

/** One connection: messages in flight form a ring over its slots. */
class Source {
  inFlight = 0;
  readonly #index: number;
  readonly #socket: Socket;
  readonly #slots: readonly MessageFrame[];
  /** Sent-log row of each slot's message. */
  readonly #rows: Float64Array;
  readonly #frames = new FrameReader();
  #sent = 0;
  #acknowledged = 0;

  constructor(index: number, socket: Socket) {
    this.#index = index;
    this.#socket = socket;
    this.#slots = Array.from({ length: Math.max(plan.depth, 4) }, (_, slot) => {
      const message = copyFrame(pool[(index * 5 + slot) % POOL_SIZE]!);
      writeControlId(message.bytes, message.controlIdAt, { source: index, sequence: 0 });
      return message;
    });
    this.#rows = new Float64Array(this.#slots.length);
    socket.on("data", (chunk: Buffer) => this.#frames.push(chunk, this.#onAck));
    socket.on("error", (error) => fail(`connection of source ${index}: ${error.message}`));
    socket.on("close", () => fail(`the engine closed the connection of source ${index}`));
  }

  /** Sends the next message; `dueAt` is when it should have left. */
  send(dueAt: number): void {
    // A slot is free again once its message is acknowledged: by then the socket has sent it.
    const slot = this.#sent % this.#slots.length;
    const message = this.#slots[slot]!;
    const row = log.add();
    writeSequence(message.bytes, message.controlIdAt, this.#sent);
    log.set(row, sentColumns.source, this.#index);
    log.set(row, sentColumns.sequence, this.#sent);
    log.set(row, sentColumns.sentAt, dueAt);
    this.#rows[slot] = row;
    this.#sent++;
    this.inFlight++;
    this.#socket.write(message.bytes);
  }

  readonly #onAck = (bytes: Buffer, start: number, end: number): void => {
    const at = now();
    if (this.inFlight === 0) return fail(`source ${this.#index} got an answer it did not ask for`);
    const row = this.#rows[this.#acknowledged % this.#slots.length]!;
    const fields = acknowledgement(bytes, start, end);
    const expected = controlKey(this.#index, this.#acknowledged);
    log.set(row, sentColumns.ackAt, at);
    log.set(row, sentColumns.ack, verdict(bytes, { fields, expected }));
    this.#acknowledged++;
    this.inFlight--;
    phase?.onAck(this, at);
  };
}

function verdict(
  bytes: Buffer,
  { fields, expected }: { fields: ReturnType<typeof acknowledgement>; expected: number },
): number {
  if (fields === undefined || !fields.isPositive) return ACK_CODES.refused;
  const key = readControlKey(bytes, fields.controlIdAt);
  const after = bytes[fields.controlIdAt + CONTROL_ID_BYTES];
  const whole = after === 0x0d || after === 0x7c || after === 0x1c;
  return key === expected && whole ? ACK_CODES.accepted : ACK_CODES.mismatched;
}

/** One order being carried out over all sources. */
class Phase {
  readonly #sources: readonly Source[];
  readonly #order: SendOrder;
  readonly #firstRow = log.length;
  readonly #startedAt = now();
  readonly #endsAt: number;
  /** Due times of messages that wait for a free slot, per source. Open loop only. */
  readonly #waiting: Map<Source, number[]> = new Map();
  #tickTimer: ReturnType<typeof setTimeout> | undefined;
  #due = 0;
  #open = 0;
  #lastAckAt = now();
  #sendingEndedAt = 0;
  readonly #watch: ReturnType<typeof setInterval>;
  /** Open loop: how late a send left though its slot was free, milliseconds. */
  #latestMs = 0;

  constructor(sources: readonly Source[], order: SendOrder) {
    this.#sources = sources;
    this.#order = order;
    this.#endsAt = this.#startedAt + order.seconds * 1000;
    this.#watch = setInterval(() => this.#checkForSilence(), 1000);
  }

  start(): void {
    if (this.#order.ratePerSecond > 0) {
      this.#tick();
      return;
    }
    for (const source of this.#sources) this.#sendNext(source, now());
  }

  onAck(source: Source, at: number): void {
    this.#open--;
    this.#lastAckAt = at;
    if (this.#order.ratePerSecond === 0) this.#sendNext(source, at);
    else this.#sendWaiting(source);
    if (this.#open === 0 && this.#sendingEndedAt > 0) this.#finish();
  }

  /** Stops without a word, because the run has failed. */
  abandon(): void {
    clearInterval(this.#watch);
    clearTimeout(this.#tickTimer);
    phase = undefined;
  }

  #finish(): void {
    this.abandon();
    report({
      event: "sent",
      firstRow: this.#firstRow,
      endRow: log.length,
      startedAt: this.#startedAt,
      sendingEndedAt: this.#sendingEndedAt,
      latestMs: this.#latestMs,
    });
  }

  #sendNext(source: Source, at: number): void {
    if (at >= this.#endsAt || this.#due >= this.#order.count) {
      if (this.#sendingEndedAt === 0) this.#sendingEndedAt = at;
      return;
    }
    this.#due++;
    this.#open++;
    source.send(at);
  }

  /** Sends what became due since the last tick, sources in turn. */
  #tick(): void {
    const at = now();
    const elapsedMs = Math.min(at, this.#endsAt) - this.#startedAt;
    const wanted = Math.min(
      this.#order.count,
      Math.floor(elapsedMs * this.#order.ratePerSecond / 1000),
    );
    while (this.#due < wanted) {
      const dueAt = this.#startedAt + (this.#due + 1) * 1000 / this.#order.ratePerSecond;
      const source = this.#sources[this.#due % this.#sources.length]!;
      this.#due++;
      this.#open++;
      if (source.inFlight < plan.depth) {
        // The timer's own lateness is not the engine's: such a message counts from now.
        this.#latestMs = Math.max(this.#latestMs, at - dueAt);
        source.send(at);
      } else this.#wait(source, dueAt);
    }
    if (at < this.#endsAt && this.#due < this.#order.count) {
      this.#tickTimer = setTimeout(() => this.#tick(), TICK_MS);
    } else {
      this.#sendingEndedAt = at;
      if (this.#open === 0) this.#finish();
    }
  }

  #wait(source: Source, dueAt: number): void {
    const waiting = this.#waiting.get(source);
    if (waiting === undefined) this.#waiting.set(source, [dueAt]);
    else waiting.push(dueAt);
  }

  #sendWaiting(source: Source): void {
    const dueAt = this.#waiting.get(source)?.shift();
    if (dueAt !== undefined) source.send(dueAt);
  }

  #checkForSilence(): void {
    if (this.#open > 0 && now() - this.#lastAckAt > ACK_LIMIT_MS) {
      fail(`no acknowledgement for ${ACK_LIMIT_MS} ms, ${this.#open} messages open`);
    }
  }
}

async function openSources(): Promise<Source[]> {
  const sources: Source[] = [];
  for (let from = 0; from < plan.ports.length; from += CONNECT_BURST) {
    const ports = plan.ports.slice(from, from + CONNECT_BURST);
    const sockets = await Promise.all(ports.map(openSocket));
    for (const socket of sockets) sources.push(new Source(sources.length, socket));
  }
  return sources;
}

function openSocket(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    socket.once("connect", () => {
      socket.off("error", reject);
      resolve(socket);
    });
    socket.once("error", reject);
  });
}

/** Ends the run: between phases a closed connection is nobody's loss. */
function fail(reason: string): void {
  if (phase === undefined) return;
  phase.abandon();
  report({ event: "failed", reason });
}

let sources: Source[] = [];
report({ event: "ready" });
await obey((command) => {
  switch (command.command) {
    case "connect":
      openSources().then((opened) => {
        sources = opened;
        report({ event: "connected" });
      }, (error) => report({ event: "failed", reason: String(error) }));
      break;
    case "send":
      phase = new Phase(sources, {
        seconds: Number(command.seconds),
        count: Number(command.count),
        ratePerSecond: Number(command.ratePerSecond),
      });
      phase.start();
      break;
    case "save":
      log.save(plan.logFile).then(
        () => report({ event: "saved", total: log.length }),
        (error) => report({ event: "failed", reason: String(error) }),
      );
      break;
  }
});
