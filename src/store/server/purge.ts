/**
 * Carries out retention: one batch, or the end of a pass, in the transaction under way.
 *
 * What is due is never asked of the caller: each row is looked at here, where nobody else writes.
 */
import type { CellCipher } from "../../crypto/cells.ts";
import { correlationOf } from "../correlation.ts";
import { unfold } from "../fold.ts";
import { StoreError } from "../errors.ts";
import {
  countsOf,
  type EndPurgeIntent,
  type EndPurgeResult,
  noCounts,
  type PurgeIntent,
  purgeKinds,
  type PurgeResult,
} from "../purge.ts";
import { DueRows } from "../purge_windows.ts";
import type { AuditLog } from "./audit_log.ts";
import type { Transaction } from "./transaction.ts";

/** Empties or deletes what is due, and counts it. @throws {StoreError} `store.not_leader`. */
export async function purge(
  tx: Transaction,
  intent: PurgeIntent,
  cipher: CellCipher,
): Promise<PurgeResult> {
  await tx.begun;
  if (!tx.mayClaim) {
    throw new StoreError("store.not_leader", "Cannot purge: another node leads the cluster");
  }
  const result = await purgeKind(tx, intent, cipher);
  if (result.purged > 0) {
    const counts = { ...noCounts, [intent.of]: result.purged };
    void tx.all("addPurged", ...purgeKinds.map((kind) => counts[kind]));
  }
  return result;
}

function purgeKind(tx: Transaction, intent: PurgeIntent, cipher: CellCipher) {
  switch (intent.of) {
    case "messages":
      return purgeMessages(tx, intent, cipher);
    case "dead_letters":
      return purgeDeadLetters(tx, intent);
    case "state":
      return purgeState(tx, intent);
    case "connection_events":
      return purgeRows(tx, intent, "deleteConnectionEvents");
    case "alerts":
      return purgeRows(tx, intent, "deleteAlerts");
  }
}

async function purgeMessages(
  tx: Transaction,
  intent: PurgeIntent,
  cipher: CellCipher,
): Promise<PurgeResult> {
  const { limit, after, at } = intent;
  const due = new DueRows(intent);
  const found = await tx.rows("dueMessages", after?.at ?? 0, after?.seq ?? 0, due.newest, limit);
  const { chosen, next } = due.choose(found, {
    ...{ connection: "channel_id", at: "received_at" },
    isKept: ({ is_open }) => is_open === 1,
  });
  const emptied = chosen.map(({ seq, metadata }) => ({
    seq: Number(seq),
    metadata: correlationOf(metadata === null ? undefined : String(metadata), cipher),
  }));
  if (emptied.length > 0) await emptyMessages(tx, emptied, { at, cipher });
  return { purged: emptied.length, next, state: [] };
}

async function emptyMessages(
  tx: Transaction,
  chosen: readonly { readonly seq: number; readonly metadata: string | null }[],
  { at, cipher }: { readonly at: number; readonly cipher: CellCipher },
): Promise<void> {
  const seqs = chosen.map(({ seq }) => seq);
  const meant = await tx.rows("bodiesOfMessages", seqs);
  void tx.all("emptyMessages", seqs, chosen.map(({ metadata }) => metadata), at);
  void tx.all("emptyRows", seqs);
  void tx.all("emptyEvents", seqs);
  void tx.all("emptyResponses", seqs);
  await writeOutBodies(tx, seqs, cipher);
  dropBodies(tx, meant.map((row) => [Number(row.body_seq), Number(row.seq)]));
}

/** A dead delivery outlives the body that its payload may be changes of. */
async function writeOutBodies(
  tx: Transaction,
  seqs: readonly number[],
  cipher: CellCipher,
): Promise<void> {
  const open = (cell: unknown) => cell === null ? undefined : cipher.open(String(cell));
  const written: (readonly [seq: number, cell: string])[] = [];
  for (const { seq, body, base } of await tx.rows("changedBodiesOf", seqs)) {
    // What cannot be opened could not be sent again with its base either.
    const text = unfold(open(body), open(base), true);
    if (text !== undefined) written.push([Number(seq), cipher.seal(text)]);
  }
  if (written.length === 0) return;
  void tx.all(
    "writeOutBodies",
    written.map(([seq]) => seq),
    written.map(([, cell]) => cell),
  );
}

function dropBodies(tx: Transaction, pairs: readonly (readonly [number, number])[]): void {
  void tx.all(
    "dropBodies",
    pairs.map(([body]) => body),
    pairs.map(([, message]) => message),
  );
}

async function purgeDeadLetters(tx: Transaction, intent: PurgeIntent): Promise<PurgeResult> {
  const { limit, after } = intent;
  const due = new DueRows(intent);
  const found = await tx.rows("dueDeadLetters", after?.at ?? 0, after?.seq ?? 0, due.newest, limit);
  const { chosen, next } = due.choose(found, { connection: "lane", at: "updated_at" });
  if (chosen.length > 0) {
    void tx.all("emptyDeadLetters", chosen.map(({ seq }) => Number(seq)));
    dropBodies(tx, chosen.map((row) => [Number(row.body_seq), Number(row.message_seq)]));
  }
  return { purged: chosen.length, next, state: [] };
}

async function purgeState(tx: Transaction, { before, limit }: PurgeIntent): Promise<PurgeResult> {
  const state = (await tx.rows("purgeState", before, limit)).map(({ namespace, key }) => ({
    namespace: String(namespace),
    key: String(key),
  }));
  return { purged: state.length, next: nextOf(state.length, limit), state };
}

async function purgeRows(
  tx: Transaction,
  { before, limit }: PurgeIntent,
  statement: "deleteConnectionEvents" | "deleteAlerts",
): Promise<PurgeResult> {
  const { count: purged } = await tx.all(statement, before, limit);
  return { purged, next: nextOf(purged, limit), state: [] };
}

/** What is purged is found no more, so the next batch begins at the start again. */
function nextOf(purged: number, limit: number): PurgeResult["next"] {
  return purged === limit ? { at: 0, seq: 0 } : undefined;
}

/** Tells of what was purged since the last audit row, if there is anything to tell. */
export async function endPurge(
  tx: Transaction,
  { audit: { detail, ...fields }, isNoted, logsAreClean, reclaimedOn }: EndPurgeIntent,
  audit: AuditLog,
): Promise<EndPurgeResult> {
  const counts = countsOf(await tx.first("purgedSoFar") ?? {});
  const audited = isNoted || purgeKinds.some((kind) => counts[kind] > 0);
  if (audited) {
    await audit.append(tx, { ...fields, detail: JSON.stringify({ ...detail, ...counts }) });
  }
  void tx.all("endPurge", logsAreClean, reclaimedOn ?? null);
  return { counts, audited };
}
