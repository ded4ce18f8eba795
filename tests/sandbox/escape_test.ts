// Goal: nothing author code does reaches out of the realm, stops the engine or touches another message.
// Method: one handler misbehaves on control ID "evil"; the messages around it must come out right and
// the guilty one alone with an error.
import assert from "node:assert/strict";
import type { Sandbox, SandboxOptions } from "../../src/sandbox/mod.ts";
import { graphOf, loadFiles, numbered, openSandbox, request } from "./bench.ts";

/** Runs an innocent, the guilty and another innocent message; returns the guilty one's error. */
async function errorOf(sandbox: Sandbox, evil = "evil"): Promise<string> {
  const ids = ["one", evil, "two"];
  const results = await sandbox.run(ids.map((id) => request({ text: numbered(id) })));
  for (const index of [0, 2]) {
    assert.equal(results[index]?.error, undefined);
    assert.deepEqual(results[index]?.outcomes[0]?.sends, [{ to: "OB", payload: undefined }]);
  }
  const [after] = await sandbox.run([request()]);
  assert.deepEqual(after?.outcomes[0]?.sends, [{ to: "OB", payload: undefined }]);
  const guilty = results[1];
  assert.deepEqual(guilty?.outcomes.flatMap(({ sends }) => sends), []);
  return guilty?.error ?? guilty?.outcomes[0]?.error ?? "";
}

interface Case {
  readonly name: string;
  /** What the guilty message runs. */
  readonly body: string;
  readonly error: RegExp;
}

const timeLimit = /^HandlerTimeout: /;
const notDefined = /^ReferenceError: \w+ is not defined$/;

const reachingOut: readonly Case[] = [
  { name: "fetch", body: `fetch("http://127.0.0.1:1/")`, error: notDefined },
  { name: "WebSocket", body: `new WebSocket("ws://127.0.0.1:1/")`, error: notDefined },
  { name: "Deno", body: `Deno.readTextFileSync("/etc/hostname")`, error: notDefined },
  { name: "the environment", body: `Deno.env.get("HOME")`, error: notDefined },
  { name: "process", body: `process.kill(process.pid, "SIGKILL")`, error: notDefined },
  { name: "Deno.exit", body: `Deno.exit(9)`, error: notDefined },
  { name: "self.close", body: `self.close()`, error: notDefined },
  { name: "a global close", body: `close()`, error: notDefined },
  { name: "postMessage", body: `postMessage({ kind: "ran", texts: ["[]"] })`, error: notDefined },
  { name: "a sub-worker", body: `new Worker("data:text/javascript,")`, error: notDefined },
  { name: "a broadcast", body: `new BroadcastChannel("x")`, error: notDefined },
  { name: "the cache on disk", body: `caches.open("x")`, error: notDefined },
  { name: "require", body: `require("node:fs")`, error: notDefined },
  { name: "timers", body: `setTimeout(() => {}, 1)`, error: notDefined },
  { name: "a microtask", body: `queueMicrotask(() => {})`, error: notDefined },
  { name: "shared memory", body: `new SharedArrayBuffer(8)`, error: notDefined },
  { name: "blocking waits", body: `Atomics.wait(new Int32Array(1), 0, 0)`, error: notDefined },
  { name: "WebAssembly", body: `new WebAssembly.Memory({ initial: 1 })`, error: notDefined },
  { name: "finalizers", body: `new FinalizationRegistry(() => {})`, error: notDefined },
  { name: "eval", body: `(0, eval)("1")`, error: /^EvalError: / },
  { name: "Function", body: `new Function("return 1")()`, error: /^EvalError: / },
  {
    name: "the constructor of a constructor",
    body: `[].constructor.constructor("return this")()`,
    error: /^EvalError: /,
  },
  {
    name: "the constructor of an engine's function",
    body: `mf.send.constructor("return this")()`,
    error: /^EvalError: /,
  },
  {
    name: "the constructor of an async function",
    body: `(async () => {}).constructor("return this")()`,
    error: /^EvalError: /,
  },
  {
    name: "the constructor of a handle",
    body: `out.constructor.constructor("return this")()`,
    error: /^EvalError: /,
  },
  {
    name: "the constructor of a thrown error",
    body: `try { null.x } catch (e) { return e.constructor.constructor("return Deno")(); }`,
    error: /^EvalError: /,
  },
  {
    name: "the constructor of a stack overflow",
    body: `const f = () => f(); try { f() } catch (e) { e.constructor.constructor("return 1")(); }`,
    error: /^EvalError: /,
  },
  {
    name: "an overflow inside the engine's code",
    body: `let caught;
      const f = (n) => { try { f(n + 1) } catch { try { send(out, msg) } catch (e) { caught = e } } };
      f(0);
      return (caught ?? []).constructor.constructor("return 1")();`,
    error: /^EvalError: /,
  },
  {
    name: "call sites of a stack",
    body: `Error.prepareStackTrace = (_, sites) => sites;`,
    error: /^TypeError: Cannot assign to read only property 'prepareStackTrace'/,
  },
  {
    name: "a stack's length",
    body: `Error.stackTraceLimit = Infinity;`,
    error: /^TypeError: Cannot assign to read only property 'stackTraceLimit'/,
  },
  {
    name: "the engine's entry",
    body: `__messagefoundry_go__();`,
    error: /^TypeError: This function/,
  },
  {
    name: "the getter of a stack",
    body: `const { get, set } = Object.getOwnPropertyDescriptor(new Error(), "stack");
      return (get ?? set ?? (() => {})).constructor("return typeof Deno")();`,
    error: /^EvalError: /,
  },
  {
    name: "the getter of a captured stack",
    body: `const o = {}; Error.captureStackTrace(o);
      const { get, set } = Object.getOwnPropertyDescriptor(o, "stack");
      return (get ?? set ?? (() => {})).constructor("return typeof Deno")();`,
    error: /^EvalError: /,
  },
  {
    name: "the module's own meta",
    body: `const meta = import.meta;
      if (Object.getPrototypeOf(meta) === null && Reflect.ownKeys(meta).length === 0) throw 1;`,
    error: /^thrown number/,
  },
  { name: "callers", body: `return mf.send.caller;`, error: /^TypeError: / },
];

