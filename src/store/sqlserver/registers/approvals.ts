/** The T-SQL of the approvals. */
import type { ApprovalChange, ApprovalQuery } from "../../registers/approvals.ts";

const COLUMNS = "id, operation, params, requester, requested_at, status, approver, expires_at";

export const approvalSql: Readonly<Record<ApprovalChange | ApprovalQuery, string>> = {
  insertApproval: `
    INSERT INTO mefor.pending_approvals (id, operation, params, requester, requested_at, status,
           expires_at)
    VALUES (@p1, @p2, @p3, @p4, @p5, N'pending', @p6)`,

  decideApproval: `
    UPDATE mefor.pending_approvals
       SET status = @p1, approver = @p2, decided_at = @p3
     WHERE id = @p4 AND status = N'pending'
       AND (@p1 <> N'approved' OR expires_at IS NULL OR expires_at > @p5)`,

  failApproval: `
    UPDATE mefor.pending_approvals
       SET status = N'failed'
     WHERE id = @p1 AND status = N'approved'`,

  /** Index: pending_approvals_open. */
  pendingApprovals: `
    SELECT TOP (@p2) ${COLUMNS}
      FROM mefor.pending_approvals
     WHERE status = N'pending' AND (expires_at IS NULL OR expires_at > @p1)
     ORDER BY requested_at DESC, id`,

  approvalById: `
    SELECT ${COLUMNS}
      FROM mefor.pending_approvals
     WHERE id = @p1`,
};
