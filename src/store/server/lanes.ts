/**
 * Intents that read or change many rows at once: claims from cold, resync, sweeps, notes (spec
 * pipeline-store-cluster §1.3, §3). Errors they write are the store's own words, and sealed like any
 * other.
 */
import type { CellCipher } from "../../crypto/cells.ts";
import { answerOf } from "../answer_ref.ts";
import { cellsOf } from "../fold.ts";
import { renewCell } from "../cells.ts";
import type { QueueRecord } from "../changes.ts";
import type { ClaimResult, QueueRow, ResyncResult, SweepResult } from "../intent_results.ts";
import type {
  AnswerRef,
  ClaimIntent,
  ConnectionEventsIntent,
  NoteEventIntent,
  ResyncIntent,
  RowStatus,
  Stage,
  SweepMissingIntent,
} from "../intents.ts";
import { planPrefix, rowsRead } from "../lane_claim.ts";
import type { ServerRow } from "./dialect.ts";
import { tokensOf } from "./epoch.ts";
import type { Transaction } from "./transaction.ts";

/** What a node that does not lead is answered. */
const notClaimed: ClaimResult = {
  rows: [],
  drained: false,
  dueAt: undefined,
  exhausted: 0,
  suspect: false,
};

export async function claim(
  tx: Transaction,
  intent: ClaimIntent,
  cipher: CellCipher,
): Promise<ClaimResult> {
  await tx.begun;
  if (!tx.mayClaim) return notClaimed;
  return intent.unordered ? claimDue(tx, intent, cipher) : claimPrefix(tx, intent, cipher);
}

/** Any due rows of an unordered lane, oldest first; those that back off are skipped. */
async function claimDue(
  tx: Transaction,
  intent: ClaimIntent,
  cipher: CellCipher,
): Promise<ClaimResult> {
  const { stage, lane, limit, at, after } = intent;
  const [found, rest] = await Promise.all([
    tx.rows("readDueLane", stage, lane, after, at, limit + 1),
    tx.first("laneRest", stage, lane, after),
  ]);
  const read = found.map((row) => laneRow(row, cipher));
  const rows = read.slice(0, limit).map((row, index) => take(tx, row, intent, index));
  const none = { exhausted: 0, suspect: false };
  if (read.length > limit) return { rows, drained: false, dueAt: undefined, ...none };
  const dueAt = rows.length > 0 || rest?.due_at === null ? undefined : Number(rest?.due_at);
  return { rows, drained: Number(rest?.open) === rows.length, dueAt, ...none };
}

/** The contiguous due prefix of an ordered lane. */
async function claimPrefix(
  tx: Transaction,
  intent: ClaimIntent,
  cipher: CellCipher,
): Promise<ClaimResult> {
  const { stage, lane, at, after } = intent;
  const found = await tx.rows("readLane", stage, lane, after, rowsRead(intent));
  const read = found.map((row) => laneRow(row, cipher));
  const { take: taken, ahead, exhausted, ...plan } = planPrefix(read, intent);
  const rows = [
    ...taken.map((row, index) => take(tx, row, intent, index)),
    ...ahead.map((row) => toQueueRow(row, row.attempts, undefined)),
  ];
  if (exhausted.length > 0) {
    const error = cipher.seal("attempts exhausted");
    giveUp(tx, { rows: exhausted.map(({ record }) => buried(record, record.handler)), at, error });
  }
  return { rows, exhausted: exhausted.length, ...plan };
}

interface LaneRowRead {
  readonly record: QueueRecord;
  readonly status: RowStatus;
  readonly attempts: number;
  readonly dueAt: number;
  readonly messageId: string;
  readonly receivedAt: number;
  readonly metadata: string | undefined;
  readonly answer: AnswerRef | undefined;
  readonly cells: Pick<QueueRow, "body" | "base">;
}

function laneRow(row: ServerRow, cipher: CellCipher): LaneRowRead {
  const record = recordOf(row, cipher);
  const { status, attempts, dueAt } = record;
  return {
    ...{ record, status, attempts, dueAt },
    messageId: String(row.message_id),
    receivedAt: Number(row.received_at),
    metadata: textOf(row.metadata),
    answer: answerOf(textOf(row.answer)),
    cells: cellsOf(textOf(row.body), textOf(row.base), row.base_seq !== null),
  };
}

function textOf(cell: ServerRow[string] | undefined): string | undefined {
  return cell === null || cell === undefined ? undefined : String(cell);
}

