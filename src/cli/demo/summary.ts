/** What the demo says at its end, as JSON and as text. Pure. */
import { type DataFolder, nearPath } from "./data_folder.ts";
import type { Disposition } from "./expectation.ts";
import type { Latency } from "./figures.ts";
import type { LaneResult } from "./reconcile.ts";
import { milliseconds } from "./table.ts";

/** `--json`: everything the run found out. */
export interface Summary {
  readonly ok: boolean;
  readonly seed: string;
  readonly messages: number;
  readonly seconds: number;
  readonly per_second: number;
  /** How often each acknowledgement code came. */
  readonly answers: Readonly<Record<string, number>>;
  readonly ack_ms: { readonly p50: number | null; readonly p95: number | null };
  readonly dispositions: Readonly<Record<Disposition, number>>;
  readonly deliveries: readonly {
    readonly outbound: string;
    readonly to: string;
    readonly due: number;
    readonly arrived: number | null;
    readonly in_order: boolean | null;
    readonly latency_ms: { readonly p50: number | null; readonly p95: number | null };
  }[];
  /** Deliveries a partner refused with AE, which the engine sent again. */
  readonly refused_once: number;
  readonly problems: readonly string[];
  readonly api: string;
  readonly store: string;
  readonly engine_flags: readonly string[];
}

export interface SummaryInput {
  readonly seed: string;
  readonly messages: number;
  readonly elapsedMs: number;
  readonly answers: Readonly<Record<string, number>>;
  readonly acknowledged: Latency;
  readonly dispositions: Readonly<Record<Disposition, number>>;
  readonly lanes: readonly LaneResult[];
  readonly latencyOf: (outbound: string) => Latency;
  readonly refusedOnce: number;
  readonly problems: readonly string[];
  readonly api: string;
  readonly store: string;
  readonly flags: readonly string[];
}

export function summaryOf(input: SummaryInput): Summary {
  const { seed, messages, elapsedMs, answers, dispositions, lanes, problems, api, store } = input;
  return {
    ok: problems.length === 0,
    seed,
    messages,
    seconds: Math.round(elapsedMs) / 1000,
    per_second: Math.round(messages * 10_000 / elapsedMs) / 10,
    answers,
    ack_ms: plain(input.acknowledged),
    dispositions,
    deliveries: lanes.map(({ outbound, to, due, arrived, isInOrder }) => ({
      outbound,
      to,
      due,
      arrived: arrived ?? null,
      in_order: isInOrder ?? null,
      latency_ms: plain(input.latencyOf(outbound)),
    })),
    refused_once: input.refusedOnce,
    problems,
    api,
    store,
    engine_flags: input.flags,
  };
}

function plain({ p50Ms, p95Ms }: Latency) {
  const round = (ms: number | undefined) => ms === undefined ? null : Math.round(ms * 10) / 10;
  return { p50: round(p50Ms), p95: round(p95Ms) };
}

const MEANINGS: readonly (readonly [Disposition, string])[] = [
  ["processed", "every delivery is done"],
  ["filtered", "a handler saw it and sent nothing on"],
  ["unrouted", "no handler was chosen for it"],
  ["error", "refused at the door, or given up: kept to be looked at and replayed"],
];

/** The end of the demo in sentences; `command` is how this person starts tasks. */
export function closingLines(
  summary: Summary,
  { folder, command, isRunning }: { folder: DataFolder; command: string; isRunning: boolean },
): readonly string[] {
  return [
    "",
    ...verdictLines(summary),
    "",
    "Dispositions, one for each message in the store:",
    ...MEANINGS.map(([disposition, meaning]) =>
      `  ${disposition.toUpperCase().padEnd(10)}${
        String(summary.dispositions[disposition]).padStart(6)
      }  ${meaning}`
    ),
    "",
    "Deliveries:",
    ...summary.deliveries.map(deliveryLine),
    "",
    "The engine ran under these permissions and no others:",
    ...summary.engine_flags.map((flag) => `  ${flag}`),
    "",
    "Where the results lie:",
    ...column([
      [nearPath(folder.archive), "admissions as the archive got them"],
      [nearPath(folder.research), "results that name nobody"],
      [nearPath(folder.store), "every message, delivery and event (SQLite)"],
      [nearPath(folder.log), "what the engine said"],
    ]),
    "",
    ...nextLines(summary, { command, isRunning, folder }),
  ];
}

function verdictLines({ ok, messages, deliveries, problems, refused_once }: Summary): string[] {
  if (!ok) {
    return ["The demo does not add up:", ...problems.map((problem) => `  - ${problem}`)];
  }
  const due = deliveries.reduce((sum, lane) => sum + lane.due, 0);
  const retried = refused_once === 0
    ? ""
    : ` The laboratory refused ${refused_once} of them once; they blocked their lane and were sent again.`;
  const unseen = deliveries.filter(({ arrived }) => arrived === null);
  return [
    `All ${messages} messages that were sent are in the store; all ${due} deliveries they called ` +
    `for arrived, each once, in order on every lane.${retried}`,
    ...unseen.map(({ outbound, to, due }) =>
      `Not checked: ${due} deliveries of ${outbound}, which leads to ${to}.`
    ),
  ];
}

function deliveryLine(
  { outbound, to, due, arrived, in_order, latency_ms }: Summary["deliveries"][number],
) {
  const order = in_order === null ? "" : in_order ? ", in order" : ", OUT OF ORDER";
  const latency = latency_ms.p50 === null
    ? ""
    : `, ${milliseconds(latency_ms.p50)} ms from sender to partner (p95 ${
      milliseconds(latency_ms.p95 ?? undefined)
    } ms)`;
  const shown = to.startsWith("/") ? nearPath(to) : to;
  return `  ${outbound.padEnd(22)} ${arrived ?? "?"} of ${due} at ${shown}${order}${latency}`;
}

function nextLines(
  { api }: Summary,
  { command, isRunning, folder }: { command: string; isRunning: boolean; folder: DataFolder },
): string[] {
  const { port } = new URL(api);
  const data = nearPath(folder.dir) === "demo-data" ? "" : ` --data ${nearPath(folder.dir)}`;
  // As the demo's own engine runs: the requests below are anybody's on this machine.
  const serve = `MEFOR_AUTH_ENABLED=false ${command} serve --env dev --db ${
    nearPath(folder.store)
  } --port ${port}`;
  return [
    "What to try next:",
    ...(isRunning
      ? ["  The engine goes on until Ctrl-C; ask it from another terminal:"]
      : [`  ${serve}`, "  That starts the engine on this store; ask it from another terminal:"]),
    ...column([
      [`curl -s ${api}/connections`, "what each connection has done"],
      [`curl -s "${api}/messages?status=error"`, "messages that need a person"],
    ]).map((line) => `  ${line}`),
    ...column([
      [`${command} demo --rate 0 --messages 2000${data}`, "as fast as this machine will"],
      [`${command} demo --keep${data}`, "another day in the same store"],
    ]),
    "  Edit graph/admissions.ts and run the demo again: it checks against the graph as it stands.",
  ];
}

/** Two columns, the first as wide as its widest. */
function column(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}   ${right}`);
}
