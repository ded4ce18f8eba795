/** Several cases in one test, where starting what they need takes longer than they do. */
import assert from "node:assert/strict";

export type Cases = Readonly<Record<string, () => Promise<void>>>;

/** All at the same time, for cases that wait; says which of them failed. */
export async function together(cases: Cases): Promise<void> {
  const results = await Promise.allSettled(Object.values(cases).map((run) => run()));
  const failed = Object.keys(cases).flatMap((name, index) => {
    const result = results[index]!;
    return result.status === "rejected" ? [`${name}: ${result.reason?.stack}`] : [];
  });
  assert.deepEqual(failed, []);
}

/** One after the other, as far as the first that fails. */
export async function inTurn(cases: Cases): Promise<void> {
  for (const [name, run] of Object.entries(cases)) {
    try {
      await run();
    } catch (cause) {
      throw new Error(`${name}: ${(cause as Error).message}`, { cause });
    }
  }
}
