/**
 * The lanes before the outbounds, by stage and inbound. One is made when it is first asked for, and
 * stays when its inbound goes: the rows wait until that is back.
 *
 * Upstream: `pipeline.ts`. Downstream: routing and re-ingress, which are told of lanes with work.
 */
import type { Clock } from "../clock.ts";
import type { Logger } from "../logging/logger.ts";
import type { Store } from "../store/store.ts";
import { ATTEMPTS_MAX, IngressLane, type IngressStage } from "./ingress_lane.ts";
import type { MemoryBudget } from "./memory.ts";

export interface IngressLanesOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly budget: MemoryBudget;
  /** Rows of a lane that were open at the start. */
  readonly openAtStart: (stage: IngressStage, name: string) => number;
  /** The lane has work. */
  readonly onReady: (lane: IngressLane) => void;
  /** The lane's head may be what ended the process. */
  readonly onSuspect: (lane: IngressLane) => void;
}

type LanesOfStage = Map<string, IngressLane>;

export class IngressLanes {
  readonly #options: IngressLanesOptions;
  readonly #lanes: Readonly<Record<IngressStage, LanesOfStage>> = {
    ingress: new Map(),
    routed: new Map(),
    response: new Map(),
  };

  constructor(options: IngressLanesOptions) {
    this.#options = options;
  }

  /** The lane, made if there is none yet. */
  get(stage: IngressStage, name: string): IngressLane {
    let lane = this.#lanes[stage].get(name);
    if (!lane) this.#lanes[stage].set(name, lane = this.#make(stage, name));
    return lane;
  }

  find(stage: IngressStage, name: string): IngressLane | undefined {
    return this.#lanes[stage].get(name);
  }

  of(stage: IngressStage): Iterable<IngressLane> {
    return this.#lanes[stage].values();
  }

  /** Those there are, of every stage. */
  ofInbound(name: string): readonly IngressLane[] {
    return Object.values(this.#lanes).flatMap((lanes) => lanes.get(name) ?? []);
  }

  *[Symbol.iterator](): Generator<IngressLane> {
    for (const lanes of Object.values(this.#lanes)) yield* lanes.values();
  }

  #make(stage: IngressStage, name: string): IngressLane {
    const { store, clock, logger, budget, openAtStart, onReady, onSuspect } = this.#options;
    const now = () => Math.round(clock.now() * 1000);
    return new IngressLane({
      ...{ stage, name, store, budget, now, onReady, onSuspect },
      open: openAtStart(stage, name),
      onExhausted: (_lane, rows) =>
        logger.error("routing.attempts_exhausted", {
          connection: name,
          rows,
          attempts: ATTEMPTS_MAX,
        }),
      onUnreadable: (lane, row) =>
        void store.submit({
          kind: "dead_letter",
          at: now(),
          ...row,
          destination: undefined,
          error: "body cannot be decrypted",
          next: undefined,
        }).catch(() => lane.recount()),
    });
  }
}
