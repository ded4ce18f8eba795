/**
 * 0004 store_keys: ids of the keys that cells of this store may be sealed with.
 *
 * A store that is opened without one of them would give up every message under way as unreadable.
 * So it is not opened. A key leaves the table when no cell needs it any more.
 */
import { WORD } from "../words.ts";

export const sql = `
CREATE TABLE mefor.store_keys (
  key_id         ${WORD} NOT NULL PRIMARY KEY CLUSTERED,
  first_used_at  bigint NOT NULL
)
`;
