import assert from "node:assert/strict";
import type { HandlerOutcome, RunResult, StateEntry } from "../../src/sandbox/mod.ts";
import { adt, graphOf, numbered, openSandbox, request } from "./bench.ts";

/** A graph with several handlers; `handlers` maps name to body, `route` is the router's expression. */
function fanOut(route: string, handlers: Readonly<Record<string, string>>) {
  const declared = Object.entries(handlers).map(([name, body]) =>
    `const ${name} = handler("${name}", ${
      body.startsWith("async") ? body : `(msg: any): any => { ${body} }`
    });`
  );
  return {
    "main.ts": `
      import { currentIngestTime, handler, inbound, mllp, outbound, router, send, setState, state }
        from "messagefoundry";
      const out = outbound("OB", mllp({ host: "h", port: 1 }));
      ${declared.join("\n")}
      const route = router("all", (msg: any): any => { ${route} });
      inbound("IB", mllp({ port: 2575 }), { router: route });
    `,
  };
}

function only(results: readonly RunResult[]): RunResult {
  assert.equal(results.length, 1);
  return results[0] as RunResult;
}

function outcome(results: readonly RunResult[]): HandlerOutcome {
  return only(results).outcomes[0] as HandlerOutcome;
}

function stateOf(results: readonly RunResult[]): readonly StateEntry[] {
  return results.flatMap(({ outcomes }) => outcomes.flatMap(({ state }) => state));
}

Deno.test("a router names handlers by handle, name, list with holes, or none", async (t) => {
  const handlers = { a: "return send(out, msg);", b: "return null;" };
  const routes: readonly (readonly [string, readonly string[]])[] = [
    ["return a;", ["a"]],
    ['return "b";', ["b"]],
    ["return [b, false, null, undefined, a, b, 'a'];", ["b", "a"]],
    ["return [];", []],
    ["return null;", []],
  ];
  for (const [route, names] of routes) {
    await t.step(route, async () => {
      using sandbox = await openSandbox(fanOut(route, handlers));
      const result = only(await sandbox.run([request()]));
      assert.equal(result.error, undefined);
      assert.deepEqual(result.handlers, names);
      assert.deepEqual(result.outcomes.map(({ handler }) => handler), names);
    });
  }
});

Deno.test("a router that errs runs no handler", async (t) => {
  const routes: readonly (readonly [string, RegExp])[] = [
    ["", /^GraphError: .*undefined/],
    ['return "nobody";', /^GraphError: Cannot route: handler "nobody" is not defined/],
    ["return false;", /^GraphError: .*boolean/],
    ["return Promise.resolve(a);", /^GraphError: .*not a promise/],
    ["throw new RangeError('no');", /^RangeError: no$/],
    ["return out;", /^GraphError: .*not an object/],
  ];
  for (const [route, error] of routes) {
    await t.step(route, async () => {
      using sandbox = await openSandbox(fanOut(route, { a: "return send(out, msg);" }));
      const result = only(await sandbox.run([request()]));
      assert.match(result.error ?? "", error);
      assert.deepEqual(result.outcomes, []);
    });
  }
});

Deno.test("what a router or a sibling writes into the message stays with it", async () => {
  using sandbox = await openSandbox(fanOut(
    `msg.set("PID-5.1", "ROUTER"); return [a, b, c];`,
    {
      a: `msg.set("PID-5.1", "A"); return send(out, msg);`,
      b: `return send(out, msg);`,
      c: `msg.deleteSegments("PV1"); return send(out, msg);`,
    },
  ));
  const [a, b, c] = only(await sandbox.run([request()])).outcomes;
  assert.equal(a?.sends[0]?.payload, adt.replace("DOE", "A"));
  assert.equal(b?.sends[0]?.payload, undefined);
  assert.equal(c?.sends[0]?.payload, adt.replace("PV1|1|I|2W^201^A\r", ""));
});