const lasting: readonly Case[] = [
  { name: "an endless loop", body: `for (;;);`, error: timeLimit },
  {
    name: "a loop that swallows",
    body: `for (;;) { try { for (;;); } catch {} }`,
    error: timeLimit,
  },
  { name: "a loop in finally", body: `try { throw 1 } finally { for (;;); }`, error: timeLimit },
  {
    name: "an endless generator",
    body: `return [...(function* () { for (;;) yield 0 })()];`,
    error: timeLimit,
  },
  {
    name: "a microtask loop",
    body: `return (async () => { for (;;) await null; })();`,
    error: timeLimit,
  },
  {
    name: "a detached microtask loop",
    body: `(async () => { for (;;) await null; })(); throw new Error("left running");`,
    error: timeLimit,
  },
  {
    name: "promises that breed",
    body: `const f = () => Promise.resolve().then(f); return f();`,
    error: timeLimit,
  },
  {
    name: "a promise that never settles",
    body: `return new Promise(() => {});`,
    error: /^HandlerTimeout: its promise does not settle/,
  },
  { name: "a regex bomb", body: `/^(a+)+$/.test("a".repeat(60) + "b");`, error: timeLimit },
  { name: "deep recursion", body: `const f = () => f() + 1; return f();`, error: /^RangeError: / },
  {
    name: "an endless getter",
    body: `return { get kind() { for (;;); } };`,
    error: /^GraphError: /,
  },
  {
    name: "an endless message getter",
    body: `throw Object.defineProperty(new Error(), "message", { get() { for (;;); } });`,
    error: timeLimit,
  },
  {
    name: "an endless list",
    body: `return new Proxy([], { get: (t, k) => k === "length" ? Infinity : null });`,
    error: /^GraphError: .*at most/,
  },
];

