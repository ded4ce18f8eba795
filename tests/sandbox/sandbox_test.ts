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

const reading = graphOf(
  `if (msg.controlId === "7") for (;;);
   return send(out, msg.set("PID-5.1", table.get("a") ?? "none").set("PID-5.2", rows.get("r")?.x));`,
  `const table = mf.reference("table", { source: mf.fileRef({ path: "/t.csv" }) });
   const rows = mf.reference<{ x: string }>("rows", { source: mf.fileRef({ path: "/r.csv" }) });`,
);
const rows = { name: "rows", entries: '[["r",{"x":"JANE"}]]' };
const nameIn = (payload: string | undefined) =>
  /\|([^|]*)\^([^|]*)\|\|19800101/.exec(payload ?? "");

Deno.test("setReference() gives later batches the next version, also in a realm that is new", async () => {
  using sandbox = await openSandbox(reading);
  const first = async (text?: string) => {
    const [result] = await sandbox.run([request(text === undefined ? {} : { text })]);
    return result?.outcomes[0]?.error ?? nameIn(result?.outcomes[0]?.sends[0]?.payload)?.[1];
  };
  assert.match(await first() ?? "", /GraphError: Cannot read reference "table": nothing of it was/);
  sandbox.setReference(rows);
  for (const value of ["ONE", "TWO"]) {
    sandbox.setReference({ name: "table", entries: JSON.stringify([["a", value]]) });
    assert.equal(await first(), value);
  }
  // Its realm is lost, and the new one has the version that counted.
  const [lost] = await sandbox.run([request({ text: numbered("7") })]);
  assert.match(lost?.error ?? "", /^HandlerTimeout/);
  assert.equal(await first(), "TWO");
});

// I58: whatever is flipped meanwhile, the messages of one batch see one version.
Deno.test("a batch sees one version of a reference set", async () => {
  using sandbox = await openSandbox(reading);
  sandbox.setReference(rows);
  const seen = new Set<string>();
  for (let version = 0; version < 20; version += 1) {
    sandbox.setReference({ name: "table", entries: JSON.stringify([["a", `V${version}`]]) });
    const batch = sandbox.run(Array.from({ length: 16 }, () => request()));
    sandbox.setReference({ name: "table", entries: JSON.stringify([["a", `V${version}b`]]) });
    const names = (await batch).map(({ outcomes }) => nameIn(outcomes[0]?.sends[0]?.payload)?.[1]);
    assert.equal(new Set(names).size, 1);
    seen.add(names[0]!);
  }
  assert.equal(seen.size, 20);
});

Deno.test("author code can change no row of a reference set", async () => {
  using sandbox = await openSandbox(graphOf(
    `const row = mf.reference("rows").get("r"); row.x = "changed"; return null;`,
    `mf.reference("rows", { source: mf.fileRef({ path: "/r.csv" }) });`,
  ));
  sandbox.setReference(rows);
  const [result] = await sandbox.run([request()]);
  assert.match(result?.outcomes[0]?.error ?? "", /^TypeError/);
});

Deno.test("a handler is told where its message comes from, and what partners answered", async () => {
  using sandbox = await openSandbox(graphOf(
    `const from = mf.currentCorrelation(); const answer = mf.response(out); return [
       send(out, JSON.stringify([from, answer, mf.response("OB_NONE")])),
     ];`,
  ));
  const lineage = JSON.stringify({
    ...{ id: "a", rootId: "r", depth: 2, outbound: "OB" },
    responses: [
      { outbound: "OB", outcome: "accepted", body: "old" },
      { outbound: "OB", outcome: "rejected", detail: "why", body: "new" },
    ],
  });
  const results = await sandbox.run([request({ lineage }), request()]);
  const payloads = results.map(({ outcomes }) => JSON.parse(outcomes[0]!.sends[0]!.payload!));
  assert.deepEqual(payloads, [
    [
      { id: "a", rootId: "r", depth: 2, outbound: "OB" },
      { outcome: "rejected", detail: "why", body: "new" },
      null,
    ],
    [null, null, null],
  ]);
});

Deno.test("a handler sends to loopbacks and to no other inbound", async () => {
  const top = `inbound("LOOP", mf.loopback(), { router: "all" });`;
  using sandbox = await openSandbox(
    graphOf(`return send(msg.controlId === "1" ? "LOOP" : "IB", msg);`, top),
  );
  const results = await sandbox.run([
    request({ text: numbered("1") }),
    request({ text: numbered("2") }),
  ]);
  assert.equal(results[0]?.outcomes[0]?.sends[0]?.to, "LOOP");
  assert.match(results[1]?.outcomes[0]?.error ?? "", /no outbound and no loopback has that name/);
  assert.deepEqual(sandbox.registry.handlers[0]?.mentions.toSorted(), ["LOOP"]);
});
