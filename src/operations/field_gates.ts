/**
 * Fields that hold patient data beside a message's body: shown to whoever holds
 * `messages:view_summary`, null to everybody else. Source: spec api §3.
 */
import type { DeadLetter, MessageDetail, MessageSummary, StoredResponse } from "../store/store.ts";
import { type Actor, isPermitted } from "./operation.ts";
import type { Summarized } from "./summaries.ts";

export function gatedSummary<M extends Summarized<MessageSummary>>(message: M, actor: Actor): M {
  if (isPermitted(actor, "messages:view_summary")) return message;
  return { ...message, summary: null, error: null, metadata: null };
}

export function gatedDetail(
  message: Summarized<MessageDetail>,
  actor: Actor,
): Summarized<MessageDetail> {
  if (isPermitted(actor, "messages:view_summary")) return message;
  return {
    ...gatedSummary(message, actor),
    rows: message.rows.map((row) => ({ ...row, lastError: null })),
    events: message.events.map((event) => ({ ...event, detail: null })),
  };
}

/** The body of an answer is worth as much as that of a message. */
export function gatedResponse(response: StoredResponse, actor: Actor): StoredResponse {
  const { detail, body } = response;
  return {
    ...response,
    detail: isPermitted(actor, "messages:view_summary") ? detail : null,
    body: isPermitted(actor, "messages:view_raw") ? body : null,
  };
}

export function gatedDeadLetter(
  dead: Summarized<DeadLetter>,
  actor: Actor,
): Summarized<DeadLetter> {
  if (isPermitted(actor, "messages:view_summary")) return dead;
  return { ...dead, summary: null, lastError: null };
}
