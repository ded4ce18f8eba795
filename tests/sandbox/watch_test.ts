/**
 * Several batches share one watch over the time; each has its whole limit and no more.
 */
import assert from "node:assert/strict";
import { adt, graphOf, limits, openSandbox, request } from "./bench.ts";

const quick = request({ text: adt });

/** A message the handler below treats by what stands in its MSH-10. */
function asking(what: string) {
  return request({ text: adt.replace("|42|", `|${what}|`) });
}

const graph = graphOf(`
  const spin = () => { for (;;); };
  switch (msg.controlId) {
    case "spin": spin();
    case "await": return (async () => { await null; spin(); })();
    case "leave": Promise.resolve().then(spin); return null;
    case "slow": for (const end = Date.now() + 250; Date.now() < end;); return null;
    case "reject": Promise.reject(new Error("left behind")); return null;
    default: return send(out, msg);
  }
`);

const endless = [
  ["a loop", "spin"],
  ["a loop after an await", "await"],
  ["a loop in a promise that a handler leaves behind", "leave"],
] as const;

for (const [name, what] of endless) {
  Deno.test(`${name} ends in a batch that was not the first of its watch`, async () => {
    using sandbox = await openSandbox(graph);
    for (let i = 0; i < 5; i++) await sandbox.run([quick]);
    const start = performance.now();
    const [result] = await sandbox.run([asking(what)]);
    assert.match(result?.error ?? "", /^HandlerTimeout: (handler "h": )?no result within 400 ms$/);
    // Twice its limit, for it has to fail twice, and two realms.
    assert.ok(performance.now() - start < 2 * limits.messageTimeoutMs + 2_000);
    assert.equal(sandbox.leakedThreads, 0);
    const [after] = await sandbox.run([quick]);
    assert.equal(after?.outcomes[0]?.sends.length, 1);
  });
}

Deno.test("slow messages have their whole limit each, however many share a watch", async () => {
  using sandbox = await openSandbox(graph);
  const calls = Array.from({ length: 4 }, () => sandbox.run([quick]));
  for (const results of await Promise.all(calls)) assert.equal(results[0]?.error, undefined);
  for (let i = 0; i < 3; i++) {
    const [slow] = await sandbox.run([asking("slow")]);
    assert.equal(slow?.error, undefined);
    assert.deepEqual(slow?.outcomes, [{ handler: "h", sends: [], state: [] }]);
  }
});

Deno.test("a message comes through whether the worker waits for it or sleeps", async () => {
  using sandbox = await openSandbox(graph);
  for (const pauseMs of [0, 5, 20, 24, 25, 26, 30, 60, 0, 0]) {
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    const results = await sandbox.run([quick, asking("reject"), quick]);
    assert.deepEqual(results.map(({ outcomes }) => outcomes[0]?.sends.length), [1, 0, 1]);
  }
});

Deno.test("batches of one and of many have limits of their own, and keep their order", async () => {
  using sandbox = await openSandbox(graph);
  for (let i = 0; i < 20; i++) {
    const results = await sandbox.run(Array.from({ length: 1 + i % 3 }, () => quick));
    assert.ok(results.every(({ outcomes }) => outcomes[0]?.sends.length === 1));
  }
});

Deno.test("nothing is lost between posting and waiting", async () => {
  using sandbox = await openSandbox(graph);
  for (let i = 0; i < 2_000; i++) {
    // Writes and discards are posted beside the batches, while the worker is busy or about to sleep.
    sandbox.discardState("IB");
    const run = sandbox.run([quick]);
    sandbox.commitState("IB", [{ namespace: "n", key: "k", value: String(i) }]);
    const [result] = await run;
    assert.equal(result?.outcomes.length, 1);
    if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 23 + i % 4));
  }
});
