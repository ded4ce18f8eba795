/** What is left of an intent on a node that does not lead: it claims nothing. */
import type { RowIntent } from "../execute.ts";

/**
 * Returns the intent without its claims. What it would have claimed or borne in flight is pending,
 * for whoever leads; whoever asked finds that its tokens hold nothing. Source: spec
 * pipeline-store-cluster §3.3 (a re-pend and a receipt are never fenced), §11.4 P2.
 */
export function fenced(intent: RowIntent): RowIntent {
  switch (intent.kind) {
    case "receive":
      return { ...intent, token: undefined };
    case "hand_off":
    case "transform_hand_off":
      return {
        ...intent,
        deliveries: intent.deliveries.map(unclaimed),
        ...(intent.reentries && { reentries: intent.reentries.map(unclaimed) }),
      };
    case "complete_with_response": {
      const { reingress } = intent.response;
      const response = { ...intent.response, reingress: reingress && unclaimed(reingress) };
      return { ...intent, next: undefined, response };
    }
    case "reingress":
      return { ...intent, ingressToken: undefined };
    case "complete":
    case "dead_letter":
      return { ...intent, next: undefined };
    case "claim_row":
      // No claim has this token, and no row this number.
      return { ...intent, seq: 0 };
    default:
      return intent;
  }
}

function unclaimed<T extends { readonly token: number | undefined }>(row: T): T {
  return { ...row, token: undefined };
}
