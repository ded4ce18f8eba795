/**
 * 0005 key_rotation: which key seals now, how often each has, and how far a change of keys has got.
 */
import { TEXT, WORD } from "../words.ts";

export const sql = `
-- Id of the key this opening seals with, or 'clear'.
ALTER TABLE mefor.store_meta ADD sealing_key ${WORD} NOT NULL DEFAULT N'clear'
GO
-- Times the key has sealed a cell, at most.
ALTER TABLE mefor.store_keys ADD uses bigint NOT NULL DEFAULT 0
GO
INSERT INTO mefor.store_keys (key_id, first_used_at)
SELECT N'clear', 0 FROM mefor.store_meta WHERE epoch > 0
GO
CREATE TABLE mefor.reseal_cursors (
  cells     ${WORD} NOT NULL,
  which     ${WORD} NOT NULL,
  key_id    ${WORD} NOT NULL,
  position  ${TEXT} NOT NULL,
  PRIMARY KEY CLUSTERED (cells, which)
)
`;
