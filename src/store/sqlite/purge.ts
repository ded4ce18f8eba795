/**
 * Carries out retention on the tables: one batch, or the end of a pass, in the transaction under way.
 *
 * What is due is never asked of the caller: each row is looked at here, where nobody else writes.
 */
import type { CellCipher } from "../../crypto/cells.ts";
import { correlationOf } from "../correlation.ts";
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
import { unfold } from "../fold.ts";
import { textOf } from "./cell_text.ts";
import type { AuditLog } from "./registers/audit_log.ts";
import type { Session, SqlRow } from "./session.ts";

/** Empties or deletes what is due, and counts it. */
export function purge(session: Session, intent: PurgeIntent, cipher: CellCipher): PurgeResult {
  const result = purgeKind(session, intent, cipher);
  if (result.purged > 0) {
    const counts = { ...noCounts, [intent.of]: result.purged };
    session.change("addPurged", ...purgeKinds.map((kind) => counts[kind]));
  }
  return result;
}

function purgeKind(session: Session, intent: PurgeIntent, cipher: CellCipher): PurgeResult {
  switch (intent.of) {
    case "messages":
      return purgeMessages(session, intent, cipher);
    case "dead_letters":
      return purgeDeadLetters(session, intent);
    case "state":
      return purgeState(session, intent);
    case "connection_events":
      return purgeRows(session, intent, "deleteConnectionEvents");
    case "alerts":
      return purgeRows(session, intent, "deleteAlerts");
  }
}

function purgeMessages(session: Session, intent: PurgeIntent, cipher: CellCipher): PurgeResult {
  const { limit, after, at } = intent;
  const due = new DueRows(intent);
  const found = session.all("dueMessages", after?.at ?? 0, after?.seq ?? 0, due.newest, limit);
  const { chosen, next } = due.choose(found, {
    ...{ connection: "channel_id", at: "received_at" },
    isKept: ({ is_open }) => is_open === 1,
  });
  for (const message of chosen) emptyMessage(session, message, at, cipher);
  return { purged: chosen.length, next, state: [] };
}

function emptyMessage(session: Session, message: SqlRow, at: number, cipher: CellCipher): void {
  const seq = Number(message.seq);
  const bodies = new Set([Number(message.body_seq)]);
  for (const { body_seq } of session.all("bodiesOfRows", seq)) bodies.add(Number(body_seq));
  for (const { body_seq } of session.all("bodiesOfResponses", seq)) bodies.add(Number(body_seq));
  session.change("emptyMessage", correlationOf(textOf(message.metadata), cipher), at, seq);
  session.change("emptyRows", seq);
  session.change("emptyEvents", seq);
  session.change("emptyResponses", seq);
  writeOutBodies(session, seq, cipher);
  for (const body of bodies) session.change("dropBody", body, seq);
}

/** A dead delivery outlives the body that its payload may be changes of. */
function writeOutBodies(session: Session, messageSeq: number, cipher: CellCipher): void {
  const open = (cell: SqlRow[string] | undefined) => {
    const stored = textOf(cell);
    return stored === undefined ? undefined : cipher.open(stored);
  };
  for (const { seq, body, base } of session.all("changedBodiesOf", messageSeq)) {
    // What cannot be opened could not be sent again with its base either.
    const text = unfold(open(body), open(base), true);
    if (text !== undefined) session.change("writeOutBody", cipher.seal(text), Number(seq));
  }
}

function purgeDeadLetters(session: Session, intent: PurgeIntent): PurgeResult {
  const { limit, after } = intent;
  const due = new DueRows(intent);
  const found = session.all("dueDeadLetters", after?.at ?? 0, after?.seq ?? 0, due.newest, limit);
  const { chosen, next } = due.choose(found, { connection: "lane", at: "updated_at" });
  for (const row of chosen) {
    session.change("emptyDeadLetter", Number(row.seq));
    session.change("dropBody", Number(row.body_seq), Number(row.message_seq));
  }
  return { purged: chosen.length, next, state: [] };
}

function purgeState(session: Session, { before, limit }: PurgeIntent): PurgeResult {
  const state = session.all("dueState", before, limit).map(({ namespace, key }) => ({
    namespace: textOf(namespace)!,
    key: textOf(key)!,
  }));
  for (const { namespace, key } of state) session.change("deleteState", namespace, key);
  return { purged: state.length, next: nextOf(state.length, limit), state };
}

function purgeRows(
  session: Session,
  { before, limit }: PurgeIntent,
  statement: "deleteConnectionEvents" | "deleteAlerts",
): PurgeResult {
  const purged = session.change(statement, before, limit);
  return { purged, next: nextOf(purged, limit), state: [] };
}

/** What is purged is found no more, so the next batch begins at the start again. */
function nextOf(purged: number, limit: number): PurgeResult["next"] {
  return purged === limit ? { at: 0, seq: 0 } : undefined;
}

/** Tells of what was purged since the last audit row, if there is anything to tell. */
export function endPurge(
  session: Session,
  { audit: { detail, ...fields }, isNoted, logsAreClean, reclaimedOn }: EndPurgeIntent,
  audit: AuditLog,
): EndPurgeResult {
  const counts = countsOf(session.first("purgedSoFar") ?? {});
  const audited = isNoted || purgeKinds.some((kind) => counts[kind] > 0);
  if (audited) audit.append({ ...fields, detail: JSON.stringify({ ...detail, ...counts }) });
  session.change("endPurge", logsAreClean ? 1 : 0, reclaimedOn ?? null);
  return { counts, audited };
}
