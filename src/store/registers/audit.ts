/** The audit log as a register. It is appended to by the writer alone, and never changed. */

export const auditQueries = [
  /** `limit`: newest rows first. */
  "auditNewest",
  /**
   * `actor`, `limit`: what one account did about its own sign-in, newest first. Without denials of
   * channels: they would tell a message that is hidden from one that is not there.
   */
  "auditOfActor",
  /** How many rows there are. */
  "auditCount",
] as const;

export type AuditQuery = (typeof auditQueries)[number];
