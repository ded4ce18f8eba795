/** What a delivery's outcome means for its row. Source: spec pipeline-store-cluster §1.8, §3.2. */
import { backoffMs } from "../backoff.ts";
import {
  type DeliveryAnswer,
  DeliveryError,
  type PositiveAnswer,
} from "../connectors/connector.ts";
import type { InternalErrorPolicy, RetryDefinition } from "../graph/graph.ts";
import type { NewResponse } from "../store/intents.ts";

export type Verdict =
  | {
    readonly act: "complete";
    /** What the partner answered, when that is to be kept. */
    readonly response?: Omit<NewResponse, "reingress">;
    /** Nothing was sent. */
    readonly simulated?: true;
  }
  | {
    readonly act: "retry";
    readonly waitMs: number;
    readonly reason: string;
    readonly said?: string;
  }
  /** `said`: the partner's own words, which may quote the message: for the row, not for the log. */
  | { readonly act: "dead_letter"; readonly reason: string; readonly said?: string }
  | { readonly act: "halt"; readonly reason: string }
  /** Not sent, or cut off by a stop: the claim is undone. */
  | { readonly act: "release" };

/** True when the row is done with: nothing of it is left to send. */
export function isFinal({ act }: Verdict): boolean {
  return act === "complete" || act === "dead_letter";
}

export interface RetryPolicy {
  readonly retry: RetryDefinition;
  readonly internalError: InternalErrorPolicy;
  readonly captureResponse: boolean;
}

/** Decides after `attempts` sends (this one included) what a partner's answer means. */
export function judgeAnswer(
  answer: DeliveryAnswer,
  attempts: number,
  policy: RetryPolicy,
): Verdict {
  if (answer.accepted) {
    return policy.captureResponse
      ? { act: "complete", response: responseOf(answer) }
      : { act: "complete" };
  }
  const { code, permanent, said } = answer;
  const reason = `partner answered ${code}`;
  const verdict = permanent
    ? { act: "dead_letter" as const, reason }
    : retryOrBury(reason, attempts, policy);
  return said === undefined ? verdict : { ...verdict, said };
}

/** An empty reply is none: there is nothing to take in. */
function responseOf({ reply, outcome, detail }: PositiveAnswer): Omit<NewResponse, "reingress"> {
  return reply === undefined || reply === ""
    ? { outcome: "no_reply", detail, body: undefined }
    : { outcome: outcome ?? "accepted", detail, body: reply };
}

/** Decides what a thrown error means: the partner's failure is retried, ours follows policy. */
export function judgeFailure(thrown: unknown, attempts: number, policy: RetryPolicy): Verdict {
  if (thrown instanceof DeliveryError) {
    const reason = `${thrown.code}: ${thrown.message}`;
    return thrown.permanent
      ? { act: "dead_letter", reason }
      : retryOrBury(reason, attempts, policy);
  }
  const name = thrown instanceof Error ? thrown.name : typeof thrown;
  // The text of an unexpected error may quote the payload; its class never does.
  const reason = `internal error: ${name}`;
  return { act: policy.internalError === "stop" ? "halt" : "dead_letter", reason };
}

function retryOrBury(
  reason: string,
  attempts: number,
  { retry }: RetryPolicy,
): Extract<Verdict, { act: "retry" | "dead_letter" }> {
  if (retry.maxAttempts !== null && attempts >= retry.maxAttempts) {
    return { act: "dead_letter", reason };
  }
  return { act: "retry", waitMs: backoffMs(retry, attempts), reason };
}
