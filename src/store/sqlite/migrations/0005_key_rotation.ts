/**
 * 0005 key_rotation: which key seals now, how often each has, and how far a change of keys has got.
 *
 * `store_keys` tells of cells in clear as of those of a key, by the id 'clear': a store that is
 * there already may have some. What its keys were used for before this is not known, and not counted.
 */
export const sql = `
-- Id of the key this opening seals with, or 'clear'.
ALTER TABLE store_meta ADD COLUMN sealing_key TEXT NOT NULL DEFAULT 'clear';

-- Times the key has sealed a cell, at most.
ALTER TABLE store_keys ADD COLUMN uses INTEGER NOT NULL DEFAULT 0;

INSERT INTO store_keys (key_id, first_used_at)
SELECT 'clear', 0 FROM store_meta WHERE epoch > 0;

-- Cells of a column up to a position that need not be sealed again; a row of the queue changes
-- behind it all the same, so it saves time and proves nothing.
CREATE TABLE reseal_cursors (
  cells     TEXT NOT NULL,
  which     TEXT NOT NULL,
  key_id    TEXT NOT NULL,
  position  TEXT NOT NULL,
  PRIMARY KEY (cells, which)
) STRICT, WITHOUT ROWID;
`;
