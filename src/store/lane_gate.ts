/**
 * Keeps the hand-offs of a lane in order when one of them fails.
 *
 * They are submitted one behind the other without waiting. When one is not written, those behind it
 * would overtake it, and the state they were computed from never came to be. So the lane is closed:
 * its hand-offs fail until it asks for a resync, as every lane does after a failure. Source: spec
 * pipeline-store-cluster I25, §6 state rule 4.
 */
import type { StoreFailure } from "./errors.ts";
import type { Intent } from "./intents.ts";

/** What a hand-off behind a failed one is answered. */
export const behindFailed: StoreFailure = {
  code: "store.failed",
  message: "Cannot hand on a row: an earlier one of its lane was not written",
  hint: "The lane reads its rows again by itself",
};

export class LaneGate {
  readonly #closed = new Set<string>();

  isClosed(intent: Intent): boolean {
    if (this.#closed.size === 0) return false;
    const lane = handOffLane(intent);
    return lane !== undefined && this.#closed.has(lane);
  }

  /** This intent was not written. */
  failed(intent: Intent): void {
    const lane = handOffLane(intent);
    if (lane !== undefined) this.#closed.add(lane);
  }

  /** These intents are durable; a lane that was counted may hand on again. */
  committed(intents: readonly Intent[]): void {
    if (this.#closed.size === 0) return;
    for (const intent of intents) {
      if (intent.kind === "resync") this.#closed.delete(laneKey(intent.stage, intent.lane));
    }
  }
}

function handOffLane(intent: Intent): string | undefined {
  switch (intent.kind) {
    case "hand_off":
    case "route_hand_off":
      return laneKey("ingress", intent.channel);
    case "transform_hand_off":
      return laneKey("routed", intent.channel);
    case "reingress":
      return laneKey("response", intent.message.channel);
    default:
      return undefined;
  }
}

function laneKey(stage: string, lane: string): string {
  return `${stage} ${lane}`;
}
