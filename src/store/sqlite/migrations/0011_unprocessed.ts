/**
 * 0011 unprocessed: finds messages that did not simply pass through.
 *
 * Most do, and enter the tables with that said: they cost this index nothing.
 */
export const sql = `
CREATE INDEX messages_unprocessed ON messages (status, seq) WHERE status <> 'processed';
`;
