/** PostgreSQL text of what should not be there. */
import type { CheckName } from "../server/statement_names.ts";

export const checks: Readonly<Record<CheckName, string>> = {
  rows_without_message: `
    SELECT count(*) AS found FROM queue q
     WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.seq = q.message_seq)`,
  rows_without_body: `
    SELECT count(*) AS found FROM queue q
     WHERE q.body_seq <> 0 AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.seq = q.body_seq)`,
  messages_without_body: `
    SELECT count(*) AS found FROM messages m
     WHERE m.body_seq <> 0 AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.seq = m.body_seq)`,
  open_without_open_row_or_the_reverse: `
    SELECT count(*) AS found FROM messages m
     WHERE (m.status IN ('received', 'routed')) <>
           EXISTS (SELECT 1 FROM queue q
                    WHERE q.message_seq = m.seq AND q.status IN ('pending', 'inflight'))`,
  messages_wrongly_totalled: `
    SELECT abs((SELECT coalesce(sum(total), 0) FROM totals WHERE kind = 'messages')
             - (SELECT count(*) FROM messages)) AS found`,
  deliveries_wrongly_totalled: `
    SELECT abs((SELECT coalesce(sum(total), 0) FROM totals WHERE kind = 'deliveries')
             - (SELECT count(*) FROM queue WHERE stage = 'outbound')) AS found`,
  bodies_nobody_means: `
    SELECT count(*) AS found FROM bodies b
     WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.seq = b.seq AND m.body_seq = b.seq)
       AND NOT EXISTS (SELECT 1 FROM queue q WHERE q.body_seq = b.seq)
       AND NOT EXISTS (SELECT 1 FROM response r WHERE r.body_seq = b.seq)`,
  responses_without_message_or_body: `
    SELECT count(*) AS found FROM response r
     WHERE NOT EXISTS (SELECT 1 FROM messages m WHERE m.seq = r.message_seq)
        OR r.body_seq <> 0 AND NOT EXISTS (SELECT 1 FROM bodies b WHERE b.seq = r.body_seq)`,
  changes_of_no_body: `
    SELECT count(*) AS found FROM bodies b
     WHERE b.base_seq IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM bodies o WHERE o.seq = b.base_seq)`,
  purged_and_something_left: `
    SELECT count(*) AS found FROM messages m
     WHERE m.purged_at IS NOT NULL
       AND (m.body_seq <> 0 OR m.error IS NOT NULL OR m.summary IS NOT NULL
            OR EXISTS (SELECT 1 FROM queue q
                        WHERE q.message_seq = m.seq
                          AND (q.status IN ('pending', 'inflight')
                               OR (q.body_seq <> 0 OR q.last_error IS NOT NULL)
                                  AND NOT (q.stage = 'outbound' AND q.status = 'dead')))
            OR EXISTS (SELECT 1 FROM message_events e
                        WHERE e.message_seq = m.seq AND e.detail IS NOT NULL)
            OR EXISTS (SELECT 1 FROM response r
                        WHERE r.message_seq = m.seq
                          AND (r.body_seq <> 0 OR r.detail IS NOT NULL)))`,
  open_without_body: `
    SELECT count(*) AS found FROM queue q
     WHERE q.status IN ('pending', 'inflight') AND q.body_seq = 0`,
};
