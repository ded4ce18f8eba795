/**
 * 0003 commit_log: from which frame of the commit log on the tables do not hold what it says.
 *
 * A message changes a dozen times in a few milliseconds and then never again. So a commit is a frame
 * of a log beside the store, and the tables take a message in once, when it has come to rest. Opening
 * the store carries out the frames from here on.
 */
export const sql = `
ALTER TABLE store_meta ADD COLUMN log_from INTEGER NOT NULL DEFAULT 1;
`;
