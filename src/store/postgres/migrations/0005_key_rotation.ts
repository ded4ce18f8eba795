/**
 * 0005 key_rotation: which key seals now, how often each has, and how far a change of keys has got.
 */
export const sql = `
-- Id of the key this opening seals with, or 'clear'.
ALTER TABLE store_meta ADD COLUMN sealing_key TEXT NOT NULL DEFAULT 'clear';

-- Times the key has sealed a cell, at most.
ALTER TABLE store_keys ADD COLUMN uses BIGINT NOT NULL DEFAULT 0;

INSERT INTO store_keys (key_id, first_used_at)
SELECT 'clear', 0 FROM store_meta WHERE epoch > 0;

CREATE TABLE reseal_cursors (
  cells     TEXT COLLATE "C" NOT NULL,
  which     TEXT COLLATE "C" NOT NULL,
  key_id    TEXT NOT NULL,
  position  TEXT NOT NULL,
  PRIMARY KEY (cells, which)
);
`;
