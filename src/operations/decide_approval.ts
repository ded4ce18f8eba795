/** Lists held acts, lets one happen, or turns it down. Source: spec api §4. */
import { auditRecord, auditRow } from "../audit/mod.ts";
import type { Engine } from "../engine.ts";
import type { RegisterRow } from "../store/registers/mod.ts";
import type { ApprovableOperation, ApprovalParams } from "./approval.ts";
import { type Act, type Approval, OperationError, requirePermission, stamp } from "./operation.ts";
import { purgeConnection } from "./purge_connection.ts";
import { reloadConfig } from "./reload_config.ts";
import { replayDeadLetters } from "./replay_dead_letters.ts";

/** A held act; times are microseconds since the epoch. */
export interface PendingApproval {
  readonly id: string;
  readonly operation: Approval;
  readonly label: string;
  readonly requester: string;
  readonly requestedAt: number;
  readonly expiresAt: number | undefined;
}

export interface Decision {
  readonly operation: Approval;
  readonly requester: string;
  readonly decidedBy: string;
  /** Undefined when it was turned down. */
  readonly result: ApprovalParams | undefined;
}

const LISTED_MAX = 100;

const approvables = new Map<string, ApprovableOperation<never, never>>(
  [purgeConnection, replayDeadLetters, reloadConfig]
    .map((one) => [one.approval, one as unknown as ApprovableOperation<never, never>]),
);

/** @throws {OperationError} `operation.forbidden`. */
export async function listApprovals({ engine, actor }: Act): Promise<readonly PendingApproval[]> {
  requirePermission(actor, "approvals:approve");
  const rows = await engine.store.register("pendingApprovals", stamp(engine), LISTED_MAX);
  return rows.flatMap((row) => {
    const operation = approvables.get(String(row.operation));
    if (operation === undefined) return [];
    return {
      id: String(row.id),
      operation: operation.approval,
      label: operation.label(paramsOf(row)),
      requester: String(row.requester),
      requestedAt: Number(row.requested_at),
      expiresAt: row.expires_at === null ? undefined : Number(row.expires_at),
    };
  });
}

/**
 * Lets a held act happen, once.
 *
 * @throws {OperationError} `operation.forbidden`, `approval.not_found`, `approval.own`,
 * `approval.decided`, `approval.requester_gone`; `cluster.standby`: it waits on; and what the act itself throws: it is then
 * marked as failed.
 */
export async function approve({ engine, actor }: Act, id: string): Promise<Decision> {
  requirePermission(actor, "approvals:approve");
  const row = await find(engine, id);
  const requester = String(row.requester);
  if (requester === actor.name) {
    throw new OperationError("approval.own", "Nobody approves a request of their own");
  }
  const operation = approvables.get(String(row.operation));
  if (operation === undefined) throw decided();
  // Asked of the wrong node it waits on, for the right one.
  operation.requireHere(engine);
  await requireRequester(engine, requester);
  await decide({ engine, actor }, row, "approved");
  let result: ApprovalParams;
  try {
    result = await operation.release({ engine, actor }, { ...paramsOf(row), requester });
  } catch (thrown) {
    await noteFailure({ engine, actor }, row);
    throw thrown;
  }
  return { operation: operation.approval, requester, decidedBy: actor.name, result };
}

/**
 * Turns a held act down; its requester may, too.
 *
 * @throws {OperationError} `operation.forbidden`, `approval.not_found`, `approval.decided`.
 */
export async function reject({ engine, actor }: Act, id: string): Promise<Decision> {
  requirePermission(actor, "approvals:approve");
  const row = await find(engine, id);
  await decide({ engine, actor }, row, "rejected");
  return {
    operation: String(row.operation) as Approval,
    requester: String(row.requester),
    decidedBy: actor.name,
    result: undefined,
  };
}

async function find(engine: Engine, id: string): Promise<RegisterRow> {
  const [row] = await engine.store.register("approvalById", id);
  if (row !== undefined) return row;
  throw new OperationError("approval.not_found", "No request has this id");
}

/** Two persons stand behind a held act: not one, who approves what somebody asked that is gone. */
async function requireRequester({ auth }: Engine, requester: string): Promise<void> {
  if (auth === undefined || await auth.accounts.isActive(requester)) return;
  throw new OperationError(
    "approval.requester_gone",
    "Whoever asked for this has no enabled account any more: turn it down, and ask anew",
  );
}

/** Compare-and-set before anything is carried out: of two who decide, one does. */
async function decide(
  { engine, actor }: Act,
  row: RegisterRow,
  status: "approved" | "rejected",
): Promise<void> {
  const at = stamp(engine);
  const facts = factsOf(row);
  const action = `approval.${status}`;
  const audited = auditRow({ now: engine.clock.now(), actor: actor.name, action, facts });
  const { applied } = await engine.store.submit({
    kind: "register",
    changes: [{
      name: "decideApproval",
      values: [status, actor.name, at, row.id!, at],
      expect: 1,
    }],
    audit: [audited],
  });
  if (!applied) throw decided();
  engine.logger.audit(auditRecord(audited));
}

async function noteFailure({ engine, actor }: Act, row: RegisterRow): Promise<void> {
  const facts = factsOf(row);
  const now = engine.clock.now();
  const audited = auditRow({ now, actor: actor.name, action: "approval.failed", facts });
  await engine.store.submit({
    kind: "register",
    changes: [{ name: "failApproval", values: [row.id!] }],
    audit: [audited],
  });
  engine.logger.audit(auditRecord(audited));
}

function factsOf({ id, operation, requester }: RegisterRow) {
  return {
    approval_id: String(id),
    operation: String(operation),
    requester: String(requester),
  };
}

function paramsOf({ params }: RegisterRow): ApprovalParams {
  return JSON.parse(String(params)) as ApprovalParams;
}

function decided(): OperationError {
  return new OperationError("approval.decided", "This request is decided, or has expired");
}
