/** 0009 responses: what partners answered, kept with the delivery it answers. */
export const sql = `
CREATE TABLE response (
  message_seq   BIGINT NOT NULL,
  destination   TEXT COLLATE "C" NOT NULL,
  response_seq  BIGINT NOT NULL,
  outcome       TEXT NOT NULL,
  detail        TEXT,
  body_seq      BIGINT NOT NULL,
  captured_at   BIGINT NOT NULL,
  PRIMARY KEY (message_seq, destination, response_seq)
);
`;