const exhausting: readonly Case[] = [
  {
    name: "a list that grows",
    body: `const a = []; for (;;) a.push({ n: a.length });`,
    error: timeLimit,
  },
  {
    name: "buffers",
    body: `const a = []; for (;;) a.push(new Uint8Array(50e6));`,
    error: /^RangeError: Cannot make buffer/,
  },
  {
    name: "buffers of buffers",
    body: `const a = []; for (;;) a.push(new ArrayBuffer(50e6));`,
    error: /^RangeError: Cannot make buffer/,
  },
  ...["toReversed()", "toSorted()", "with(0, 1)"].map((call) => ({
    name: `copies of buffers by ${call}`,
    body: `const a = [new Uint8Array(50e6)]; for (;;) a.push(a[0].${call});`,
    error: /^RangeError: Cannot make buffer/,
  })),
  { name: "a text that doubles", body: `let s = "x"; for (;;) s += s;`, error: /^RangeError: / },
  {
    name: "a text taken to pieces",
    body: `let s = "x"; while (s.length < 2 ** 28) s += s; s.split("");`,
    error: /^RangeError: Cannot call split/,
  },
  {
    name: "a text rewritten piece by piece",
    body: `let s = "x"; while (s.length < 2 ** 28) s += s; s.replace(/x/g, "yy");`,
    error: /^RangeError: Cannot call replace/,
  },
  {
    name: "a text repeated",
    body: `"x".repeat(2 ** 28);`,
    error: /^RangeError: Cannot call repeat/,
  },
  {
    name: "huge JSON",
    body: `let s = "1,"; while (s.length < 2 ** 28) s += s; JSON.parse("[" + s + "1]");`,
    error: /^RangeError: Cannot call parse/,
  },
  {
    name: "a sparse list sorted",
    body: `const a = []; a.length = 2 ** 32 - 1; a.sort();`,
    error: /^RangeError: Cannot call sort/,
  },
  {
    name: "a sparse list filled",
    body: `new Array(2 ** 32 - 1).fill(0);`,
    error: /^RangeError: Cannot call fill/,
  },
  ...[
    ..."every filter find findIndex findLast findLastIndex flatMap forEach map some".split(" "),
    ..."reduce reduceRight".split(" "),
  ].map((method) => ({
    name: `a sparse list and ${method}()`,
    body: `new Array(2 ** 32 - 1).${method}(Boolean, 0);`,
    error: new RegExp(`^RangeError: Cannot call ${method}\\(\\)`),
  })),
  {
    name: "a slice of a sparse list",
    body: `new Array(2 ** 32 - 1).slice(0);`,
    error: /^RangeError: Cannot call slice/,
  },
  {
    name: "something that calls itself a long list",
    body: `Array.prototype.forEach.call({ length: 2 ** 53 - 1 }, () => {});`,
    error: /^RangeError: Cannot call forEach/,
  },
  {
    name: "a template that calls itself long",
    body: `String.raw({ raw: { length: 2 ** 53 - 1 } });`,
    error: /^RangeError: Cannot call raw/,
  },
  {
    name: "keys of bytes",
    body: `Object.keys(new Uint8Array(2 ** 26));`,
    error: /^RangeError: Cannot call keys/,
  },
  {
    name: "bytes assigned to an object",
    body: `Object.assign({}, new Uint8Array(2 ** 26));`,
    error: /^RangeError: Cannot call assign/,
  },
  {
    name: "keys of a text",
    body: `let s = "x"; while (s.length < 2 ** 28) s += s; Object.keys(s);`,
    error: /^RangeError: Cannot call keys/,
  },
  {
    name: "too many sends",
    body: `return Array.from({ length: 1001 }, () => send(out, msg));`,
    error: /^GraphError: Cannot take the result: one message may make at most 1000 sends/,
  },
  {
    name: "payloads without end",
    body: `const s = "x".repeat(2 ** 24); return [1, 2, 3, 4, 5].map((n) => send(out, s + n));`,
    error: /^GraphError: Cannot take the result: the payloads/,
  },
  {
    name: "a state value without end",
    body: `return setState("n", "k", "x".repeat(65_535));`,
    error: /^GraphError: Cannot set state: the value must have at most 65536 bytes/,
  },
];

