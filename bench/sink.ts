/**
 * The partners of a run, one process: one port a lane, AA at once, every arrival logged.
 *
 * Upstream: `run.ts` starts it and says when to listen; the engine under test connects.
 * Downstream: the arrival log for `reconcile.ts`. Reads two header fields and no more.
 */
import type { Buffer } from "node:buffer";
import { createServer, type Socket } from "node:net";
import { obey, readPlan, report } from "./child.ts";
import { arrivalColumns, arrivalLog } from "./columns.ts";
import { CONTROL_ID_BYTES, readControlKey } from "./control_id.ts";
import { clockSince } from "./machine.ts";
import { FrameReader, headerField, positiveAcknowledgement } from "./mllp.ts";

/** What `run.ts` passes as the first argument. */
export interface SinkPlan {
  /** Port of each lane on 127.0.0.1. */
  readonly ports: readonly number[];
  /** Zero of all times in the log, milliseconds since the Unix epoch. */
  readonly epochMs: number;
  readonly logFile: string;
  /** MSH-4 every message must carry: proof that the author's code ran. Absent: not looked at. */
  readonly expectedFacility?: string;
}

const plan = readPlan<SinkPlan>();
const now = clockSince(plan.epochMs);
const log = arrivalLog();
const facility = plan.expectedFacility === undefined
  ? undefined
  : new TextEncoder().encode(plan.expectedFacility + "|");
let awaited = Infinity;
let untransformed = 0;

function accept(lane: number, socket: Socket): void {
  const frames = new FrameReader();
  socket.setNoDelay(true);
  socket.on("data", (chunk: Buffer) => {
    frames.push(chunk, (bytes, start, end) => {
      const from = headerField(bytes, start, 10);
      const key = readControlKey(bytes, from);
      // An unreadable control ID is logged as foreign and still answered.
      const to = from < 0 ? -1 : key < 0 ? fieldEnd(bytes, from, end) : from + CONTROL_ID_BYTES;
      socket.write(positiveAcknowledgement(bytes, Math.max(from, 0), Math.max(to, 0)));
      record(lane, key);
      if (facility !== undefined && !carriesFacility(bytes, start)) untransformed++;
    });
  });
  // A partner that goes away is the engine's affair; its log line is there.
  socket.on("error", () => socket.destroy());
}

function record(lane: number, key: number): void {
  const row = log.add();
  log.set(row, arrivalColumns.lane, lane);
  log.set(row, arrivalColumns.key, key);
  log.set(row, arrivalColumns.at, now());
  if (log.length === awaited) report({ event: "reached", total: log.length });
}

function carriesFacility(bytes: Buffer, start: number): boolean {
  const at = headerField(bytes, start, 4);
  return at >= 0 && facility!.every((byte, index) => bytes[at + index] === byte);
}

function fieldEnd(bytes: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && bytes[at] !== 0x7c && bytes[at] !== 0x0d) at++;
  return at;
}

async function listen(): Promise<void> {
  await Promise.all(plan.ports.map((port, lane) =>
    new Promise<void>((resolve, reject) => {
      const server = createServer({ noDelay: true }, (socket) => accept(lane, socket));
      server.once("error", reject);
      server.listen({ host: "127.0.0.1", port }, resolve);
    })
  ));
  report({ event: "listening" });
}

function failed(error: unknown): void {
  report({ event: "failed", reason: String(error) });
}

report({ event: "ready" });
await obey(({ command, total }) => {
  switch (command) {
    case "listen":
      listen().catch(failed);
      break;
    case "await":
      awaited = Number(total);
      if (log.length >= awaited) report({ event: "reached", total: log.length });
      break;
    case "count":
      report({ event: "count", total: log.length });
      break;
    case "save":
      log.save(plan.logFile)
        .then(() => report({ event: "saved", total: log.length, untransformed }))
        .catch(failed);
      break;
  }
});