Deno.test("a handler that errs leaves its siblings' results", async () => {
  using sandbox = await openSandbox(fanOut(`return [a, b];`, {
    a: `if (true) throw new TypeError("bad"); return null;`,
    b: `return send(out, msg);`,
  }));
  const [a, b] = only(await sandbox.run([request()])).outcomes;
  assert.deepEqual(a, { handler: "a", sends: [], state: [], error: "TypeError: bad" });
  assert.equal(b?.sends.length, 1);
});

Deno.test("handlers named by the request run without the router", async () => {
  using sandbox = await openSandbox(fanOut(`throw new Error("asked");`, {
    a: `return send(out, msg);`,
    b: `return send(out, "other");`,
  }));
  const result = only(await sandbox.run([request({ handlers: ["b", "gone"] })]));
  assert.equal(result.outcomes[0]?.sends[0]?.payload, "other");
  assert.match(result.outcomes[1]?.error ?? "", /Cannot run handler "gone": it is not defined/);
});

Deno.test("a request to route only runs no handler", async () => {
  using sandbox = await openSandbox(fanOut(`return [a];`, { a: `throw new Error("ran");` }));
  const result = only(await sandbox.run([request({ routeOnly: true })]));
  assert.deepEqual([result.handlers, result.outcomes, result.error], [["a"], [], undefined]);
});

Deno.test("async handlers are awaited, in order", async () => {
  using sandbox = await openSandbox(fanOut(`return [a, b];`, {
    a: `async (msg: any) => {
          for (let i = 0; i < 50; i++) await null;
          return [send(out, "a" + currentIngestTime()), setState("n", "k", "a")];
        }`,
    b: `return send(out, "b" + state("n", "k"));`,
  }));
  const results = await sandbox.run([request({ ingestTime: 5 }), request({ ingestTime: 6 })]);
  const payloads = results.map(({ outcomes }) => outcomes.map(({ sends }) => sends[0]?.payload));
  assert.deepEqual(payloads, [["a5", "ba"], ["a6", "ba"]]);
});

Deno.test("a promise that settles after it was given up changes nothing", async () => {
  using sandbox = await openSandbox(
    graphOf(
      `if (msg.controlId === "0") return new Promise((resolve) => { late = resolve; });
       late(send(out, "late"));
       return send(out, msg);`,
      `let late: any;`,
    ),
  );
  const results = await sandbox.run(["0", "1", "2"].map((id) => request({ text: numbered(id) })));
  assert.match(results[0]?.outcomes[0]?.error ?? "", /^HandlerTimeout: its promise/);
  assert.deepEqual(results[1]?.outcomes[0]?.sends, [{ to: "OB", payload: undefined }]);
  assert.deepEqual(results[2]?.outcomes[0]?.sends, [{ to: "OB", payload: undefined }]);
});

Deno.test("other content comes as a RawMessage", async () => {
  using sandbox = await openSandbox({
    "main.ts": `
      import { file, handler, inbound, outbound, type RawMessage, router, send } from "messagefoundry";
      const out = outbound("OB", file({ directory: "/out" }));
      const h = handler("h", (msg: RawMessage) => {
        const { id } = msg.json<{ id: number }>();
        return [send(out, { id, twice: id * 2, gone: undefined }), send(out, [id]), send(out, msg),
          send(out, new Uint8Array([id]))];
      });
      const route = router("all", () => h);
      inbound("IB", file({ directory: "/in" }), { router: route, contentType: "json" });
    `,
  });
  const { sends } = outcome(
    await sandbox.run([request({ text: '{"id":7}', contentType: "json" })]),
  );
  assert.deepEqual(sends.map(({ payload }) => payload), [
    '{"id":7,"twice":14}',
    "[7]",
    undefined,
    "mfb64:v1:Bw==",
  ]);
});

Deno.test("text that is no HL7 is an error of the message", async () => {
  using sandbox = await openSandbox(graphOf(`return send(out, msg);`));
  assert.match(only(await sandbox.run([request({ text: "" })])).error ?? "", /^Hl7SyntaxError: /);
});