const pollution = [
  `mf.Message.prototype.get = () => "polluted";`,
  `mf.Message.prototype.encode = () => "polluted";`,
  `mf.Message.parse = () => "polluted";`,
  `Object.setPrototypeOf(mf.Message.prototype, { polluted: true });`,
  `send(out, msg).constructor.prototype.to = "polluted";`,
  `Object.getPrototypeOf(setState("n", "k", 1)).polluted = 1;`,
  `h.constructor.is = () => true;`,
  `Object.prototype.polluted = true;`,
  `Object.defineProperty(Object.prototype, "toString", { value: () => "polluted" });`,
  `({}).__proto__.polluted = true;`,
  `Array.prototype.push = () => { throw new Error("polluted") };`,
  `Array.prototype[Symbol.iterator] = function* () {};`,
  `Array.prototype[0] = "polluted";`,
  `Array[Symbol.species] = class extends Array {};`,
  `String.prototype.split = () => ["polluted"];`,
  `RegExp.prototype.exec = () => null;`,
  `Map.prototype.get = () => "polluted";`,
  `Promise.prototype.then = () => {};`,
  `JSON.stringify = () => "polluted";`,
  `Math.random = () => 4;`,
  `Date.now = () => 4;`,
  `Object.freeze = (x) => x;`,
  `Function.prototype.call = () => {};`,
  `Symbol.prototype.description2 = 1;`,
  `globalThis.polluted = true;`,
  `globalThis.JSON = {};`,
  `Object.defineProperty(globalThis, "crypto", { value: {} });`,
  `crypto.randomUUID = () => "polluted";`,
  `console.log = () => {};`,
  `Object.getPrototypeOf(function* () {}).polluted = 1;`,
  `Object.getPrototypeOf(async () => {}).polluted = 1;`,
  `Object.getPrototypeOf([][Symbol.iterator]()).next = () => ({ done: true });`,
  `Object.getPrototypeOf(Int8Array).from = () => {};`,
  `Error.prototype.name = "polluted";`,
  `Error.captureStackTrace = () => {};`,
  `Intl.DateTimeFormat = class {};`,
  `Temporal.Now.instant = () => {};`,
  `out.name = "polluted";`,
  `h.kind = "polluted";`,
  `mf.codeSet("c").get = () => "polluted";`,
  `Object.getPrototypeOf(mf.codeSet("c")).get = () => "polluted";`,
  `mf.send = () => {};`,
  `mf.hl7Time.now = () => "polluted";`,
  `mf.GraphError.prototype.code = "polluted";`,
];

/** One sandbox for all: what one case left behind would show in the next. */
async function tell(
  kind: string,
  cases: readonly Case[],
  t: Deno.TestContext,
  options: Partial<SandboxOptions> = {},
): Promise<void> {
  const bodies = cases.map(({ body }, n) => `if (msg.controlId === "evil${n}") { ${body} }`);
  using sandbox = await openSandbox(graphOf(`${bodies.join("\n")}\nreturn send(out, msg);`), {
    codeSets: [{ name: "c", entries: [["a", "b"]] }],
    ...options,
  });
  for (const [n, { name, error }] of cases.entries()) {
    await t.step(`${kind}: ${name}`, async () => {
      assert.match(await errorOf(sandbox, `evil${n}`), error);
      assert.equal(sandbox.leakedThreads, 0);
    });
  }
}

Deno.test("author code reaches nothing outside", (t) => tell("no way to", reachingOut, t));
Deno.test("author code cannot hold the engine up", (t) => tell("stopped", lasting, t));
Deno.test("author code cannot use up memory", (t) =>
  // A machine that is short of memory takes its time to find some.
  tell("bounded", exhausting, t, { messageTimeoutMs: 2_000, batchTimeoutMs: 2_000 }));
Deno.test("author code cannot change what others see", (t) =>
  tell(
    "frozen",
    pollution.map((body) => ({ name: body, body, error: /^TypeError: / })),
    t,
  ));

