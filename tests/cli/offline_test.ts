import assert from "node:assert/strict";
import { generateMessages } from "../../src/synthetic/mod.ts";
import { graphText, offlineFlags, run, tempDir } from "./program.ts";

const withRun = [...offlineFlags, `--allow-run=${Deno.execPath()}`];

function adt(trigger = "A01"): string {
  const [first] = generateMessages({ type: "ADT", triggers: [trigger], count: 1, seed: "cli" });
  return first?.text ?? "";
}

Deno.test("validate says OK for the shipped bundle, in text and in JSON", async () => {
  const text = await run(["validate", "--no-types"]);
  assert.equal(text.code, 0);
  assert.match(text.out, /^OK: no problems in "\."/);
  const json = await run(["validate", "--json", "--no-types"]);
  assert.deepEqual([json.code, json.out], [0, "[]\n"]);
});

Deno.test("validate lists every problem with its place, types included", async () => {
  await using dir = await tempDir();
  await dir.write(
    "graph/a.ts",
    graphText({ port: 2575 }).replace("router: route", 'router: "gone"'),
  );
  await dir.write("graph/b.ts", "const count: number = 'seven';\nexport default count;\n");
  const { code, out, err } = await run(["validate", "--config", dir.path, "--json"], {
    flags: withRun,
  });
  assert.equal(code, 1, err);
  const findings = JSON.parse(out);
  const found = findings.map(({ file, line, column, severity }: Record<string, unknown>) => ({
    file,
    line,
    column,
    severity,
  }));
  assert.deepEqual(found.at(-1), { file: "graph/b.ts", line: 1, column: 7, severity: "error" });
  assert.ok(found.some(({ file }: { file: string }) => file === "graph/a.ts"));
  assert.match(JSON.stringify(findings), /gone/);
});

Deno.test("validate leaves the types out where it may not run the checker, and says so", async () => {
  await using dir = await tempDir();
  await dir.write("graph/a.ts", graphText({ port: 2575 }));
  const { code, out } = await run(["validate", "--config", dir.path]);
  assert.equal(code, 0);
  assert.match(out, /types not checked: this process may not run the runtime/);
});

Deno.test("validate says that a file is no bundle, where it may run the checker too", async () => {
  await using dir = await tempDir();
  await dir.write("graph/a.ts", graphText({ port: 2575 }));
  const config = `${dir.path}/graph/a.ts`;
  const { code, out } = await run(["validate", "--config", config, "--json"], { flags: withRun });
  assert.equal(code, 1);
  const messages = JSON.parse(out).map(({ message }: { message: string }) => message);
  assert.deepEqual(messages, [`No directory "${config}"`]);
});

// Goal: editors find an error on standard output, whatever the exit code is.
Deno.test("an offline command tells its error on standard output", async () => {
  const json = await run(["graph", "--config", "/nowhere/at/all", "--json"]);
  assert.equal(json.code, 1);
  assert.match(JSON.parse(json.out).error, /No directory "\/nowhere\/at\/all"/);
  const text = await run(["graph", "--config", "/nowhere/at/all"]);
  assert.equal(text.code, 1);
  assert.match(text.out, /^error: .*No directory/);
  assert.equal(text.err, "");
});

Deno.test("settings that cannot be read are told with file and line", async () => {
  await using dir = await tempDir();
  await dir.write("graph/a.ts", graphText({ port: 2575 }));
  await dir.write("messagefoundry.toml", "[api]\nport = 8765\nhost 1\n");
  const { code, out } = await run(["graph", "--json"], { cwd: dir.path });
  assert.equal(code, 1);
  assert.match(JSON.parse(out).error, /^Cannot use the settings: messagefoundry\.toml:3: /);
});

