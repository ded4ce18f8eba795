/** 0009 responses: what partners answered, kept with the delivery it answers. */
import { NAME, TEXT } from "../words.ts";

export const sql = `
CREATE TABLE mefor.response (
  message_seq   bigint NOT NULL,
  destination   ${NAME} NOT NULL,
  response_seq  bigint NOT NULL,
  outcome       ${TEXT} NOT NULL,
  detail        ${TEXT},
  body_seq      bigint NOT NULL,
  captured_at   bigint NOT NULL,
  PRIMARY KEY CLUSTERED (message_seq, destination, response_seq)
)
`;
