/**
 * 0011 unprocessed: nothing changes here.
 *
 * A message is entered as received and becomes what it is later. An index over its status would have
 * to follow each such change, and traffic would pay for what a person looks at now and then.
 */
export const sql = ``;
