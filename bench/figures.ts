/**
 * Turns the logs and readings of a reconciled run into the figures of the table. Pure.
 *
 * Upstream: `run.ts`. Downstream: `report.ts`. Costs are divided by all messages sent while
 * measuring, and are read after the queue has drained, so that no message's cost is left out.
 */
import type { SentLog } from "./columns.ts";
import type { MachineCpu, Usage } from "./machine.ts";
import { percentile } from "./reconcile.ts";
import type { StoreTotals } from "./target.ts";

/** p50 and p99 in milliseconds. */
export interface Latency {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Figures of one run; "a message" is one message sent, whatever its fan-out. */
export interface Figures {
  readonly messages: number;
  /** Messages that reached all their lanes while sending lasted, per second. */
  readonly deliveredPerSecond: number;
  /** Messages over the time from the first send to the last arrival, per second. */
  readonly sustainedPerSecond: number;
  readonly acknowledgedPerSecond: number;
  /** Messages acknowledged or under way but not yet everywhere when sending ended. */
  readonly backlogAtEnd: number;
  /** Draining that backlog, messages per second; undefined for a backlog too small to time. */
  readonly drainPerSecond: number | undefined;
  readonly ack: Latency;
  /** First byte sent to arrival at the last lane. */
  readonly endToEnd: Latency;
  readonly cpuSecondsPerThousand: number;
  /** Processors in use on average while sending lasted. */
  readonly cpuLoad: number;
  /** Of sender and sink together. */
  readonly harnessCpuSecondsPerThousand: number;
  /**
   * Processors that anything else on the machine kept busy while sending lasted, kernel work for
   * our own processes' interrupts included. Much above 0.2, the rates are too low.
   */
  readonly otherLoad: number;
  /** Processors that the host took away while sending lasted; lowers the rates likewise. */
  readonly stolenLoad: number;
  readonly peakMemoryMb: number;
  readonly commitsPerMessage: number | undefined;
  readonly statementsPerMessage: number | undefined;
  readonly fsyncsPerMessage: number | undefined;
  /** Statements a second with nothing to do; only where the profile watches it. */
  readonly idleStatementsPerSecond: number | undefined;
  /** Processors in use with nothing to do; only where the profile watches it. */
  readonly idleCpuLoad: number | undefined;
  /** Resident memory with nothing to do; only where the profile watches it. */
  readonly idleMemoryMb: number | undefined;
}

/** What a target showed at one moment. */
export interface Reading {
  /** Of the target. */
  readonly usage: Usage;
  /** Milliseconds from an arbitrary origin. */
  readonly at: number;
  /** Of sender and sink. */
  readonly harnessCpuSeconds: number;
  /** Of everything that runs on the machine. */
  readonly machineCpu: MachineCpu;
  readonly totals: StoreTotals | undefined;
}

export interface Measurement {
  readonly sent: SentLog;
  /** Arrival at the last lane, by sent row. */
  readonly arrivedAt: Float64Array;
  /** Rows of the sent log that were measured: `[firstRow, endRow)`. */
  readonly firstRow: number;
  readonly endRow: number;
  readonly startedAt: number;
  readonly sendingEndedAt: number;
  /** Some seconds before `before`, with nothing sent in between. */
  readonly idleFrom: Reading | undefined;
  readonly before: Reading;
  readonly atEndOfSending: Reading;
  readonly after: Reading;
}

const DRAIN_MESSAGES_MIN = 1_000;

/** Computes the figures of a run all of whose messages reconcile. */
export function figuresOf(measurement: Measurement): Figures {
  const { sent, firstRow, endRow, startedAt, sendingEndedAt, before, after } = measurement;
  const messages = endRow - firstRow;
  const arrivedAt = measurement.arrivedAt.subarray(firstRow, endRow);
  const sentAt = sent.sentAt.subarray(firstRow, endRow);
  const ackAt = sent.ackAt.subarray(firstRow, endRow);
  const sendingSeconds = (sendingEndedAt - startedAt) / 1000;
  const lastArrivalAt = arrivedAt.reduce((last, at) => Math.max(last, at), 0);
  const inTime = count(arrivedAt, (at) => at <= sendingEndedAt);
  const backlogAtEnd = messages - inTime;
  const whileSending = (of: (reading: Reading) => number) =>
    (of(measurement.atEndOfSending) - of(before)) / sendingSeconds;
  const perMessage = (of: (totals: StoreTotals) => number) =>
    before.totals === undefined || after.totals === undefined
      ? undefined
      : (of(after.totals) - of(before.totals)) / messages;

  return {
    messages,
    deliveredPerSecond: inTime / sendingSeconds,
    sustainedPerSecond: messages / ((lastArrivalAt - startedAt) / 1000),
    acknowledgedPerSecond: count(ackAt, (at) => at <= sendingEndedAt) / sendingSeconds,
    backlogAtEnd,
    drainPerSecond: backlogAtEnd < DRAIN_MESSAGES_MIN
      ? undefined
      : backlogAtEnd / ((lastArrivalAt - sendingEndedAt) / 1000),
    ack: latency(sentAt, ackAt),
    endToEnd: latency(sentAt, arrivedAt),
    cpuSecondsPerThousand: (after.usage.cpuSeconds - before.usage.cpuSeconds) / messages * 1000,
    cpuLoad: whileSending(({ usage }) => usage.cpuSeconds),
    harnessCpuSecondsPerThousand: (after.harnessCpuSeconds - before.harnessCpuSeconds) /
      messages * 1000,
    otherLoad: whileSending((reading) =>
      reading.machineCpu.busySeconds - reading.usage.cpuSeconds - reading.harnessCpuSeconds
    ),
    stolenLoad: whileSending(({ machineCpu }) => machineCpu.stolenSeconds),
    peakMemoryMb: after.usage.peakMemoryMb,
    commitsPerMessage: perMessage((totals) => totals.commits),
    statementsPerMessage: perMessage((totals) => totals.statements),
    fsyncsPerMessage: perMessage((totals) => totals.fsyncs),
    idleStatementsPerSecond: whileIdle(measurement, ({ totals }) => totals?.statements),
    idleCpuLoad: whileIdle(measurement, ({ usage }) => usage.cpuSeconds),
    idleMemoryMb: measurement.idleFrom === undefined ? undefined : before.usage.memoryMb,
  };
}

/** Growth of a total over the idle seconds before measuring, per second. */
function whileIdle(
  { idleFrom, before }: Measurement,
  of: (reading: Reading) => number | undefined,
): number | undefined {
  const from = idleFrom && of(idleFrom);
  const to = of(before);
  if (idleFrom === undefined || from === undefined || to === undefined) return undefined;
  return (to - from) / ((before.at - idleFrom.at) / 1000);
}

function latency(from: Float64Array, to: Float64Array): Latency {
  const took = to.map((at, row) => at - from[row]!);
  return { p50Ms: percentile(took, 0.5) ?? NaN, p99Ms: percentile(took, 0.99) ?? NaN };
}

function count(values: Float64Array, matches: (value: number) => boolean): number {
  let found = 0;
  for (const value of values) if (matches(value)) found++;
  return found;
}
