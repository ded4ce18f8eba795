/** Acts that wait for a second person. Times are microseconds since the epoch. */

export const approvalChanges = [
  /** `id, operation, params, requester, requested_at, expires_at`; expires_at null: never. */
  "insertApproval",
  /**
   * `status, approver, decided_at, id, now`: decides a request that is pending; an approval only
   * when it has not expired by `now`. Changes nothing otherwise.
   */
  "decideApproval",
  /** `id`: an approved act that could not be carried out. */
  "failApproval",
] as const;

export const approvalQueries = [
  /** `now, limit`: pending and not expired, newest first. */
  "pendingApprovals",
  /** `id` */
  "approvalById",
] as const;

export type ApprovalChange = (typeof approvalChanges)[number];
export type ApprovalQuery = (typeof approvalQueries)[number];
