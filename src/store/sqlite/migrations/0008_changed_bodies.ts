/**
 * 0008 changed_bodies: a payload may stand as changes of the body of its message.
 *
 * A body with `base_seq` is `text_changes.ts` of that body. The base outlives it: whatever takes the
 * base away writes out first what is changes of it.
 */
export const sql = `
ALTER TABLE bodies ADD COLUMN base_seq INTEGER;
`;
