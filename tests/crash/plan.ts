/**
 * What happens in a round, drawn from its seed: how the engine dies, what partners answer. Pure.
 *
 * The same seed draws the same plan. Which message is where when the blow falls is up to the
 * machine; the failpoints make the place of the blow certain all the same.
 */
import { hashSeed, Random } from "../../src/synthetic/random.ts";
import { type InboundName, inbounds, type LaneName } from "./expectation.ts";

/** How one life of the engine ends. */
export type Ending =
  /** Its `hit`-th pass of a failpoint; `stop`: while it is being stopped. */
  | {
    readonly by: "failpoint";
    readonly name: string;
    readonly hit: number;
    readonly stop: boolean;
  }
  /** SIGKILL, so many milliseconds after it was started; it may not even listen yet. */
  | { readonly by: "time"; readonly afterMs: number }
  /** SIGTERM: in order. */
  | { readonly by: "stop"; readonly afterMs: number };

export interface RoundPlan {
  readonly seed: string;
  /** One a life. */
  readonly endings: readonly Ending[];
  /** The lane whose partner takes nothing, by life; its rows pile up beyond memory. */
  readonly outages: readonly (LaneName | undefined)[];
  /** Who is sent to. */
  readonly inbounds: readonly InboundName[];
  readonly synchronous: "normal" | "full";
  /** Frames each sender may be ahead of its answers. */
  readonly window: number;
  /** Pause of a sender between two frames, milliseconds at most. */
  readonly pauseMs: number;
  readonly paddingMax: number;
}

const storePoints = ["inside_batch", "before_commit", "after_commit"];

/** Intents that ordinary traffic leads to. */
const intents = [
  "receive",
  "record_error",
  "hand_off",
  "route_hand_off",
  "transform_hand_off",
  "complete",
  "retry",
  "dead_letter",
  "claim_row",
  "claim",
  "sweep_missing",
  "connection_events",
];

/** Intents that only a stop leads to. */
const stopIntents = ["release", "resync"];

/** Messages lie about for a while before these; a claim, which needs tables, ends that. */
const tidyPoints = ["store.inside_tidy", "store.after_tidy"];
/** Those whose messages no unordered lane takes, which claims all the time. */
const calmInbounds = inbounds.filter((name) => name !== "IB_SLOW");

/** Every failpoint of the engine, those of loopbacks aside: `reingress_test.ts` visits them. */
export const failpoints: readonly { readonly name: string; readonly stop: boolean }[] = [
  ...storePoints.map((point) => ({ name: `store.${point}`, stop: false })),
  ...storePoints.flatMap((point) =>
    intents.map((intent) => ({ name: `store.${point}.${intent}`, stop: false }))
  ),
  ...storePoints.flatMap((point) =>
    stopIntents.map((intent) => ({ name: `store.${point}.${intent}`, stop: true }))
  ),
  ...[
    "intake.before_submit",
    "intake.before_reply",
    "intake.after_reply",
    "routing.before_run",
    "routing.before_submit",
    "routing.before_publish",
    "delivery.before_send",
    "delivery.after_send",
    "delivery.after_resolve",
    ...tidyPoints,
  ].map((name) => ({ name, stop: false })),
];

/** Draws the plan of one round. `turn` walks the failpoints, so that some rounds cover them all. */
export function planRound(seed: string, { endings, turn }: { endings: number; turn: number }) {
  const random = new Random(seed);
  const drawn = Array.from({ length: endings }, (_, index): Ending => {
    // Of four endings two are the next failpoints in line, one is any, one is chance alone.
    switch (index % 4) {
      case 0:
      case 2: {
        const point =
          failpoints[(turn * Math.ceil(endings / 2) + (index >> 1)) % failpoints.length]!;
        // The first pass on the first walk through all of them, any later one on further walks.
        const isFirstWalk = turn * Math.ceil(endings / 2) + (index >> 1) < failpoints.length;
        return { by: "failpoint", ...point, hit: isFirstWalk ? 1 : drawHit(random) };
      }
      case 1:
        return { by: "time", afterMs: random.int(150, 2_500) };
      default:
        return random.chance(25)
          ? { by: "stop", afterMs: random.int(800, 2_000) }
          : atFailpoint(random.pick(failpoints), drawHit(random));
    }
  });
  const outages = drawn.map(() =>
    random.pick([undefined, undefined, undefined, "OB_A", "OB_B", "OB_C", "OB_ANY"] as const)
  );
  const isTidied = drawn.some((one) => one.by === "failpoint" && tidyPoints.includes(one.name));
  return {
    seed,
    endings: drawn,
    outages,
    inbounds: isTidied || random.chance(25) ? calmInbounds : inbounds,
    synchronous: random.pick(["normal", "full"] as const),
    window: random.pick([1, 4, 16, 64]),
    pauseMs: random.pick([2, 10, 30]),
    paddingMax: random.pick([100, 1_000, 4_000]),
  } satisfies RoundPlan;
}

/** The start passes its own failpoints once. */
function atFailpoint(point: { name: string; stop: boolean }, hit: number): Ending {
  return { by: "failpoint", ...point, hit: point.name.endsWith("sweep_missing") ? 1 : hit };
}

function drawHit(random: Random): number {
  return random.pick([1, random.int(2, 10), random.int(2, 60)]);
}

/** What a partner does about a frame. */
export type PartnerAnswer = "AA" | "AE" | "AR" | "close";

/** Decides by seed, row and attempt alone, so that timing changes no answer. */
export function partnerAnswer(
  seed: string,
  { lane, key, attempt }: { lane: LaneName; key: string; attempt: number },
): { readonly answer: PartnerAnswer; readonly delayMs: number } {
  const draw = hashSeed(`${seed}/${lane}/${key}/${attempt}`);
  const delayMs = lane === "OB_C" ? 0 : (draw >>> 8) % 4;
  const percent = draw % 100;
  if (lane === "OB_A" || lane === "OB_C") return { answer: percent < 1 ? "AE" : "AA", delayMs };
  if (percent < 4) return { answer: "AE", delayMs };
  if (percent < 7) return { answer: "AR", delayMs };
  if (percent < 8) return { answer: "close", delayMs };
  return { answer: "AA", delayMs };
}
