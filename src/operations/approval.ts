/**
 * Acts that `[approvals]` holds until a second person lets them happen.
 *
 * An act is held after all checks its caller could fail, so that nobody approves what cannot be. It
 * is decided once, before it is carried out, and carried out once. Source: spec api §4,
 * pipeline-store-cluster §2.3.
 */
import { auditRecord, auditRow } from "../audit/mod.ts";
import { later } from "../clock.ts";
import type { Engine } from "../engine.ts";
import {
  type Act,
  type Actor,
  type Approval,
  type AuditFact,
  type Operation,
  requirePermission,
  stamp,
  withinScope,
} from "./operation.ts";

/** What an act was asked with, as it is stored: names and flags. */
export type ApprovalParams = Readonly<Record<string, string | number | boolean | null>>;

export interface ApprovalSpec<Input, Output> {
  readonly key: Approval;
  /** False: an act with this input is never held. */
  holds?(input: Input): boolean;
  /** Throws what the act itself would refuse. */
  check?(engine: Engine, input: Input, actor: Actor): void | Promise<void>;
  /** Throws where another node would have to carry it out. */
  here?(engine: Engine): void;
  /** What is written of a check that failed. */
  checkFailure?(input: Input, thrown: unknown): AuditFact | undefined;
  /** What an approver reads: `Purge OB_LAB (all)`. */
  label(input: Input): string;
  params(input: Input, actor: Actor): ApprovalParams;
  /** The input back from what was stored. */
  input(params: ApprovalParams): Input;
  /** What the approver is told. */
  result(output: Output): ApprovalParams;
  /**
   * Why an act that was checked when it was asked for cannot be carried out any more, as a result:
   * it counts as approved all the same.
   */
  skipped?(thrown: unknown): ApprovalParams | undefined;
}

export interface HeldAct {
  readonly id: string;
  readonly operation: Approval;
}

export type Requested<Output> =
  | { readonly held: HeldAct }
  | { readonly held: undefined; readonly output: Output };

export interface ApprovableOperation<Input, Output> extends Operation<Input, Output> {
  readonly approval: Approval;
  /** Performs the act, or holds it for an approver. */
  request(act: Act, input: Input): Promise<Requested<Output>>;
  label(params: ApprovalParams): string;
  /** Throws where another node would have to carry it out: to be asked before it is decided. */
  requireHere(engine: Engine): void;
  /** Carries out what was held. */
  release(act: Act, params: ApprovalParams): Promise<ApprovalParams>;
}

const MICROS_A_HOUR = 3_600_000_000;

export function approvable<Input, Output>(
  operation: Operation<Input, Output>,
  spec: ApprovalSpec<Input, Output>,
): ApprovableOperation<Input, Output> {
  return {
    ...operation,
    approval: spec.key,
    async request(act, input) {
      if (!isHeld(act.engine, spec.key) || spec.holds?.(input) === false) {
        return { held: undefined, output: await operation.perform(act, input) };
      }
      requirePermission(act.actor, operation.permission);
      await withinScope(
        act,
        () => spec.check?.(act.engine, input, act.actor),
        (thrown) => spec.checkFailure?.(input, thrown),
      );
      return { held: await hold(act, spec.key, spec.params(input, act.actor)) };
    },
    label: (params) => spec.label(spec.input(params)),
    requireHere: (engine) => spec.here?.(engine),
    async release({ engine }, params) {
      try {
        // The approver has said that it may be; whether he might have done it himself is no matter.
        const releaser: Actor = { name: String(params.requester ?? "system"), permissions: "all" };
        return spec.result(
          await operation.perform({ engine, actor: releaser }, spec.input(params)),
        );
      } catch (thrown) {
        const skipped = spec.skipped?.(thrown);
        if (skipped !== undefined) return skipped;
        throw thrown;
      }
    },
  };
}

function isHeld({ settings: { approvals } }: Engine, key: Approval): boolean {
  return approvals.enabled && approvals.operations.includes(key);
}

async function hold(
  { engine, actor }: Act,
  operation: Approval,
  params: ApprovalParams,
): Promise<HeldAct> {
  const id = crypto.randomUUID().replaceAll("-", "");
  const at = stamp(engine);
  const { expiryHours } = engine.settings.approvals;
  const expiryUs = Math.round(expiryHours * MICROS_A_HOUR);
  const expiresAt = expiryHours === 0 ? null : later(at, expiryUs);
  const facts = { approval_id: id, operation };
  const row = auditRow({
    now: engine.clock.now(),
    actor: actor.name,
    action: "approval.requested",
    facts,
  });
  const values = [id, operation, JSON.stringify(params), actor.name, at, expiresAt];
  await engine.store.submit({
    kind: "register",
    changes: [{ name: "insertApproval", values, expect: 1 }],
    audit: [row],
  });
  engine.logger.audit(auditRecord(row));
  return { id, operation };
}