Deno.test("graph prints the published shape, references as references", async () => {
  const { code, out } = await run(["graph", "--json"]);
  assert.equal(code, 0);
  assert.equal(out.trimEnd().split("\n").length, 1);
  const graph = JSON.parse(out);
  assert.deepEqual(Object.keys(graph), ["inbound", "outbound", "routers", "handlers"]);
  const [inbound] = graph.inbound;
  assert.deepEqual(Object.keys(inbound).sort(), [
    "ack_mode",
    "file",
    "line",
    "name",
    "router",
    "settings",
    "strict",
    "type",
  ]);
  const ehr = graph.outbound.find(({ name }: { name: string }) => name === "OB_EHR_ADT");
  assert.deepEqual(ehr.settings.host, { env: "ehr_host" });
  const forward = graph.handlers.find(({ name }: { name: string }) =>
    name === "admissions_forward"
  );
  assert.deepEqual(forward.sends, ["OB_EHR_ADT", "FILE-OUT_ARCHIVE_ADT"]);
  const indented = await run(["graph"]);
  assert.match(indented.out, /^\{\n {2}"inbound"/);
});

Deno.test("dryrun redacts unless asked, and says so on standard error", async () => {
  await using dir = await tempDir();
  await dir.write("a.hl7", adt());
  const args = ["dryrun", "--messages", `${dir.path}/a.hl7`, "--inbound", "IB_HOSPITAL_ADT"];
  const hidden = await run(args);
  assert.equal(hidden.code, 0);
  assert.match(hidden.err, /redacted; pass --show-phi/);
  const [row] = JSON.parse(hidden.out);
  assert.equal(row.disposition, "received");
  assert.equal(row.summary, null);
  assert.match(row.raw, /^<redacted \d+ chars; pass --show-phi>$/);
  assert.doesNotMatch(hidden.out, /PID\|/);
  const shown = await run([...args, "--show-phi", "--diff", "--json", "--env", "dev"]);
  assert.equal(shown.err, "");
  const [whole] = JSON.parse(shown.out);
  assert.match(whole.raw, /^MSH\|/);
  const paths = whole.deliveries[0].diff.map(({ path }: { path: string }) => path);
  assert.ok(paths.every((path: string) => path.startsWith("MSH")), paths.join());
});

Deno.test("dryrun wants the inbound named when there are several, and a message file", async () => {
  await using dir = await tempDir();
  await dir.write("a.hl7", adt());
  const cases: readonly [readonly string[], RegExp][] = [
    [["--messages", `${dir.path}/a.hl7`], /Name the inbound with --inbound: IB_HOSPITAL_ADT, /],
    [
      ["--messages", `${dir.path}/a.hl7`, "--inbound", "IB_HOSPITAL_AD"],
      /is "IB_HOSPITAL_ADT" meant\?/,
    ],
    [
      ["--messages", `${dir.path}/b.hl7`, "--inbound", "IB_HOSPITAL_ADT"],
      /No file or directory/,
    ],
    [["--messages", `${dir.path}/a.hl7`, "--inbound", "IB_HOSPITAL_ADT", "--diff"], /--show-phi/],
  ];
  for (const [args, expected] of cases) {
    const { code, out } = await run(["dryrun", ...args, "--json"]);
    assert.equal(code, 1);
    assert.match(JSON.parse(out).error, expected);
  }
});

Deno.test("root and environment named, values used and missing: exit code 2", async () => {
  await using dir = await tempDir();
  const usesValue = graphText({ port: 2575 }).replace('"127.0.0.1"', 'env("host")')
    .replace("import { ", "import { env, ");
  await dir.write("graph/a.ts", usesValue);
  const root = ["graph", "--project-root", dir.path, "--json"];
  const missing = await run([...root, "--env", "ward"]);
  assert.equal(missing.code, 2);
  assert.equal(missing.out, "");
  assert.match(missing.err, /no ".*environments\/ward\.toml"/);
  assert.equal((await run(root)).code, 0, "no environment is named");
  await dir.write("environments/ward.toml", 'host = "127.0.0.1"\n');
  assert.equal((await run([...root, "--env", "ward"])).code, 0);
});

Deno.test("check passes and fails by its required checks alone", async () => {
  await using dir = await tempDir();
  await dir.write("graph/a.ts", `${graphText({ port: 2575 })}const unused: number = "text";\n`);
  await dir.write("sets/IB_ADT/a.hl7", adt());
  const args = ["check", "--config", dir.path, "--messages", `${dir.path}/sets`, "--json"];
  const advisory = await run(args, { cwd: dir.path, flags: withRun });
  const report = JSON.parse(advisory.out);
  assert.equal(advisory.code, 0, advisory.out);
  assert.equal(report.ok, true);
  const byName = new Map(report.checks.map((one: { name: string }) => [one.name, one]));
  const types = byName.get("types") as Record<string, unknown>;
  assert.deepEqual([types.ok, types.required], [false, false]);
  assert.match(String(types.detail), /^graph\/a\.ts:6:7: .*TS2322/);
  assert.equal((byName.get("posture") as Record<string, unknown>).skipped, true);
  for (const one of report.checks) {
    assert.deepEqual(Object.keys(one), ["name", "ok", "required", "skipped", "detail"]);
  }
  await dir.write("sets/IB_ADT/a.hl7.expect", "FILTERED\n");
  const required = await run([...args, "--no-lint"], { cwd: dir.path });
  assert.equal(required.code, 1);
  assert.equal(JSON.parse(required.out).ok, false);
  const text = await run([...args.slice(0, -1), "--no-lint"], { cwd: dir.path });
  assert.match(
    text.out,
    /^FAIL {2}dryrun: [\s\S]*is RECEIVED, not FILTERED[\s\S]*\nFAIL: dryrun\n$/m,
  );
});

Deno.test("check holds the shipped bundle for fit", async () => {
  const { code, out } = await run(["check", "--no-lint"]);
  assert.equal(code, 0, out);
  assert.match(out, /\nPASS\n$/);
});
