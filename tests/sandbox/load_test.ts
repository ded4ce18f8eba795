import assert from "node:assert/strict";
import { isGraphModule, isImportable } from "../../src/sandbox/mod.ts";
import { graphOf, loadFiles, numbered, openSandbox, request } from "./bench.ts";

const bundle = new URL("../authoring/bundle/graph/", import.meta.url);

async function example(name: string): Promise<Readonly<Record<string, string>>> {
  return { [name]: await Deno.readTextFile(new URL(name, bundle)) };
}

const adtSets = [
  { name: "adt_events", entries: [["A01", "admit"], ["A04", "register"]] },
  { name: "facility_mnemonics", entries: [["ACME", "ACMEHOSP"]] },
] as const;

Deno.test("the model graph of admissions filters and translates", async () => {
  using sandbox = await openSandbox(await example("adt.ts"), {
    codeSets: adtSets,
    environment: "staging",
  });
  const texts = [numbered("1"), numbered("2").replace("ADT^A01", "ADT^A99")];
  const results = await sandbox.run([
    ...texts.map((text) => request({ router: "acme_adt", text })),
    request({ router: "acme_adt", text: numbered("3").replace("ADT^A01", "ORU^R01") }),
  ]);
  const [admitted, filtered, unrouted] = results;
  const changed = texts[0]?.replace("|ACME|", "|ACMEHOSP|").replace("|P|2.5.1", "|T|2.5.1");
  assert.deepEqual(admitted?.outcomes[0]?.sends, [
    { to: "OB_EPIC_ADT", payload: changed },
    { to: "FILE-OUT_ACME_ADT", payload: changed },
  ]);
  assert.deepEqual(filtered?.outcomes, [{ handler: "acme_admissions", sends: [], state: [] }]);
  assert.deepEqual(unrouted?.handlers, []);
});

Deno.test("the model graph of research keeps one alias for a patient", async () => {
  using sandbox = await openSandbox(await example("research.ts"));
  const text = numbered("1").replace("ADT^A01", "ORU^R01");
  const [first, second] = await sandbox.run([
    request({ router: "labco_research", text }),
    request({ router: "labco_research", text }),
  ]);
  const alias = JSON.parse(first?.outcomes[0]?.state[0]?.value ?? '""');
  assert.match(alias, /^ANON-[0-9a-f-]{36}$/);
  const payload = second?.outcomes[0]?.sends[0]?.payload ?? "";
  assert.ok(payload.includes(`|${alias}^^^RESEARCH^PI|`));
  assert.ok(!payload.includes("DOE"));
  assert.deepEqual(second?.outcomes[0]?.state, []);
});

Deno.test("the registry tells names, settings, places and what is mentioned", async () => {
  const { sandbox, registry } = await loadFiles(await example("adt.ts"), { codeSets: adtSets });
  sandbox?.close();
  assert.deepEqual(registry.inbounds, [{
    name: "IB_ACME_ADT",
    type: "mllp",
    settings: { port: 2576 },
    options: { router: "acme_adt" },
    position: { file: "graph/adt.ts", line: 42 },
  }]);
  assert.deepEqual(registry.outbounds[0], {
    name: "OB_EPIC_ADT",
    type: "mllp",
    settings: { host: { env: "epic_host" }, port: { env: "epic_port" } },
    options: {},
    position: { file: "graph/adt.ts", line: 19 },
  });
  assert.deepEqual(registry.routers, [{
    name: "acme_adt",
    position: { file: "graph/adt.ts", line: 40 },
    mentions: ["acme_admissions"],
  }]);
  assert.deepEqual(registry.handlers[0]?.mentions, ["OB_EPIC_ADT", "FILE-OUT_ACME_ADT"]);
  assert.deepEqual(registry.codeSets, ["adt_events", "facility_mnemonics"]);
});

Deno.test("mentions see strings and handles of other files, and no comments", async () => {
  const { sandbox, registry, problems } = await loadFiles({
    "_out.ts": `
      import { mllp, outbound } from "messagefoundry";
      export const shared = outbound("OB_SHARED", mllp({ host: "h", port: 1 }));
      export const hidden = outbound("OB_HIDDEN", mllp({ host: "h", port: 1 }));`,
    "a.ts": `
      import { handler, send } from "messagefoundry";
      import { shared } from "./_out.ts";
      handler("h", (msg) => [
        // send(hidden, msg), send("OB_HIDDEN", msg)
        send(shared, msg), send("OB_LATER", msg), send(\`OB_LATER\`, msg.get("PID-3.1")!),
      ]);`,
    "b.ts": `
      import { mllp, outbound } from "messagefoundry";
      outbound("OB_LATER", mllp({ host: "h", port: 1 }));`,
  });
  sandbox?.close();
  assert.deepEqual(problems, []);
  assert.deepEqual(registry.handlers[0]?.mentions, ["OB_SHARED", "OB_LATER"]);
});