/** A row of the queue as the tables hold it; its cell is sealed with the active key from here on. */
export function recordOf(row: ServerRow, cipher: CellCipher): QueueRecord {
  return {
    seq: Number(row.seq),
    messageSeq: Number(row.message_seq),
    stage: row.stage as Stage,
    lane: String(row.lane),
    channel: String(row.channel_id),
    handler: row.handler_name === null ? null : String(row.handler_name),
    bodySeq: Number(row.body_seq),
    status: row.status as RowStatus,
    attempts: Number(row.attempts),
    dueAt: Number(row.next_attempt_at),
    token: row.claim_token === null ? null : Number(row.claim_token),
    lastError: row.last_error === null ? null : renewCell(cipher, String(row.last_error)),
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
  };
}

function take(tx: Transaction, row: LaneRowRead, { token: first, at }: ClaimIntent, index: number) {
  const token = first + index;
  const attempts = row.attempts + 1;
  tx.changes.rowChange({ ...row.record, status: "inflight", attempts, token, updatedAt: at });
  return toQueueRow(row, attempts, token);
}

function toQueueRow(
  { record, messageId, receivedAt, metadata, answer, cells }: LaneRowRead,
  attempts: number,
  token: number | undefined,
): QueueRow {
  const { seq, messageSeq, channel, handler, createdAt } = record;
  return {
    ...{ seq, messageSeq, messageId, channel, attempts, createdAt, receivedAt, token, ...cells },
    ...{ handler: handler ?? undefined, metadata, answer },
  };
}

interface Buried {
  readonly seq: number;
  readonly messageSeq: number;
  readonly destination: string | null;
}

function buried({ seq, messageSeq }: QueueRecord, destination: string | null): Buried {
  return { seq, messageSeq, destination };
}

/** Gives rows up: each is dead, its message told so and finalized. */
function giveUp(
  tx: Transaction,
  { rows, at, error }: {
    readonly rows: readonly Buried[];
    readonly at: number;
    readonly error: string;
  },
): void {
  for (const { messageSeq, destination } of rows) {
    addEvent(tx, messageSeq, { at, event: "dead", destination, detail: error });
  }
  tx.flush();
  const messages = [...new Set(rows.map(({ messageSeq }) => messageSeq))];
  void tx.all("killOpenRows", error, at, rows.map(({ seq }) => seq));
  void tx.all("noteErrors", messages, error);
  void tx.all("finalize", messages);
}

/**
 * Gives back what this opening holds of a lane. What a node holds that leads meanwhile is its own,
 * and on the wire perhaps: I62.
 */
export async function resync(
  tx: Transaction,
  { stage, lane, at }: ResyncIntent,
  epoch: number,
): Promise<ResyncResult> {
  void tx.all("resyncLane", at, stage, lane, ...tokensOf(epoch));
  const counted = await tx.first("countOpen", stage, lane);
  return { open: Number(counted?.open ?? 0) };
}

export async function sweepMissing(
  tx: Transaction,
  { destinations, handlers, at }: SweepMissingIntent,
  cipher: CellCipher,
): Promise<SweepResult> {
  const [outbound, routed] = await Promise.all([
    tx.rows("strandedOutbound", destinations),
    tx.rows("strandedRouted", handlers),
    tx.begun,
  ]);
  const sweeps = [[outbound, "destination removed"], [routed, "handler removed"]] as const;
  for (const [found, reason] of sweeps) {
    if (found.length === 0) continue;
    const rows = found.map(({ seq, message_seq, name }) => ({
      seq: Number(seq),
      messageSeq: Number(message_seq),
      destination: String(name),
    }));
    giveUp(tx, { rows, at, error: cipher.seal(reason) });
  }
  return { dead: outbound.length + routed.length };
}

export async function noteEvent(
  tx: Transaction,
  { id, event, at }: NoteEventIntent,
): Promise<{ readonly found: boolean }> {
  const row = await tx.first("findMessage", id);
  await tx.begun;
  if (row === undefined) return { found: false };
  addEvent(tx, Number(row.seq), { at, event, destination: null, detail: null });
  return { found: true };
}

export async function connectionEvents(
  tx: Transaction,
  { events }: ConnectionEventsIntent,
): Promise<Record<string, never>> {
  await tx.begun;
  for (const event of events) tx.changes.connectionEvent(tx.numbers.next(), event);
  return {};
}

/** Adds to a message's timeline; the transaction has begun. */
export function addEvent(
  tx: Transaction,
  messageSeq: number,
  event: {
    readonly at: number;
    readonly event: string;
    readonly destination: string | null;
    readonly detail: string | null;
  },
): void {
  tx.changes.events([{ messageSeq, seq: tx.numbers.next(), ...event }]);
}
