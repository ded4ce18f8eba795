/**
 * The reference loop: what this runtime does at best with the engine's duties and none of its code.
 *
 * Upstream: senders over MLLP. A message is inserted durably by one writer worker with group
 * commit, acknowledged after the commit, sent on one persistent connection a lane with one message
 * in flight, and marked done, durably, before the lane sends its next. Downstream: the sinks.
 * No author code, no parsing, no disposition: the engine's rate is read as a share of this one.
 */
import { Buffer } from "node:buffer";
import { connect, createServer, type Socket } from "node:net";
import { obey, readPlan, report } from "./child.ts";
import { CONTROL_ID_BYTES, readControlKey } from "./control_id.ts";
import {
  acknowledgement,
  frame,
  FrameReader,
  headerField,
  positiveAcknowledgement,
} from "./mllp.ts";
import type { WriterBatch, WriterTotals } from "./reference_writer.ts";

/** What `target.ts` passes as the first argument. */
export interface ReferencePlan {
  readonly inbounds: readonly { readonly port: number; readonly lanes: readonly number[] }[];
  /** Port of each lane's partner on 127.0.0.1. */
  readonly lanePorts: readonly number[];
  readonly databaseFile: string;
  readonly synchronous: "full" | "normal";
}

interface Received {
  readonly socket: Socket;
  /** With its block characters: it leaves as it came. */
  readonly framed: Buffer;
  readonly lanes: readonly number[];
}

const RECONNECT_MS = 100;
const BATCH_ROWS_MAX = 512;

const plan = readPlan<ReferencePlan>();

/** One partner: a queue in memory, the head of which is in flight. */
class Lane {
  readonly #port: number;
  readonly #frames = new FrameReader();
  #queue: Buffer[] = [];
  #ids: number[] = [];
  #head = 0;
  #isBusy = false;
  #socket: Socket | undefined;

  constructor(port: number) {
    this.#port = port;
  }

  push(id: number, framed: Buffer): void {
    this.#ids.push(id);
    this.#queue.push(framed);
    this.sendHead();
  }

  /** The head is durably done: the next may leave. */
  advance(): void {
    this.#head++;
    if (this.#head > 1024 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#ids = this.#ids.slice(this.#head);
      this.#head = 0;
    }
    this.#isBusy = false;
    this.sendHead();
  }

  sendHead(): void {
    if (this.#isBusy || this.#head >= this.#queue.length) return;
    this.#isBusy = true;
    if (this.#socket === undefined) this.#dial();
    else this.#socket.write(this.#queue[this.#head]!);
  }

  #dial(): void {
    const socket = connect({ host: "127.0.0.1", port: this.#port, noDelay: true });
    socket.on("connect", () => {
      this.#socket = socket;
      socket.write(this.#queue[this.#head]!);
    });
    socket.on("data", (chunk: Buffer) => this.#frames.push(chunk, this.#onAck));
    socket.on("error", () => socket.destroy());
    socket.on("close", () => {
      this.#socket = undefined;
      if (this.#isBusy) setTimeout(() => this.#dial(), RECONNECT_MS);
    });
  }

  readonly #onAck = (bytes: Buffer, start: number, end: number): void => {
    const framed = this.#queue[this.#head]!;
    const sent = readControlKey(framed, headerField(framed, 1, 10));
    const fields = acknowledgement(bytes, start, end);
    if (fields?.isPositive !== true || readControlKey(bytes, fields.controlIdAt) !== sent) {
      report({ event: "failed", reason: "a partner's answer does not match" });
      return;
    }
    doneIds.push(this.#ids[this.#head]!);
    doneLanes.push(this);
    scheduleBatch();
  };
}

const lanes = plan.lanePorts.map((port) => new Lane(port));
const writer = new Worker(new URL("./reference_writer.ts", import.meta.url), { type: "module" });
let totals: WriterTotals = { commits: 0, statements: 0, fsyncs: 0 };
const received: Received[] = [];
let doneIds: number[] = [];
let doneLanes: Lane[] = [];
let isWriting = false;
let isScheduled = false;
let lastId = 0;

/** Lets everything this turn of the event loop brings join the batch. */
function scheduleBatch(): void {
  if (isWriting || isScheduled) return;
  isScheduled = true;
  queueMicrotask(() => {
    isScheduled = false;
    postBatch();
  });
}

function postBatch(): void {
  if (isWriting || (received.length === 0 && doneIds.length === 0)) return;
  isWriting = true;
  const accepted = received.splice(0, BATCH_ROWS_MAX);
  const finished = doneLanes;
  const firstId = lastId + 1;
  const bodies = new ArrayBuffer(accepted.reduce((sum, one) => sum + one.framed.length - 3, 0));
  const batch = buildBatch(accepted, { firstId, bodies });
  doneIds = [];
  doneLanes = [];
  lastId += batch.lanes.length;
  writer.onmessage = ({ data }: MessageEvent<WriterTotals>) => {
    totals = data;
    isWriting = false;
    postBatchAfter(accepted, { firstId, finished });
  };
  writer.postMessage(batch, [bodies]);
}

/** The commit is durable: acknowledge, hand over to the lanes, and start the next batch. */
function postBatchAfter(
  accepted: readonly Received[],
  { firstId, finished }: { firstId: number; finished: readonly Lane[] },
): void {
  postBatch();
  let id = firstId;
  for (const message of accepted) {
    const at = headerField(message.framed, 1, 10);
    message.socket.write(positiveAcknowledgement(message.framed, at, at + CONTROL_ID_BYTES));
    for (const lane of message.lanes) lanes[lane]!.push(id++, message.framed);
  }
  for (const lane of finished) lane.advance();
}

function buildBatch(
  accepted: readonly Received[],
  { firstId, bodies }: { firstId: number; bodies: ArrayBuffer },
): WriterBatch {
  const rows = accepted.reduce((sum, message) => sum + message.lanes.length, 0);
  const batch = {
    firstId,
    lanes: new Uint16Array(rows),
    bodies: new Uint8Array(bodies),
    starts: new Uint32Array(rows),
    ends: new Uint32Array(rows),
    doneIds: Float64Array.from(doneIds),
  };
  let row = 0, at = 0;
  for (const message of accepted) {
    const end = at + message.framed.length - 3;
    batch.bodies.set(message.framed.subarray(1, message.framed.length - 2), at);
    for (const lane of message.lanes) {
      batch.lanes[row] = lane;
      batch.starts[row] = at;
      batch.ends[row++] = end;
    }
    at = end;
  }
  return batch;
}

function listen(inbound: ReferencePlan["inbounds"][number]): Promise<void> {
  const server = createServer({ noDelay: true }, (socket) => {
    const frames = new FrameReader();
    socket.on("data", (chunk: Buffer) => {
      frames.push(chunk, (bytes, start, end) => {
        // A carriage return that has yet to come is put back.
        const framed = end + 2 <= bytes.length
          ? bytes.subarray(start - 1, end + 2)
          : frame(bytes.subarray(start, end));
        received.push({ socket, framed, lanes: inbound.lanes });
        scheduleBatch();
      });
    });
    socket.on("error", () => socket.destroy());
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ host: "127.0.0.1", port: inbound.port, backlog: 1024 }, resolve);
  });
}

writer.onmessage = () => {
  Promise.all(plan.inbounds.map(listen)).then(
    () => report({ event: "ready" }),
    (error) => report({ event: "failed", reason: String(error) }),
  );
};
writer.postMessage({ file: plan.databaseFile, synchronous: plan.synchronous });
await obey(({ command }) => {
  if (command === "stats") report({ event: "stats", ...totals });
});
