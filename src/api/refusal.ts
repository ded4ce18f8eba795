/** What a request is refused with, and which status each failure of the engine means. */
import { EngineError } from "../errors.ts";

/** One thing wrong with the input. Source: spec api §0. */
export interface InputProblem {
  readonly type: string;
  /** Where it is: `["query", "limit"]`, `["body", "targets", 0, "role"]`. */
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input: unknown;
}

export type Detail = string | readonly InputProblem[];

/** A request that this room itself refuses; `status` and `detail` go out as they are. */
export class Refusal extends EngineError {
  readonly status: number;
  readonly detail: Detail;

  constructor(status: number, detail: Detail, cause?: unknown) {
    super("api.refused", typeof detail === "string" ? detail : "Invalid input", { cause });
    this.status = status;
    this.detail = detail;
  }
}

const STATUS: ReadonlyMap<string, number> = new Map([
  ["operation.forbidden", 403],
  ["channel.denied", 403],
  ["auth.disabled", 503],
  ["auth.not_signed_in", 401],
  ["auth.refused", 401],
  ["auth.busy", 429],
  ["auth.too_many_attempts", 429],
  ["auth.too_many_reads", 429],
  ["auth.password_change_required", 403],
  ["auth.mfa_required", 403],
  ["auth.step_up_required", 403],
  ["auth.wrong_password", 403],
  ["auth.wrong_code", 401],
  ["auth.code_not_accepted", 400],
  ["auth.password_policy", 400],
  ["auth.breach_list", 503],
  ["auth.invalid", 400],
  ["auth.conflict", 409],
  ["auth.not_found", 404],
  ["config.root_not_allowed", 403],
  ["config.not_found", 404],
  ["config.invalid", 422],
  ["alert.not_found", 404],
  ["approval.not_found", 404],
  ["approval.own", 403],
  ["approval.decided", 409],
  ["approval.requester_gone", 409],
  ["connection.not_found", 404],
  ["message.not_found", 404],
  ["message.search_invalid", 400],
  ["connection.not_stopped", 409],
  ["connection.start_failed", 409],
  ["message.nothing_to_replay", 409],
  ["message.body_purged", 409],
  ["cluster.standby", 409],
  ["cluster.unreachable", 503],
  ["cluster.timeout", 503],
  ["cluster.connection_lost", 503],
  ["cluster.statement_failed", 503],
  ["cluster.closed", 503],
  ["store.busy", 503],
  ["store.read_only", 503],
  ["store.disk_full", 503],
  ["store.io", 503],
  ["store.closed", 503],
  ["store.unavailable", 503],
  ["store.sign_in_refused", 503],
  ["store.tls_refused", 503],
  ["store.not_allowed", 503],
  ["store.rolled_back", 503],
]);

/** What clients react to, beside the status. Source: spec api §2.5, §2.9. */
const HEADERS: Readonly<Record<string, Readonly<Record<string, string>> | undefined>> = {
  "auth.not_signed_in": { "www-authenticate": "Bearer" },
  "auth.mfa_required": { "x-mfa-required": "1" },
  "auth.step_up_required": { "x-step-up-required": "1" },
  "auth.too_many_reads": { "retry-after": "10" },
};

export interface FailedAnswer {
  readonly status: number;
  readonly detail: Detail;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Returns the answer a failure has of its own; undefined for one that nobody expected. */
export function answerTo(thrown: unknown): FailedAnswer | undefined {
  if (thrown instanceof Refusal) return thrown;
  if (!(thrown instanceof EngineError)) return undefined;
  const status = STATUS.get(thrown.code);
  if (status === undefined) return undefined;
  return { status, detail: thrown.message, headers: HEADERS[thrown.code] };
}

export function jsonAnswer(
  status: number,
  detail: Detail,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return Response.json({ detail }, { status, headers });
}
