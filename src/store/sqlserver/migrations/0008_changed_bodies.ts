/** 0008 changed_bodies: a payload may stand as changes of the body of its message. */
export const sql = `
ALTER TABLE mefor.bodies ADD base_seq bigint NULL
`;
