/** Routes over acts that wait for a second person, and the answer of an act that is held. */
import { Hono } from "@hono/hono";
import {
  approve,
  type Decision,
  type HeldAct,
  listApprovals,
  type PendingApproval,
  reject,
} from "../operations/mod.ts";
import { allow } from "./allow.ts";
import { actOf, type ApiContext, type ApiEnv, secondsOf } from "./env.ts";
import { gives } from "./exchange.ts";
import * as models from "./models/mod.ts";

export function approvalRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  const decide = allow("approvals:approve");
  const decision = gives(models.approvalDecision);
  return new Hono<ApiEnv>()
    .get("/approvals", allow("approvals:approve"), gives(models.approvals), async (c) => {
      const pending = await listApprovals(actOf(engine, c));
      return c.json({ approvals: pending.map(pendingShape) });
    })
    .post("/approvals/:approval_id/approve", decide, decision, async (c) => {
      const decided = await approve(actOf(engine, c), c.req.param("approval_id"));
      return c.json({ ...decisionShape(decided), approved_by: decided.decidedBy });
    })
    .post("/approvals/:approval_id/reject", decide, decision, async (c) => {
      const decided = await reject(actOf(engine, c), c.req.param("approval_id"));
      return c.json({ ...decisionShape(decided), rejected_by: decided.decidedBy });
    });
}

/** The body of a 202: the act waits. */
export function heldShape({ id, operation }: HeldAct) {
  return {
    approval_id: id,
    operation,
    status: "pending_approval",
    detail: "held until another person approves it",
  };
}

function pendingShape(pending: PendingApproval) {
  const { id, operation, label, requester, requestedAt, expiresAt } = pending;
  return {
    id,
    operation,
    label,
    requester,
    requested_at: secondsOf(requestedAt),
    expires_at: expiresAt === undefined ? null : secondsOf(expiresAt),
  };
}

function decisionShape({ operation, requester, result }: Decision) {
  return {
    operation,
    requested_by: requester,
    approved_by: null as string | null,
    rejected_by: null as string | null,
    result: result ?? null,
  };
}
