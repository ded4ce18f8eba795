/** PostgreSQL text of the approvals. */
import type { ApprovalChange, ApprovalQuery } from "../../registers/approvals.ts";

const COLUMNS = `id, operation, params, requester, requested_at, status, approver, expires_at`;

export const approvalSql: Readonly<Record<ApprovalChange | ApprovalQuery, string>> = {
  insertApproval: `
    INSERT INTO pending_approvals (id, operation, params, requester, requested_at, status,
                                   expires_at)
    VALUES ($1, $2, $3, $4, $5, 'pending', $6)`,

  decideApproval: `
    UPDATE pending_approvals
       SET status = $1::text, approver = $2, decided_at = $3
     WHERE id = $4 AND status = 'pending'
       AND ($1::text <> 'approved' OR expires_at IS NULL OR expires_at > $5)`,

  failApproval: `
    UPDATE pending_approvals
       SET status = 'failed'
     WHERE id = $1 AND status = 'approved'`,

  /** Index: pending_approvals_open. */
  pendingApprovals: `
    SELECT ${COLUMNS}
      FROM pending_approvals
     WHERE status = 'pending' AND (expires_at IS NULL OR expires_at > $1)
     ORDER BY requested_at DESC, id
     LIMIT $2`,

  approvalById: `
    SELECT ${COLUMNS}
      FROM pending_approvals
     WHERE id = $1`,
};
