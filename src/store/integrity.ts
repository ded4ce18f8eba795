/** Whether the rows of a store fit together: what the engine relies on and no constraint says. */

/**
 * What should not be there between two commits, in words that SQLite and PostgreSQL share. Each looks
 * its rows up by a primary key or an index, so that it reads each row once.
 */
export const portableChecks = {
  rows_without_message: `
    SELECT count(*) AS found FROM queue q
     WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.seq = q.message_seq)`,
  rows_without_body: `
    SELECT count(*) AS found FROM queue q
     WHERE q.body_seq <> 0 AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.seq = q.body_seq)`,
  messages_without_body: `
    SELECT count(*) AS found FROM messages m
     WHERE m.body_seq <> 0 AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.seq = m.body_seq)`,
  /** Index: queue_message. */
  open_without_open_row_or_the_reverse: `
    SELECT count(*) AS found FROM messages m
     WHERE (m.status IN ('received', 'routed')) <>
           EXISTS (SELECT 1 FROM queue q
                    WHERE q.message_seq = m.seq AND q.status IN ('pending', 'inflight'))`,
  responses_without_message_or_body: `
    SELECT count(*) AS found FROM response r
     WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.seq = r.message_seq)
        OR r.body_seq <> 0 AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.seq = r.body_seq)`,
  changes_of_no_body: `
    SELECT count(*) AS found FROM bodies b
     WHERE b.base_seq IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM bodies o WHERE o.seq = b.base_seq)`,
  /** Index: queue_lane_open. */
  open_without_body: `
    SELECT count(*) AS found FROM queue q
     WHERE q.status IN ('pending', 'inflight') AND q.body_seq = 0`,
} as const satisfies Readonly<Record<string, string>>;

/** What was found, by check; all is well where nothing was. */
export function verdictOf(
  counts: Iterable<readonly [check: string, found: number]>,
): { readonly ok: boolean; readonly detail: string } {
  const found = [...counts].filter(([, count]) => count > 0);
  const detail = found.map(([check, count]) => `${check}: ${count}`).join(", ");
  return found.length === 0 ? { ok: true, detail: "ok" } : { ok: false, detail };
}
