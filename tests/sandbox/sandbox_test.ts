import assert from "node:assert/strict";
import { graphOf, loadFiles, numbered, openSandbox, request } from "./bench.ts";

Deno.test("run() gives what a handler sends", async () => {
  using sandbox = await openSandbox(graphOf(`msg.set("PID-5.1", "ROE"); return send(out, msg);`));
  const [result] = await sandbox.run([request()]);
  assert.deepEqual(result?.handlers, ["h"]);
  assert.match(result?.outcomes[0]?.sends[0]?.payload ?? "", /\|ROE\^JANE\|/);
  assert.equal(result?.outcomes[0]?.error, undefined);
});

Deno.test("a payload equal to the input is not copied", async () => {
  using sandbox = await openSandbox(graphOf(`return send(out, msg);`));
  const [result] = await sandbox.run([request()]);
  assert.deepEqual(result?.outcomes[0]?.sends, [{ to: "OB", payload: undefined }]);
});

Deno.test("send() takes a snapshot", async () => {
  using sandbox = await openSandbox(
    graphOf(`return [send(out, msg), msg.set("PID-5.1", "ROE") && send(out, msg)];`),
  );
  const [result] = await sandbox.run([request()]);
  const [first, second] = result?.outcomes[0]?.sends ?? [];
  assert.equal(first?.payload, undefined);
  assert.match(second?.payload ?? "", /ROE/);
});

Deno.test("a handler that never ends gets the error, its batch does not", async () => {
  using sandbox = await openSandbox(
    graphOf(`if (msg.controlId === "7") for (;;); return send(out, msg);`),
  );
  const requests = Array.from({ length: 12 }, (_, i) => request({ text: numbered(String(i)) }));
  const results = await sandbox.run(requests);
  for (const [index, result] of results.entries()) {
    if (index === 7) assert.match(result.error ?? "", /^HandlerTimeout: handler "h"/);
    else assert.equal(result.outcomes[0]?.sends.length, 1);
  }
  assert.equal(sandbox.leakedThreads, 0);
});

Deno.test("modules with problems are told, the others load", async () => {
  const { sandbox, registry, problems } = await loadFiles({
    "a.ts": `import { router } from "messagefoundry";\nrouter("a", () => null);`,
    "b.ts": `\n\nenum Colour { Red }`,
    "c.ts": `import "node:fs";`,
    "d.ts": `\nthrow new RangeError("no");`,
    "e.ts": `import { nothing } from "./_helper.ts";`,
    "_helper.ts": `export const something = 1;`,
  });
  sandbox?.close();
  assert.deepEqual(registry.routers.map(({ name }) => name), ["a"]);
  assert.deepEqual(
    problems.map(({ file, line }) => [file, line]),
    [["graph/b.ts", 3], ["graph/c.ts", 1], ["graph/d.ts", 2], ["graph/e.ts", undefined]],
  );
});

Deno.test("a message that is late once is not blamed", async () => {
  using sandbox = await openSandbox(
    graphOf(`while (Date.now() < Number(msg.controlId)); return send(out, msg);`),
  );
  const text = numbered(String(Date.now() + 450));
  const [result] = await sandbox.run([request({ text })]);
  assert.equal(result?.error, undefined);
  assert.equal(result?.outcomes[0]?.sends.length, 1);
});
