/** The places of a store's commit where a crash test may end the process. */
import { type Failpoints, noFailpoints } from "../failpoints.ts";
import type { Intent } from "./intents.ts";

export type CommitPoint = "inside_batch" | "before_commit" | "after_commit";
/** Of SQLite alone: while what was committed is brought into the tables. */
export type TidyPoint = "inside_tidy" | "after_tidy";
export type OnPoint = (point: CommitPoint | TidyPoint, intents: readonly Intent[]) => void;

/** Hit once for the batch and once for each kind of intent in it; undefined where none is set. */
export function pointsOf(failpoints: Failpoints): OnPoint | undefined {
  if (failpoints === noFailpoints) return undefined;
  return (point, intents) => {
    failpoints.hit(`store.${point}`);
    for (const kind of new Set(intents.map((intent) => intent.kind))) {
      failpoints.hit(`store.${point}.${kind}`);
    }
  };
}
