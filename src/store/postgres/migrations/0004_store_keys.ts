/**
 * 0004 store_keys: ids of the keys that cells of this store may be sealed with.
 *
 * A store that is opened without one of them would give up every message under way as unreadable.
 * So it is not opened. A key leaves the table when no cell needs it any more.
 */
export const sql = `
CREATE TABLE store_keys (
  key_id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  first_used_at  BIGINT NOT NULL
);
`;
