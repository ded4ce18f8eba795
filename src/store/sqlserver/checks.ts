/** The T-SQL of what should not be there. */
import type { CheckName } from "../server/statement_names.ts";
import { OPEN } from "./words.ts";

export const checks: Readonly<Record<CheckName, string>> = {
  rows_without_message: `
    SELECT COUNT_BIG(*) AS found FROM mefor.queue AS q
     WHERE NOT EXISTS (SELECT 1 FROM mefor.messages AS m WHERE m.seq = q.message_seq)`,
  rows_without_body: `
    SELECT COUNT_BIG(*) AS found FROM mefor.queue AS q
     WHERE q.body_seq <> 0
       AND NOT EXISTS (SELECT 1 FROM mefor.bodies AS b WHERE b.seq = q.body_seq)`,
  messages_without_body: `
    SELECT COUNT_BIG(*) AS found FROM mefor.messages AS m
     WHERE m.body_seq <> 0
       AND NOT EXISTS (SELECT 1 FROM mefor.bodies AS b WHERE b.seq = m.body_seq)`,
  open_without_open_row_or_the_reverse: `
    SELECT COUNT_BIG(*) AS found FROM mefor.messages AS m
     WHERE CASE WHEN m.status IN (N'received', N'routed') THEN 1 ELSE 0 END <>
           CASE WHEN EXISTS (SELECT 1 FROM mefor.queue AS q
                              WHERE q.message_seq = m.seq AND q.${OPEN}) THEN 1 ELSE 0 END`,
  messages_wrongly_totalled: `
    SELECT ABS((SELECT COALESCE(SUM(t.total), 0) FROM mefor.totals AS t
                 WHERE t.kind = N'messages')
             - (SELECT COUNT_BIG(*) FROM mefor.messages)) AS found`,
  deliveries_wrongly_totalled: `
    SELECT ABS((SELECT COALESCE(SUM(t.total), 0) FROM mefor.totals AS t
                 WHERE t.kind = N'deliveries')
             - (SELECT COUNT_BIG(*) FROM mefor.queue AS q WHERE q.stage = N'outbound')) AS found`,
  bodies_nobody_means: `
    SELECT COUNT_BIG(*) AS found FROM mefor.bodies AS b
     WHERE NOT EXISTS (SELECT 1 FROM mefor.messages AS m WHERE m.seq = b.seq AND m.body_seq = b.seq)
       AND NOT EXISTS (SELECT 1 FROM mefor.queue AS q WHERE q.body_seq = b.seq)
       AND NOT EXISTS (SELECT 1 FROM mefor.response AS r WHERE r.body_seq = b.seq)`,
  responses_without_message_or_body: `
    SELECT COUNT_BIG(*) AS found FROM mefor.response AS r
     WHERE NOT EXISTS (SELECT 1 FROM mefor.messages AS m WHERE m.seq = r.message_seq)
        OR (r.body_seq <> 0
            AND NOT EXISTS (SELECT 1 FROM mefor.bodies AS b WHERE b.seq = r.body_seq))`,
  changes_of_no_body: `
    SELECT COUNT_BIG(*) AS found FROM mefor.bodies AS b
     WHERE b.base_seq IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM mefor.bodies AS o WHERE o.seq = b.base_seq)`,
  purged_and_something_left: `
    SELECT COUNT_BIG(*) AS found FROM mefor.messages AS m
     WHERE m.purged_at IS NOT NULL
       AND (m.body_seq <> 0 OR m.error IS NOT NULL OR m.summary IS NOT NULL
            OR EXISTS (SELECT 1 FROM mefor.queue AS q
                        WHERE q.message_seq = m.seq
                          AND (q.${OPEN}
                               OR ((q.body_seq <> 0 OR q.last_error IS NOT NULL)
                                   AND NOT (q.stage = N'outbound' AND q.status = N'dead'))))
            OR EXISTS (SELECT 1 FROM mefor.message_events AS e
                        WHERE e.message_seq = m.seq AND e.detail IS NOT NULL)
            OR EXISTS (SELECT 1 FROM mefor.response AS r
                        WHERE r.message_seq = m.seq
                          AND (r.body_seq <> 0 OR r.detail IS NOT NULL)))`,
  open_without_body: `
    SELECT COUNT_BIG(*) AS found FROM mefor.queue AS q
     WHERE q.${OPEN} AND q.body_seq = 0`,
};
