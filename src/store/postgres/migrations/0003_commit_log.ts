/**
 * 0003 commit_log: which commit of each writer was the last.
 *
 * The server keeps the log of commits itself. What it cannot tell by itself is whether a commit whose
 * answer was lost took place: a writer enters the number of its batch in the transaction of the batch,
 * and reads it when it has connected again. A former connection of the writer that is still under way
 * then has an older link number, and its transaction finds no row to enter itself in.
 */
export const sql = `
CREATE TABLE store_writer (
  session     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  -- Grows with each connection of the writer.
  link        INTEGER NOT NULL,
  -- Of its last commit.
  batch       BIGINT NOT NULL,
  started_at  BIGINT NOT NULL
) WITH (fillfactor = 50);

-- The writer whose commit was the last; numbers of its block may be used as long as it is.
ALTER TABLE store_meta ADD COLUMN last_session TEXT COLLATE "C";
`;
