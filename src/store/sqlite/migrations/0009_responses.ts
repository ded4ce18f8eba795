/**
 * 0009 responses: what partners answered, kept with the delivery it answers.
 *
 * An answer is written in the commit that completes its row and never changed. One that is taken in
 * again has a row of the queue as well, of the stage `response` and the lane of its loopback, until
 * the message made of it is stored.
 */
export const sql = `
CREATE TABLE response (
  message_seq   INTEGER NOT NULL,
  destination   TEXT NOT NULL,
  -- From 1; a replay of the message has a partner answer again.
  response_seq  INTEGER NOT NULL,
  outcome       TEXT NOT NULL,
  detail        TEXT,
  -- 0: it had no body, or retention took it away.
  body_seq      INTEGER NOT NULL,
  captured_at   INTEGER NOT NULL,
  PRIMARY KEY (message_seq, destination, response_seq)
) STRICT, WITHOUT ROWID;
`;
