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
  ["config.root_not_allowed", 403],
  ["config.not_found", 404],
  ["config.invalid", 422],
  ["alert.not_found", 404],
  ["approval.not_found", 404],
  ["approval.own", 403],
  ["approval.decided", 409],
  ["connection.not_found", 404],
  ["message.not_found", 404],
  ["message.search_invalid", 400],
  ["connection.not_stopped", 409],
  ["connection.start_failed", 409],
  ["message.nothing_to_replay", 409],
  ["message.body_purged", 409],
  ["store.busy", 503],
  ["store.read_only", 503],
  ["store.disk_full", 503],
  ["store.io", 503],
  ["store.closed", 503],
]);

/** Returns the answer a failure has of its own; undefined for one that nobody expected. */
export function answerTo(thrown: unknown): { status: number; detail: Detail } | undefined {
  if (thrown instanceof Refusal) return thrown;
  if (!(thrown instanceof EngineError)) return undefined;
  const status = STATUS.get(thrown.code);
  return status === undefined ? undefined : { status, detail: thrown.message };
}

export function jsonAnswer(
  status: number,
  detail: Detail,
  headers: Record<string, string> = {},
): Response {
  return Response.json({ detail }, { status, headers });
}