Deno.test("no import but the bundle's own files", async (t) => {
  const specifiers = [
    "node:fs",
    "fs",
    "npm:anything",
    "jsr:@std/fs",
    "https://127.0.0.1:1/x.ts",
    "data:text/javascript,export default 1",
    "blob:null/00000000-0000-0000-0000-000000000000",
    "file:///etc/hostname",
    "/etc/hostname",
    "../outside.ts",
    "./../graph/../../outside.ts",
    "./%2e%2e/outside.ts",
    "ext:core/ops",
    "engine:/sandbox/realm/entry.ts",
    "engine:/authoring/session.ts",
    "messagefoundry/testing",
    "./link.ts",
  ];
  for (const specifier of specifiers) {
    await t.step(`static: ${specifier}`, async () => {
      const { sandbox, problems } = await loadFiles({ "a.ts": `\nimport "${specifier}";` });
      sandbox?.close();
      assert.equal(problems.length, 1);
      assert.match(problems[0]?.message ?? "", /^Cannot import /);
      assert.equal(problems[0]?.line, 2);
    });
  }
  const dynamic = specifiers.map((specifier) => ({
    name: specifier,
    body: `return import(${JSON.stringify(specifier)}).then(() => send(out, "in"));`,
    error: /^TypeError: A dynamic import/,
  }));
  await tell("dynamic", dynamic, t);
  await t.step("what a refused import throws leads nowhere", async () => {
    const body = `return import("node:fs").catch((e) => {
      return e.constructor.constructor("return typeof Deno")();
    });`;
    using sandbox = await openSandbox(
      graphOf(`if (msg.controlId === "evil") { ${body} } return send(out, msg);`),
    );
    assert.match(await errorOf(sandbox), /^EvalError: /);
  });
});

Deno.test("strange results are errors", async (t) => {
  const results: readonly (readonly [string, RegExp])[] = [
    ["undefined", /undefined \(is a return missing\?\)/],
    ["[[send(out, msg)]]", /a list within the list/],
    ["42", /not a number/],
    ["{ to: 'OB', payload: 'x' }", /not an object/],
    ["Object.create(send(out, msg))", /not an object/],
    ["new Proxy(send(out, msg), {})", /not an object/],
    ["{ then(resolve) { resolve(send(out, msg)) } }", /not an object/],
    ["new Proxy(() => {}, {})", /not a function/],
    ["Promise.reject({ get message() { throw 1 } })", /^thrown object/],
    ["Promise.resolve(undefined)", /undefined \(is a return missing\?\)/],
    ["new (send(out, msg).constructor)('OB', 42)", /^TypeError: Only the engine makes these/],
    ["new (setState('n', 'k', 1).constructor)('n', 'k', '}')", /^TypeError: Only the engine/],
    ["new (mf.env('k').constructor)({ env: {} })", /^TypeError: Only the engine makes these/],
    ["send(out, new mf.Message({ encode: () => 42 }))", /^GraphError: Cannot send to "OB"/],
    ["send(out, new mf.RawMessage({ toString() {} }, 'text'))", /^GraphError: Cannot send to "OB"/],
    ["send({ kind: 'outbound', name: 'OB' }, msg)", /^GraphError: Cannot send: want an outbound/],
    ["send('OB_NOWHERE', msg)", /^GraphError: Cannot send to "OB_NOWHERE"/],
    ["send(out, { f() {} })", /^GraphError: Cannot send to "OB": the payload must be JSON/],
    ["send(out, mf.env('secret'))", /^GraphError: /],
    ["send(out, `${mf.env('secret')}`)", /^GraphError: Cannot use env\("secret"\) as a value/],
  ];
  const cases = results.map(([expression, error]) => ({
    name: expression,
    body: `return ${expression};`,
    error,
  }));
  await tell("refused", cases, t);
});

Deno.test("a promise that rejects unheard does no harm", async () => {
  using sandbox = await openSandbox(
    graphOf(`if (msg.controlId === "evil") { Promise.reject(new Error("unheard")); throw 1; }
      return send(out, msg);`),
  );
  assert.match(await errorOf(sandbox), /^thrown number/);
  assert.match(await errorOf(sandbox), /^thrown number/);
});

