/**
 * 0011 unprocessed: nothing changes here.
 *
 * A message is entered as received and becomes what it is later. With an index over its status each
 * such change would have to be entered in every index of the table, and traffic would pay for what a
 * person looks at now and then.
 */
export const sql = ``;
