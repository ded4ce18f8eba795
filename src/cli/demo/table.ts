/** The demo's table as lines of text. Pure. */
import type { TableRow } from "./figures.ts";

export interface Progress {
  readonly sent: number;
  readonly messages: number;
  readonly elapsedMs: number;
  readonly rows: readonly TableRow[];
  /** What just happened, newest last. */
  readonly notes: readonly string[];
}

const BAR_WIDTH = 30;
const HEADS = ["received", "routed", "delivered", "queued", "errors", "/s", "p50 ms", "p95 ms"];
const WIDTHS = [8, 6, 9, 6, 6, 6, 6, 6];

/** The whole picture, for a terminal that is redrawn. */
export function tableLines(progress: Progress): readonly string[] {
  const { rows, notes } = progress;
  const nameWidth = Math.max(12, ...rows.map(({ name }) => name.length));
  const line = (name: string, cells: readonly string[]) =>
    `  ${name.padEnd(nameWidth)}  ${
      cells.map((cell, index) => cell.padStart(WIDTHS[index]!)).join("  ")
    }`;
  return [
    `  ${bar(progress.sent / progress.messages)} ${headline(progress)}`,
    "",
    line("connection", HEADS),
    ...rows.map((row) => line(row.name, cellsOf(row))),
    "",
    ...notes.map((note) => `  ${note}`),
  ];
}

/** One line that says as much as a log can bear. */
export function progressLine(progress: Progress): string {
  const { rows } = progress;
  const sum = (count: (row: TableRow) => number) =>
    rows.reduce((total, row) => total + count(row), 0);
  return [
    headline(progress),
    `received ${sum(({ received }) => received)}`,
    `routed ${sum(({ routed }) => routed)}`,
    `delivered ${sum(({ delivered }) => delivered)}`,
    `queued ${sum(({ queued }) => queued)}`,
    `errors ${sum(({ errors }) => errors)}`,
  ].join("  ");
}

function headline({ sent, messages, elapsedMs }: Progress): string {
  return `${sent} of ${messages} sent  ${(elapsedMs / 1000).toFixed(1)} s`;
}

function bar(share: number): string {
  const full = Math.round(Math.min(1, share) * BAR_WIDTH);
  return `[${"#".repeat(full)}${".".repeat(BAR_WIDTH - full)}]`;
}

function cellsOf(row: TableRow): readonly string[] {
  const isInbound = row.direction === "in";
  return [
    isInbound ? String(row.received) : "",
    isInbound ? String(row.routed) : "",
    isInbound ? "" : String(row.delivered),
    isInbound ? "" : String(row.queued),
    String(row.errors),
    row.perSecond.toFixed(1),
    milliseconds(row.p50Ms),
    milliseconds(row.p95Ms),
  ];
}

export function milliseconds(value: number | undefined): string {
  if (value === undefined) return "-";
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}
