/**
 * Compares what was sent with what arrived, message by message. Pure.
 *
 * Upstream: the logs of `sender.ts` and `sink.ts`. Downstream: `run.ts`; a run with a finding has
 * no rate. A message counts as owed once its sender holds a positive acknowledgement.
 */
import { ACK_CODES, type ArrivalLog, type SentLog } from "./columns.ts";
import { SEQUENCES_MAX } from "./control_id.ts";

/** Findings of one run; all but `sent` and `delivered` must be 0. */
export interface Findings {
  readonly sent: number;
  /** Distinct deliveries (message and lane) that were owed or sent and arrived. */
  readonly delivered: number;
  /** Acknowledged to the sender, never seen on a lane it was routed to. */
  readonly lost: number;
  /** Arrivals beyond the first of one message on one lane. */
  readonly duplicated: number;
  /** First arrivals behind a later message of the same source on the same lane. */
  readonly outOfOrder: number;
  /** Arrivals nobody sent, or on a lane they were not routed to. */
  readonly foreign: number;
  /** Sent without any answer. */
  readonly unanswered: number;
  /** Answered with another code than AA or CA. */
  readonly refused: number;
  /** Answered with another message's control ID in MSA-2. */
  readonly mismatched: number;
}

/** Findings, and per sent row and lane what the latencies need. */
export interface Reconciliation {
  readonly findings: Findings;
  /** Arrival time of the last lane a sent row reached, by index of the sent log; 0 when lost. */
  readonly arrivedAt: Float64Array;
}

/** Lanes that messages of each source are routed to, by source index. */
export type Routes = readonly (readonly number[])[];

/** Reconciles two logs; see `Findings` for what each count means. */
export function reconcile(sent: SentLog, arrivals: ArrivalLog, routes: Routes): Reconciliation {
  const rows = rowsBySource(sent, routes.length);
  const fanOutMax = routes.reduce((most, lanes) => Math.max(most, lanes.length), 0);
  const seen = new Uint8Array(sent.length * fanOutMax);
  const latest = routes.map((lanes) => lanes.map(() => -1));
  const arrivedAt = new Float64Array(sent.length);
  let delivered = 0, duplicated = 0, outOfOrder = 0, foreign = 0;

  for (let index = 0; index < arrivals.length; index++) {
    const key = arrivals.key[index]!;
    const source = Math.floor(key / SEQUENCES_MAX);
    const sequence = key - source * SEQUENCES_MAX;
    const row = key < 0 ? undefined : rows[source]?.[sequence];
    const branch = routes[source]?.indexOf(arrivals.lane[index]!) ?? -1;
    if (row === undefined || row < 0 || branch < 0) {
      foreign++;
      continue;
    }
    if (seen[row * fanOutMax + branch]! > 0) {
      duplicated++;
      continue;
    }
    seen[row * fanOutMax + branch] = 1;
    delivered++;
    if (sequence < latest[source]![branch]!) outOfOrder++;
    else latest[source]![branch] = sequence;
    arrivedAt[row] = Math.max(arrivedAt[row]!, arrivals.at[index]!);
  }

  let lost = 0, unanswered = 0, refused = 0, mismatched = 0;
  for (let row = 0; row < sent.length; row++) {
    const ack = sent.ack[row]!;
    if (ack === ACK_CODES.none) unanswered++;
    else if (ack === ACK_CODES.refused) refused++;
    else if (ack === ACK_CODES.mismatched) mismatched++;
    const lanes = routes[sent.source[row]!]!.length;
    let reached = 0;
    for (let branch = 0; branch < lanes; branch++) reached += seen[row * fanOutMax + branch]!;
    if (reached < lanes) {
      arrivedAt[row] = 0;
      if (ack === ACK_CODES.accepted) lost += lanes - reached;
    }
  }
  const findings = {
    sent: sent.length,
    delivered,
    lost,
    duplicated,
    outOfOrder,
    foreign,
    unanswered,
    refused,
    mismatched,
  };
  return { findings, arrivedAt };
}

/** Returns one sentence naming every finding, or undefined when all messages reconcile. */
export function complaint(findings: Findings): string | undefined {
  const { sent, delivered: _, ...counts } = findings;
  const found = Object.entries(counts).filter(([, count]) => count > 0);
  if (found.length > 0) {
    return found.map(([what, count]) => `${count} ${words(what)}`).join(", ");
  }
  return sent === 0 ? "nothing was sent" : undefined;
}

/** Value below which `share` (0 to 1) of `values` lies, by nearest rank; undefined when empty. */
export function percentile(values: Float64Array, share: number): number | undefined {
  if (values.length === 0) return undefined;
  const sorted = values.toSorted();
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))];
}

/** Sent-log row of each source's sequence; -1 where a sequence was never sent. */
function rowsBySource(sent: SentLog, sources: number): Int32Array[] {
  const counts = new Int32Array(sources);
  for (let row = 0; row < sent.length; row++) {
    const source = sent.source[row]!;
    counts[source] = Math.max(counts[source]!, sent.sequence[row]! + 1);
  }
  const rows = Array.from(counts, (count) => new Int32Array(count).fill(-1));
  for (let row = 0; row < sent.length; row++) {
    const ofSource = rows[sent.source[row]!]!;
    if (ofSource[sent.sequence[row]!] !== -1) {
      throw new Error(`The sender used sequence ${sent.sequence[row]} twice`);
    }
    ofSource[sent.sequence[row]!] = row;
  }
  return rows;
}

function words(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
