import assert from "node:assert/strict";
import { checkBundle, type CheckResult, type DryRunSandbox } from "../../src/graph/mod.ts";
import type { CheckOptions } from "../../src/graph/check.ts";
import { loadSettings } from "../../src/settings/mod.ts";
import { connection, FakeSandbox, openBundle, registryOf, sound } from "./bench.ts";

const hl7 = (code: string) => `MSH|^~\\&|A|B|C|D|20260102||${code}|1|P|2.5.1\r`;

/** Sends ADT on, filters ORU, leaves the rest unrouted, fails on ZZZ. */
const runner: DryRunSandbox = {
  run({ text }) {
    const sends = [{ to: "OB_B", payload: undefined }];
    const ran = (s: typeof sends) => ({
      handlers: ["handle"],
      outcomes: [{ handler: "handle", sends: s, state: [] }],
    });
    if (text.includes("ADT")) return Promise.resolve(ran(sends));
    if (text.includes("ORU")) return Promise.resolve(ran([]));
    const error = text.includes("ZZZ") ? "Error: no" : undefined;
    return Promise.resolve({ handlers: [], outcomes: [], error });
  },
};

async function check(
  files: Readonly<Record<string, string>>,
  more: Partial<CheckOptions<Disposable>> = {},
  fake: FakeSandbox = new FakeSandbox(),
) {
  await using bundle = await openBundle({ "graph/adt.ts": "", ...files });
  const report = await checkBundle({
    bundleDir: bundle.dir,
    environment: undefined,
    env: {},
    evaluate: fake.evaluate,
    messages: Object.keys(files).some((path) => path.startsWith("messages/"))
      ? `${bundle.dir}/messages`
      : undefined,
    runnerOf: () => runner,
    settings: undefined,
    advisory: [],
    ingestTime: 0,
    ...more,
  });
  assert.equal(fake.open, 0);
  return report;
}

const named = (checks: readonly CheckResult[], name: string) =>
  checks.find((candidate) => candidate.name === name);

Deno.test("checkBundle() passes a sound bundle and says what it skipped", async () => {
  const { ok, checks } = await check({});
  assert.ok(ok);
  assert.deepEqual(checks.map(({ name, ok, required, skipped }) => [name, ok, required, skipped]), [
    ["validate", true, true, false],
    ["dryrun", true, true, true],
    ["posture", true, true, true],
    ["interpolated-throw", true, false, false],
  ]);
});

Deno.test("checkBundle() fails on a bundle that does not validate", async () => {
  const { ok, checks } = await check({ "connections.toml": "x = 1\n" });
  assert.ok(!ok);
  assert.match(named(checks, "validate")?.detail ?? "", /connections\.toml:1/);
});

Deno.test("checkBundle() holds fixtures to their expectations", async () => {
  const good = await check({
    "messages/adt.hl7": hl7("ADT^A01"),
    "messages/deep/oru.hl7": hl7("ORU^R01"),
    "messages/deep/oru.hl7.expect": "filtered\n",
    "messages/siu.hl7": hl7("SIU^S12"),
    "messages/siu.hl7.expect": "UNROUTED",
    "messages/zzz.hl7": hl7("ZZZ"),
    "messages/zzz.hl7.expect": "ERROR",
    "messages/alias.hl7": hl7("ADT^A04"),
    "messages/alias.hl7.expect": "DELIVERS",
  });
  assert.ok(good.ok, JSON.stringify(good.checks));
  assert.match(named(good.checks, "dryrun")?.detail ?? "", /5 runs of 5 files/);

  const bad = await check({
    "messages/zzz.hl7": hl7("ZZZ"),
    "messages/adt.hl7": hl7("ADT^A01"),
    "messages/adt.hl7.expect": "FILTERED",
    "messages/odd.hl7": hl7("ADT^A01"),
    "messages/odd.hl7.expect": "SENT",
  });
  assert.ok(!bad.ok);
  const detail = named(bad.checks, "dryrun")?.detail ?? "";
  assert.match(detail, /zzz\.hl7 on IB_A: must not be ERROR \(Error: no\)/);
  assert.match(detail, /adt\.hl7 on IB_A: is RECEIVED, not FILTERED/);
  assert.match(detail, /unknown expectation "SENT"/);
});

Deno.test("checkBundle() runs a fixture of an inbound's folder on that inbound only", async () => {
  const inbound = (name: string, port: number) =>
    connection(name, "mllp", { settings: { port }, options: { router: "route" } });
  const two = registryOf({ ...sound, inbounds: [inbound("IB_A", 2575), inbound("IB_C", 2576)] });
  const { checks } = await check(
    { "messages/IB_C/adt.hl7": hl7("ADT^A01"), "messages/adt.hl7": hl7("ADT^A01") },
    {},
    new FakeSandbox(two),
  );
  assert.match(named(checks, "dryrun")?.detail ?? "", /3 runs of 2 files/);
});

Deno.test("checkBundle() fails on a fixtures path that is missing, skips an empty one", async () => {
  const missing = await check({}, { messages: "/nowhere/at/all" });
  assert.ok(!missing.ok);
  const empty = await check({ "messages/readme.txt": "" });
  assert.ok(empty.ok);
  assert.equal(named(empty.checks, "dryrun")?.skipped, true);
});

Deno.test("checkBundle() wants the posture of an environment of one's own", async () => {
  const settingsOf = (env: Record<string, string>) => ({ settings: loadSettings({ env }) });
  const bad = await check({}, settingsOf({ MEFOR_AI_ENVIRONMENT: "poc" }));
  assert.ok(!bad.ok);
  assert.match(named(bad.checks, "posture")?.detail ?? "", /data_class and production/);
  const good = await check({}, settingsOf({ MEFOR_AI_ENVIRONMENT: "prod" }));
  assert.equal(named(good.checks, "posture")?.detail, "prod: phi, production");
});

Deno.test("checkBundle() advises without failing", async () => {
  const { ok, checks } = await check({
    "graph/adt.ts": 'const x = 1;\nthrow new Error(`bad ${x}`);\nthrow new TypeError("a" + x);\n',
  }, {
    advisory: [
      { name: "lint", run: () => Promise.resolve({ ok: false, detail: "2 warnings" }) },
      { name: "types", run: () => Promise.reject(new Error("no program")) },
    ],
  });
  assert.ok(ok);
  const detail = named(checks, "interpolated-throw")?.detail ?? "";
  assert.match(detail, /graph\/adt\.ts:2:/);
  assert.match(detail, /graph\/adt\.ts:3:/);
  assert.deepEqual(named(checks, "lint"), {
    name: "lint",
    ok: false,
    required: false,
    skipped: false,
    detail: "2 warnings",
  });
  assert.equal(named(checks, "types")?.skipped, true);
});