Deno.test("sends may go to outbounds of connections.toml", async () => {
  using sandbox = await openSandbox(graphOf(`return send("OB_TOML", msg);`), {
    outboundNames: ["OB_TOML"],
  });
  assert.deepEqual(outcome(await sandbox.run([request()])).sends.map(({ to }) => to), ["OB_TOML"]);
});

Deno.test("errors are redacted and at most 200 characters", async () => {
  using sandbox = await openSandbox(
    graphOf(`throw new Error("patient " + msg.get("PID-5") + "x".repeat(900));`),
    { redact: (text) => text.replaceAll("DOE^JANE", "[redacted]") },
  );
  const { error } = outcome(await sandbox.run([request()]));
  assert.match(error ?? "", /^Error: patient \[redacted\]x+…$/);
  assert.equal(error?.length, 200);
});

// Goal: a text that was expected to be JSON may be anything, and V8 quotes it.
Deno.test("an error of JSON.parse() names the place and never the text", async () => {
  const cases: readonly [string, RegExp][] = [
    ['JSON.parse("diabetes mellitus")', /^SyntaxError: Cannot read text as JSON$/],
    [`JSON.parse('{"a":1,"b":"x"diabetes}')`, /as JSON at position 14 \(line 1 column 15\)$/],
    ['JSON.parse("diabetes", (_, value) => value)', /^SyntaxError: Cannot read text as JSON$/],
    ['JSON.parse("[1]", () => { throw new SyntaxError("mine"); })', /^SyntaxError: mine$/],
  ];
  for (const [body, expected] of cases) {
    using sandbox = await openSandbox(graphOf(body));
    assert.match(outcome(await sandbox.run([request()])).error ?? "", expected);
  }
});

Deno.test("state: a message sees what its predecessors of the same inbound wrote", async () => {
  using sandbox = await openSandbox(
    graphOf(`const n = (state("count", "n") ?? 0) + 1;
      return [send(out, String(n)), setState("count", "n", n)];`),
  );
  const count = async (inbounds: readonly string[]) => {
    const results = await sandbox.run(inbounds.map((inbound) => request({ inbound })));
    return results.map(({ outcomes }) => outcomes[0]?.sends[0]?.payload);
  };
  assert.deepEqual(await count(["A", "A", "B", "A"]), ["1", "2", "1", "3"]);
  assert.deepEqual(await count(["A", "C"]), ["4", "1"]);

  sandbox.discardState("A");
  assert.deepEqual(await count(["A", "B"]), ["1", "2"]);
});

Deno.test("state: commits are seen by every inbound, and do not hide newer writes", async () => {
  using sandbox = await openSandbox(
    graphOf(`const n = (state("count", "n") ?? 0) + 1;
      return [send(out, String(n)), setState("count", "n", n)];`),
    { state: [{ namespace: "count", key: "n", value: "10" }] },
  );
  const run = async (inbound: string) => {
    const results = await sandbox.run([request({ inbound })]);
    return { payload: outcome(results).sends[0]?.payload, state: stateOf(results) };
  };
  const first = await run("A");
  const second = await run("A");
  assert.deepEqual([first.payload, second.payload], ["11", "12"]);
  sandbox.commitState("A", first.state);
  assert.equal((await run("B")).payload, "12");
  assert.equal((await run("A")).payload, "13");
  sandbox.commitState("A", second.state);
  sandbox.discardState("A");
  assert.equal((await run("A")).payload, "13");
});

Deno.test("state: survives a realm that is thrown away", async () => {
  using sandbox = await openSandbox(
    graphOf(`if (msg.controlId === "evil") for (;;);
      const n = (state("count", "n") ?? 0) + 1;
      return [send(out, String(n)), setState("count", "n", n)];`),
  );
  const results = await sandbox.run(
    ["0", "1", "evil", "2"].map((id) => request({ text: numbered(id) })),
  );
  assert.deepEqual(
    results.map(({ outcomes }) => outcomes[0]?.sends[0]?.payload),
    ["1", "2", undefined, "3"],
  );
  sandbox.commitState("IB", stateOf(results));
  assert.equal(outcome(await sandbox.run([request({ inbound: "B" })])).sends[0]?.payload, "4");
});

