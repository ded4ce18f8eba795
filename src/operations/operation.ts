/**
 * The one gate of whatever a person does: permission, approval, act, audit fact.
 *
 * Every file of this room is one `operation()`. Upstream: `api/` and `cli/`, which hand in who acts.
 * Downstream: the engine's handles.
 */
import { auditRecord, auditRow } from "../audit/mod.ts";
import type { Permission } from "../auth/mod.ts";
import type { Engine } from "../engine.ts";
import { EngineError, errorClass } from "../errors.ts";
import type { ActAudit } from "../store/intents.ts";
import type { RegisterStore } from "../store/registers/mod.ts";

export type { Permission };

/** Acts that `[approvals]` can hold for a second person. Source: spec api §4. */
export type Approval = "connection_purge" | "dead_letter_replay" | "config_reload";

/** Who acts. */
export interface Actor {
  readonly name: string;
  readonly permissions: ReadonlySet<Permission> | "all";
  /** Id of the account; undefined for the engine's own identities. */
  readonly userId?: string;
  /** Inbounds it may see; undefined: all. */
  readonly channels?: ReadonlySet<string>;
}

/** Whoever reaches the engine's process on its own machine: a hang-up, a watched file. */
export const localOperator: Actor = { name: "local", permissions: "all" };

/** Whoever can write the store's file with its key, by the name the operating system has for them. */
export function atConsole(user: string | undefined): Actor {
  return { name: user === undefined ? "console" : `console:${user}`, permissions: "all" };
}

/** Whoever asks while `[auth] enabled = false`. Source: spec api §0.4. */
export const systemIdentity: Actor = { name: "system", userId: "system", permissions: "all" };

/** Whoever nobody has let in. */
export const nobody: Actor = { name: "anonymous", permissions: new Set() };

export function isPermitted(actor: Actor, permission: Permission): boolean {
  return actor.permissions === "all" || actor.permissions.has(permission);
}

/** What the audit log keeps of an act: names, ids and counts, never content. */
export interface AuditFact {
  /** Source of the names: spec api §2.12. */
  readonly action: string;
  readonly fields: Readonly<Record<string, string | number | boolean | null | undefined>>;
  /** An inbound. */
  readonly channel?: string;
  /** The act's own commit has appended the row. */
  readonly isCommitted?: boolean;
}

/** Makes the audit row that an act's intent takes along, so that both are one commit. */
export type RowOf = (
  action: string,
  detail: ActAudit["detail"],
  channel?: string,
) => ActAudit;

/** What every act stands on. One that needs no more runs beside an engine too, see `cli/admin.ts`. */
export interface Ground extends Pick<Engine, "clock" | "logger"> {
  readonly store: Pick<RegisterStore, "submit">;
}

export interface OperationSpec<Input, Output, E extends Ground = Engine> {
  readonly permission: Permission;
  run(engine: E, input: Input, rowOf: RowOf, actor: Actor): Promise<Output>;
  /** Undefined when nothing happened that is worth a row. Written before the act is answered. */
  audit?(input: Input, output: Output, actor: Actor): AuditFact | undefined;
  /** The same of an act that was tried and failed. */
  auditFailure?(input: Input, thrown: unknown): AuditFact | undefined;
}

/** On whose behalf and on which engine. */
export interface Act<E extends Ground = Engine> {
  readonly engine: E;
  readonly actor: Actor;
}

export interface Operation<Input, Output, E extends Ground = Engine> {
  readonly permission: Permission;
  /** Set on an act that can be held; see `approval.ts`. */
  readonly approval: Approval | undefined;
  /**
   * @throws {OperationError} `operation.forbidden`, and what the operation itself names.
   * @throws {StoreError} nothing was written.
   */
  perform(act: Act<E>, input: Input): Promise<Output>;
}

/**
 * An act that cannot be done: `operation.forbidden`, `alert.not_found`, `connection.not_found`,
 * `connection.not_stopped`, `connection.start_failed`, `message.not_found`,
 * `message.nothing_to_replay`, `message.body_purged`, `config.root_not_allowed`, `config.not_found`,
 * `message.search_invalid`, `config.invalid`, `approval.not_found`, `approval.own`,
 * `approval.decided`, `approval.requester_gone`, `channel.denied`.
 */
