/** 0008 changed_bodies: a payload may stand as changes of the body of its message. */
export const sql = `
ALTER TABLE bodies ADD COLUMN base_seq bigint;
`;
