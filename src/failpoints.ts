/**
 * Places where a crash test may end the process, named and counted.
 *
 * In the build from the first day; off, each costs one empty call. Source: spec
 * pipeline-store-cluster §10 (failpoints before and after every commit, around user code and send).
 */

export interface Failpoints {
  hit(name: FailpointName): void;
}

export type FailpointName =
  | `store.${"inside_batch" | "before_commit" | "after_commit"}`
  | `store.${"inside_batch" | "before_commit" | "after_commit"}.${string}`
  | `store.${"inside_tidy" | "after_tidy"}${string}`
  | `reseal.${"before_commit" | "after_commit" | "before_finish" | "after_finish"}`
  | "intake.before_submit"
  | "intake.before_reply"
  | "intake.after_reply"
  | "routing.before_run"
  | "routing.before_submit"
  | "routing.before_publish"
  | "delivery.before_send"
  | "delivery.after_send"
  | "delivery.after_resolve"
  | "reingress.before_submit"
  | "reingress.after_commit";

export const noFailpoints: Failpoints = { hit: () => {} };

/**
 * Reads `name@n` pairs, comma separated: the process kills itself at the n-th hit of `name`.
 *
 * SIGKILL of the own process needs no permission and runs no handler: what is not durable is gone.
 *
 * @throws {RangeError} for a pair it cannot read.
 */
export function parseFailpoints(text: string): Failpoints {
  const left = new Map<string, number>();
  for (const pair of text.split(",").map((part) => part.trim()).filter(Boolean)) {
    const [name, count = "1"] = pair.split("@");
    const hits = Number(count);
    if (!name || !Number.isInteger(hits) || hits < 1) {
      throw new RangeError(`Cannot read failpoint "${pair}": write name@count`);
    }
    left.set(name, hits);
  }
  if (left.size === 0) return noFailpoints;
  return {
    hit(name) {
      const hits = left.get(name);
      if (hits === undefined) return;
      if (hits > 1) left.set(name, hits - 1);
      else Deno.kill(Deno.pid, "SIGKILL");
    },
  };
}
