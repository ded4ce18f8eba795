/** Runs each argument as a handler's body and prints its error; not a test itself. */
import { graphOf, openSandbox, request } from "./bench.ts";

for (const body of Deno.args) {
  using sandbox = await openSandbox(graphOf(body), { messageTimeoutMs: 300 });
  const [result] = await sandbox.run([request()]);
  console.log(result?.error ?? "no error", "leaked", sandbox.leakedThreads);
}
// A thread that was lost would keep the process alive.
Deno.exit(0);
