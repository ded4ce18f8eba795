/**
 * 0003 commit_log: which commit of each writer was the last.
 *
 * The server keeps the log of commits itself. What it cannot tell by itself is whether a commit whose
 * answer was lost took place: a writer enters the number of its batch in the transaction of the batch,
 * and reads it when it has connected again. A former connection of the writer that is still under way
 * then has an older link number, and its transaction finds no row to enter itself in.
 */
import { WORD } from "../words.ts";

export const sql = `
CREATE TABLE mefor.store_writer (
  session     ${WORD} NOT NULL PRIMARY KEY CLUSTERED,
  -- Grows with each connection of the writer.
  link        int NOT NULL,
  -- Of its last commit.
  batch       bigint NOT NULL,
  started_at  bigint NOT NULL
)
GO
-- The writer whose commit was the last; numbers of its block may be used as long as it is.
ALTER TABLE mefor.store_meta ADD last_session ${WORD} NULL
`;
