/**
 * Runs a function of the worker under a time limit that ends endless loops.
 *
 * Each limit costs a thread that waits for it and two changes between threads, as much as a message
 * or two of author code. So the worker watches over several batches with one (`worker.ts`).
 */
import vm from "node:vm";

const taskName = "__messagefoundry_watched__";
const script = new vm.Script(`${taskName}()`);

/**
 * Runs `task` for at most `timeoutMs`. Scripts it runs in a realm end with it.
 *
 * @throws {Error} when the time is over; and what `task` throws.
 */
export function runWatched(task: () => void, timeoutMs: number): void {
  const start = () => {
    Reflect.deleteProperty(globalThis, taskName);
    task();
  };
  Object.defineProperty(globalThis, taskName, { value: start, configurable: true });
  script.runInThisContext({ timeout: timeoutMs });
}
