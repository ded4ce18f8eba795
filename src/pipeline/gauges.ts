/** What the lanes hold, for whoever watches them grow. Reads memory only. */
import type { BuildupLimits, LaneGauge } from "../alerts/mod.ts";
import type { IngressLane } from "./ingress_lane.ts";
import type { OutboundLane } from "./outbound_lane.ts";

export interface Lanes {
  readonly outbounds: Iterable<OutboundLane>;
  /** Of messages to route, and of handlers to run. */
  readonly ingress: Iterable<IngressLane>;
}

/**
 * One gauge a lane, but for what an operator paused. An outbound has thresholds of its own, those of
 * messages that wait for author code are `shared`. A lane that an error halted counts: it grows.
 */
export function* laneGauges(
  { outbounds, ingress }: Lanes,
  shared: BuildupLimits,
): Generator<LaneGauge> {
  for (const lane of outbounds) {
    if (lane.isPaused) continue;
    yield {
      stage: "outbound",
      connection: lane.name,
      depth: lane.memory.openRows,
      oldestAt: lane.oldestCreatedAt,
      limits: lane.definition.buildup,
    };
  }
  for (const lane of ingress) {
    yield {
      stage: lane.stage,
      connection: lane.name,
      depth: lane.memory.openRows,
      oldestAt: lane.oldestReceivedAt,
      limits: shared,
    };
  }
}