Deno.test("helpers and JSON of the bundle can be imported, once", async () => {
  using sandbox = await openSandbox({
    ...graphOf(
      `return send(out, [helper(msg), table.A01, Object.isFrozen(table)].join(" "));`,
      `import { helper } from "./shared/_helper.ts"; import table from "./table.json" with { type: "json" };`,
    ),
    "shared/_helper.ts":
      `import { other } from "../_other.js"; export const helper = (m: any) => other + m.controlId;`,
    "_other.js": `export const other = "x";`,
    "table.json": `{ "A01": "admit", "__proto__": { "polluted": true } }`,
  });
  const [result] = await sandbox.run([request()]);
  assert.equal(result?.outcomes[0]?.sends[0]?.payload, "x42 admit false");
});

Deno.test("which files are loaded, and which may be imported", () => {
  const loaded = ["adt.ts", "adt.mts", "adt.js"];
  const importable = ["_helper.ts", "shared/codes.ts", "table.json", "adt_test.ts"];
  const neither = ["types.d.ts", "readme.md", "adt.tsx", "adt.ts.bak", "x.wasm"];
  for (const path of loaded) assert.ok(isGraphModule(path) && isImportable(path), path);
  for (const path of importable) assert.ok(!isGraphModule(path) && isImportable(path), path);
  for (const path of neither) assert.ok(!isGraphModule(path) && !isImportable(path), path);
});

Deno.test("syntax that is not erasable is refused with its place", async (t) => {
  const sources: readonly (readonly [string, RegExp, number])[] = [
    ["\n\nenum A { B }", /enum is not supported/, 3],
    ["\nnamespace N { export const a = 1; }", /namespace declaration is not supported/, 2],
    ["class A { constructor(private a: string) {} }", /parameter property is not supported/, 1],
    ["\nimport fs = require('node:fs');", /import equals declaration is not supported/, 2],
    ["const a = 1;\nconst b = {\n  c: 2,\n};\nconst d = @;\n", /syntax error/, 5],
    ["const a = 1;\n\n  const b = = 2;\nconst c = 3;", /syntax error/, 3],
  ];
  for (const [source, message, line] of sources) {
    await t.step(source.trim(), async () => {
      const { sandbox, problems } = await loadFiles({ "a.ts": source });
      sandbox?.close();
      assert.equal(problems.length, 1);
      assert.match(problems[0]?.message ?? "", message);
      assert.deepEqual([problems[0]?.file, problems[0]?.line], ["graph/a.ts", line]);
    });
  }
});

Deno.test("a broken helper is told once, and who imports it says so", async () => {
  const { sandbox, problems } = await loadFiles({
    "_broken.ts": `const = 1;`,
    "a.ts": `import "./_broken.ts";`,
  });
  sandbox?.close();
  assert.deepEqual(problems.map(({ message }) => message), [
    'Cannot read "graph/_broken.ts" at line 1: syntax error',
    'Cannot import "./_broken.ts" in "graph/a.ts": the file cannot be read',
  ]);
});

Deno.test("an error of a module is redacted and placed", async () => {
  const { sandbox, problems } = await loadFiles(
    {
      "a.ts": `import "messagefoundry";\n\nconst f = () => { throw new Error("MRN 123"); };\nf();`,
    },
    { redact: (text) => text.replace("123", "***") },
  );
  sandbox?.close();
  assert.deepEqual(problems, [{
    message: 'Cannot load "graph/a.ts": Error: MRN ***',
    file: "graph/a.ts",
    line: 3,
  }]);
});

Deno.test("declarations are refused when the load is over", async () => {
  using sandbox = await openSandbox(
    graphOf(`outbound("OB_LATE", mllp({ host: "h", port: 1 })); return null;`),
  );
  const [result] = await sandbox.run([request()]);
  assert.match(result?.outcomes[0]?.error ?? "", /^GraphError: Cannot declare outbound "OB_LATE"/);
});