export class OperationError extends EngineError {}

/** An act on what lies outside of the actor's channels; it is written down. */
export class ChannelDenied extends OperationError {
  readonly channel: string | undefined;

  constructor(channel: string | undefined, code = "channel.denied", message?: string) {
    super(code, message ?? "This connection is outside of your channels");
    this.channel = channel;
  }
}

export function operation<Input, Output, E extends Ground = Engine>(
  spec: OperationSpec<Input, Output, E>,
): Operation<Input, Output, E> {
  const { permission } = spec;
  return {
    permission,
    approval: undefined,
    async perform({ engine, actor }, input) {
      requirePermission(actor, permission);
      let committedAt: number | undefined;
      const rowOf: RowOf = (action, detail, channel) => {
        const row = auditRow({ now: engine.clock.now(), actor: actor.name, action, channel });
        committedAt = row.at;
        return { ...row, detail };
      };
      let output: Output;
      try {
        output = await spec.run(engine, input, rowOf, actor);
      } catch (thrown) {
        await noteFailure(
          { engine, actor },
          denialFact(thrown) ?? spec.auditFailure?.(input, thrown),
        );
        throw thrown;
      }
      await note({ engine, actor }, spec.audit?.(input, output, actor), committedAt);
      return output;
    },
  };
}

function denialFact(thrown: unknown): AuditFact | undefined {
  if (!(thrown instanceof ChannelDenied)) return undefined;
  return { action: "auth.channel_denied", fields: { channel: thrown.channel ?? null } };
}

/**
 * Runs a read or a check that is no operation; a denial is written down as one of an operation is,
 * another failure as `failureFact` has it.
 */
export async function withinScope<T>(
  act: Act,
  read: () => T | Promise<T>,
  failureFact?: (thrown: unknown) => AuditFact | undefined,
): Promise<T> {
  try {
    return await read();
  } catch (thrown) {
    await noteFailure(act, denialFact(thrown) ?? failureFact?.(thrown));
    throw thrown;
  }
}

/**
 * Appends the row, and tells the log of it once it is durable. One that is committed bears the time
 * it was made at: the log tells of the very row that is chained.
 */
async function note(
  { engine, actor }: Act<Ground>,
  fact: AuditFact | undefined,
  committedAt?: number,
): Promise<void> {
  if (fact === undefined) return;
  const { action, fields, channel, isCommitted = false } = fact;
  const now = engine.clock.now();
  const row = auditRow({ now, actor: actor.name, action, channel, facts: fields });
  try {
    if (!isCommitted) await engine.store.submit({ kind: "register", changes: [], audit: [row] });
  } catch (thrown) {
    // A connection that was stopped is stopped: then this is all that tells who did it.
    const error = errorClass(thrown);
    engine.logger.error("operation.audit_failed", { act: action, actor: actor.name, error });
    throw thrown;
  }
  const at = isCommitted ? committedAt ?? row.at : row.at;
  engine.logger.audit(auditRecord({ ...row, at }));
}

/** Nothing was done: that its row cannot be written must not hide why. */
async function noteFailure(act: Act<Ground>, fact: AuditFact | undefined): Promise<void> {
  try {
    await note(act, fact);
  } catch {
    // The log has it.
  }
}

/** @throws {OperationError} `operation.forbidden`. */
export function requirePermission(actor: Actor, permission: Permission): void {
  if (isPermitted(actor, permission)) return;
  throw new OperationError("operation.forbidden", `This needs the permission "${permission}"`);
}

export function messageNotFound(): OperationError {
  return new OperationError("message.not_found", "No message has this id");
}

/** Microseconds since the epoch, as the store takes them. */
export function stamp(engine: Engine): number {
  return Math.round(engine.clock.now() * 1000);
}

/** A sentence about a failure that holds no data: our own errors name paths, others only classes. */
export function failureText(thrown: unknown): string {
  return thrown instanceof EngineError ? thrown.message : `Internal error (${errorClass(thrown)})`;
}
