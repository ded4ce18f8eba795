/**
 * What the writer says, by name. The meaning of each stands at its text in the dialect's folder: a
 * dialect that lacks one does not compile.
 */

/** What a batch has changed; each takes a list a column. */
export const changeStatements = [
  "insertBodies",
  "insertMessages",
  "updateMessages",
  "insertRows",
  "updateRows",
  "deleteRows",
  "insertEvents",
  "insertResponses",
  "insertConnectionEvents",
  "upsertState",
  "addTotals",
] as const;
export type ChangeStatement = (typeof changeStatements)[number];

export const statementNames = [
  ...changeStatements,
  // Opening.
  "keysOfStore",
  /** key ID, now. */
  "enterKey",
  /** key ID. */
  "setSealingKey",
  /** uses, key ID; returns `uses`. */
  "addKeyUses",
  /** Takes the store's lock; returns `epoch`. */
  "nextEpoch",
  "dropWriters",
  /** session, now. */
  "enterWriter",
  /** now, first and last token of this epoch. */
  "recover",
  "openLanes",
  // A connection that was made again.
  "lockStore",
  /** session; returns `link`, `batch`. */
  "nextLink",
  // Every transaction.
  /** session, link, batch, whether a new block is wanted, block; returns `entered`, `next_seq`, `was_mine`. */
  "begin",
  /** session, link, batch; fails when another writer came between. */
  "beginTrusting",
  // Rows.
  /** numbers of messages, numbers of rows. */
  "load",
  /** messages, error. */
  "noteErrors",
  /** messages. */
  "finalize",
  /** stage, lane, after, limit. */
  "readLane",
  /** stage, lane, after, now, limit. */
  "readDueLane",
  /** stage, lane, after. */
  "laneRest",
  /** now, stage, lane. */
  "resyncLane",
  /** stage, lane. */
  "countOpen",
  /** id. */
  "findMessage",
  /** message number. */
  "rowsOfMessage",
  /** now, rows. */
  "requeueRows",
  /** messages. */
  "reviveMessages",
  /** inbound or null, destination or null. */
  "deadDeliveries",
  /** destination. */
  "laneHead",
  /** destination, limit or null. */
  "cancellable",
  /** now, rows. */
  "cancelRows",
  /** destinations that exist. */
  "strandedOutbound",
  /** handlers that exist. */
  "strandedRouted",
  /** error, now, rows. */
  "killOpenRows",
  // Retention.
  /** after: time and number, before, limit. */
  "dueMessages",
  "bodiesOfMessages",
  "emptyResponses",
  /** messages, metadata, now. */
  "emptyMessages",
  "emptyRows",
  "emptyEvents",
  /** bodies, messages. */
  "dropBodies",
  "changedBodiesOf",
  /** bodies, texts. */
  "writeOutBodies",
  "unpurgeMessages",
  /** after: time and number, before, limit. */
  "dueDeadLetters",
  "emptyDeadLetters",
  /** before, limit; returns `namespace`, `key`. */
  "purgeState",
  /** before, limit. */
  "deleteConnectionEvents",
  /** before, limit. */
  "deleteAlerts",
  /** a count for each of `purgeKinds`. */
  "addPurged",
  "purgedSoFar",
  /** whether logs are clean, day or null. */
  "endPurge",
  // The audit log.
  "auditKey",
  /** cell. */
  "insertAuditKey",
  "newestAudit",
  /** id, at, actor, action, inbound, detail, keyed, hash. */
  "appendAudit",
  /** after, limit. */
  "auditAfter",
] as const;
export type StatementName = (typeof statementNames)[number];

/** What should not be there; `integrity.ts` asks for all of it. */
export const checkNames = [
  "rows_without_message",
  "rows_without_body",
  "messages_without_body",
  "open_without_open_row_or_the_reverse",
  "messages_wrongly_totalled",
  "deliveries_wrongly_totalled",
  "bodies_nobody_means",
  "responses_without_message_or_body",
  "changes_of_no_body",
  "purged_and_something_left",
  "open_without_body",
] as const;
export type CheckName = (typeof checkNames)[number];
