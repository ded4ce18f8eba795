/** PostgreSQL text of what should not be there. */
import { portableChecks } from "../integrity.ts";
import type { CheckName } from "../server/statement_names.ts";

export const checks: Readonly<Record<CheckName, string>> = {
  ...portableChecks,
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
};