Deno.test("every prototype that author code can get hold of is frozen", async () => {
  using sandbox = await openSandbox(
    graphOf(`
    const values = [
      msg, msg.segments()[0], msg.groups("PID")[0], msg.delimiters, out, h, route, send(out, msg),
      setState("n", "k", 1), mf.env("k"), mf.codeSet("c"), mf.codeSet("c").keys(), mf.mllp({ port: 1 }),
      new mf.RawMessage("<a/>", "xml"), new mf.RawMessage("<a/>", "xml").xml(),
      mf.hl7Time.parse("20240102"), crypto, console, globalThis, Intl, Temporal, Temporal.Now,
      [], {}, "", 1, 1n, true, Symbol(), /a/, /a/[Symbol.matchAll]("a"), new Date(), new Error(),
      new Map(), new Map().entries(), new Set().values(), new WeakMap(), new WeakSet(),
      [].values(), [].values().map(String), Iterator.from({ next() {} }), ""[Symbol.iterator](),
      new ArrayBuffer(1), new Uint8Array(1), new DataView(new ArrayBuffer(1)), Promise.resolve(),
      () => {}, async () => {}, function* () {}, async function* () {}, (function* () {})(),
      (async function* () {})(), new Proxy({}, {}), new Intl.Segmenter().segment("a"),
      new Intl.NumberFormat(), Temporal.Now.instant(), new DisposableStack(), (() => {}).bind(),
      class {}, new (class extends Array {})(),
    ];
    const loose = new Set();
    for (const value of values) {
      for (let p = Object.getPrototypeOf(value); p !== null; p = Object.getPrototypeOf(p)) {
        if (!Object.isFrozen(p) && p.constructor?.name !== "") loose.add(p.constructor?.name ?? "?");
        const type = p.constructor;
        if (typeof type === "function" && type.name !== "" && !Object.isFrozen(type)) loose.add(type.name);
      }
    }
    return send(out, [...loose].join());
  `),
    { codeSets: [{ name: "c", entries: [["a", "b"]] }] },
  );
  const [result] = await sandbox.run([request()]);
  assert.equal(result?.outcomes[0]?.error, undefined);
  assert.deepEqual(result?.outcomes[0]?.sends, [{ to: "OB", payload: "" }]);
});

Deno.test("a flood of rejected promises is bounded by time", async () => {
  using sandbox = await openSandbox(
    graphOf(`if (msg.controlId === "evil") for (;;) Promise.reject(1);
      return send(out, msg);`),
  );
  assert.match(await errorOf(sandbox), timeLimit);
});

Deno.test("a worker that does not answer is replaced, its thread counted", async () => {
  // V8 does not look at the clock while it sorts plain values: some seconds here, mixed as they are.
  const body = `if (msg.controlId === "evil") huge.sort();
    return send(out, msg);`;
  using sandbox = await openSandbox(
    graphOf(body, `const huge = Array.from({ length: 2 ** 23 }, (_, at) => at * 48_271 % 65_521);`),
    {
      messageTimeoutMs: 100,
      batchTimeoutMs: 100,
      graceMs: 200,
      loadTimeoutMs: 20_000,
    },
  );
  assert.match(await errorOf(sandbox), /^HandlerCrash: /);
  assert.ok(sandbox.leakedThreads > 0);
});

Deno.test("what the last match held is not readable", async () => {
  using sandbox = await openSandbox(
    graphOf(`const seen = [RegExp.$1, RegExp.lastMatch, RegExp["$&"], RegExp.input].join("|");
      /(DOE)/.exec(msg.encode());
      return seen === "|||" ? send(out, msg) : send(out, seen);`),
  );
  for (let i = 0; i < 2; i++) {
    const [result] = await sandbox.run([request()]);
    assert.deepEqual(result?.outcomes[0]?.sends, [{ to: "OB", payload: undefined }]);
  }
});

Deno.test("console says nothing and is counted", async () => {
  using sandbox = await openSandbox(
    graphOf(`console.log(msg.encode()); console.error("x", msg); return send(out, msg);`),
  );
  await sandbox.run([request(), request()]);
  assert.equal(sandbox.consoleCalls, 4);
});

Deno.test("a top level that does not end is told and leaves no thread", async (t) => {
  const tops = [
    "for (;;);",
    "await new Promise(() => {});",
    "for (;;) await null;",
    "throw Object.defineProperty(new Error(), 'message', { get() { for (;;); } });",
  ];
  for (const top of tops) {
    await t.step(top, async () => {
      const { sandbox, problems } = await loadFiles(
        { "a.ts": `import "messagefoundry";\n${top}` },
        { loadTimeoutMs: 700 },
      );
      assert.equal(sandbox, undefined);
      assert.match(problems[0]?.message ?? "", /its top level does not come to an end/);
    });
  }
});