Deno.test("state: a handler that errs writes nothing", async () => {
  using sandbox = await openSandbox(fanOut(`return [a, b];`, {
    a: `setState("n", "k", 1); return [setState("n", "k", 2), 3];`,
    b: `return send(out, String(state("n", "k")));`,
  }));
  const [a, b] = only(await sandbox.run([request()])).outcomes;
  assert.deepEqual(a?.state, []);
  assert.equal(b?.sends[0]?.payload, "undefined");
});

Deno.test("state: names and values are checked", async (t) => {
  const calls = [
    `setState("", "k", 1)`,
    `setState("n", "", 1)`,
    `setState("n", 3, 1)`,
    `setState("n", "k".repeat(513), 1)`,
    `setState("n", "k", undefined)`,
    `setState("n", "k", NaN)`,
    `setState("n", "k", 1n)`,
    `setState("n", "k", new Date())`,
    `setState("n", "k", new Map())`,
    `setState("n", "k", { toJSON() {} })`,
    `setState("n", "k", "é".repeat(32_768))`,
    `{ const a = []; a.push(a); setState("n", "k", a); }`,
    `state("", "k")`,
  ];
  const bodies = calls.map((call, n) => `if (msg.controlId === "${n}") { ${call}; }`);
  using sandbox = await openSandbox(graphOf(`${bodies.join("\n")} return null;`));
  for (const [n, call] of calls.entries()) {
    await t.step(call, async () => {
      const results = await sandbox.run([request({ text: numbered(String(n)) })]);
      assert.match(outcome(results).error ?? "", /^GraphError: Cannot set state/);
    });
  }
});

Deno.test("calls that wait run in order, and a closed sandbox refuses", async () => {
  const sandbox = await openSandbox(graphOf(`return send(out, msg.controlId);`));
  const runs = Array.from(
    { length: 200 },
    (_, i) => sandbox.run([request({ text: numbered(`${i}`) })]),
  );
  const payloads = (await Promise.all(runs)).map((results) => outcome(results).sends[0]?.payload);
  assert.deepEqual(payloads, Array.from({ length: 200 }, (_, i) => String(i)));

  const waiting = sandbox.run([request()]);
  sandbox.close();
  await assert.rejects(waiting, { code: "sandbox.closed" });
  await assert.rejects(sandbox.run([request()]), { code: "sandbox.closed" });
});

Deno.test("random numbers differ between messages and between loads", async () => {
  const graph = graphOf(`
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    return send(out, crypto.randomUUID() + " " + bytes.toHex());`);
  const seen = new Set<string>();
  for (let load = 0; load < 2; load++) {
    using sandbox = await openSandbox(graph);
    for (const result of await sandbox.run([request(), request()])) {
      const payload = result.outcomes[0]?.sends[0]?.payload ?? "";
      assert.match(
        payload,
        /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12} /,
      );
      for (const part of payload.split(" ")) seen.add(part);
    }
  }
  assert.equal(seen.size, 8);
});

// Goal: no commit is lost, whenever it comes: before, while or after a realm is replaced.
// Method: commits go on while an evil message makes the sandbox load anew; then all are read.
Deno.test("state: commits while a realm is replaced are kept", async () => {
  using sandbox = await openSandbox(
    graphOf(`if (msg.controlId === "evil") for (;;);
      const missing = [];
      for (let i = 0; i < Number(msg.controlId); i++) {
        if (state("n", "k" + i) !== i) missing.push(i);
      }
      return send(out, missing.join());`),
    { messageTimeoutMs: 100 },
  );
  let commits = 0;
  const timer = setInterval(() => {
    sandbox.commitState("X", [{ namespace: "n", key: `k${commits}`, value: `${commits++}` }]);
  }, 1);
  for (let i = 0; i < 3; i++) await sandbox.run([request({ text: numbered("evil") })]);
  clearInterval(timer);
  assert.ok(commits > 50, `${commits} commits`);
  const results = await sandbox.run([request({ text: numbered(String(commits)) })]);
  assert.equal(outcome(results).sends[0]?.payload, "");
});
