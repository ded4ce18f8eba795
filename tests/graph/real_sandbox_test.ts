import assert from "node:assert/strict";
import {
  BundleError,
  checkBundle,
  declareBundle,
  describeDeclared,
  dryRun,
  dryRunInbounds,
  evaluateInSandbox,
  forgetfulRunner,
  type GraphSandbox,
  loadGraph,
  type LoadOptions,
  validateBundle,
} from "../../src/graph/mod.ts";
import { loadSettings } from "../../src/settings/mod.ts";
import { openBundle } from "./bench.ts";

// Goal: what the fakes of the other tests promise holds with the real sandbox and real modules.

function options(
  bundleDir: string,
  { text = "", ...rest }: Partial<LoadOptions<GraphSandbox>> & { text?: string } = {},
): LoadOptions<GraphSandbox> {
  const { settings } = loadSettings({ file: { path: "messagefoundry.toml", text } });
  return {
    bundleDir,
    settings,
    environment: "dev",
    env: {},
    evaluate: evaluateInSandbox(),
    reachOf: () => [],
    ...rest,
  };
}

/** Example (a) of the authoring reference: filter, translate, two outbounds. */
const admissions = `
import {
  codeSet, currentEnvironment, env, file, handler, inbound, mllp, outbound, router, send,
} from "messagefoundry";

const epic = outbound("OB_EPIC_ADT", mllp({ host: env("epic_host"), port: env("epic_port") }));
const archive = outbound(
  "FILE-OUT_ACME_ADT",
  file({ directory: env("archive_dir"), filename: "{MSH-10}.hl7" }),
);
const events = codeSet("adt_events");
const facilities = codeSet("facility_mnemonics");

const admissions = handler("acme_admissions", (msg) => {
  if (!events.has(msg.triggerEvent)) return null;
  const mnemonic = facilities.get(msg.get("MSH-4"));
  if (mnemonic) msg.set("MSH-4", mnemonic);
  if (currentEnvironment() === "staging") msg.set("MSH-11.1", "T");
  return [send(epic, msg), send(archive, msg)];
});

const route = router("acme_adt", (msg) => msg.messageCode === "ADT" ? admissions : null);
inbound("IB_ACME_ADT", mllp({ port: 2576 }), { router: route });
`;

/** Example (b): anonymisation with state. */
const results = `
import {
  env, handler, inbound, mllp, outbound, router, send, setState, state,
} from "messagefoundry";

const research = outbound(
  "OB_RESEARCH_ORU",
  mllp({ host: env("research_host"), port: env("research_port"), tls: true }),
);

const anonymize = handler("labco_anonymize", (msg) => {
  const mrn = msg.get("PID-3.1");
  if (!mrn) throw new Error("PID-3.1 is empty");
  const known = state<string>("patient_alias", mrn);
  const alias = known ?? \`ANON-\${crypto.randomUUID()}\`;
  msg
    .set("PID-3", [alias, "", "", "RESEARCH", "PI"])
    .set("PID-5", ["ANONYMOUS", alias])
    .set("PID-7", msg.get("PID-7")?.slice(0, 4) ?? "");
  for (const path of ["PID-2", "PID-4", "PID-9", "PID-11", "PID-13", "PID-14", "PID-19"] as const) {
    msg.clear(path);
  }
  for (const id of ["NK1", "GT1", "IN1", "IN2", "NTE"]) msg.deleteSegments(id);
  return [send(research, msg), !known && setState("patient_alias", mrn, alias)];
});

const route = router("labco_research", (msg) => msg.messageCode === "ORU" ? anonymize : null);
inbound("IB_LABCO_ORU", mllp({ port: 2577 }), { router: route });
`;

const files = {
  "graph/acme.ts": admissions,
  "graph/labco.ts": results,
  "codesets/adt_events.csv": "event,action\nA01,admit\nA04,register\nA08,update\n",
  "codesets/facility_mnemonics.csv": "facility,mnemonic\nACME,ACMEHOSP\n",
  "environments/dev.toml": `epic_host = "127.0.0.1"\nepic_port = 6661\narchive_dir = "out"\n` +
    `research_host = "127.0.0.1"\nresearch_port = "6662"\n`,
};

const adt = (event: string, id = "M1") =>
  `MSH|^~\\&|REG|ACME|X|Y|20260102||ADT^${event}|${id}|P|2.5.1\rPID|1||4711||DOE^JANE\r`;
const oru = (mrn: string, id: string) =>
  `MSH|^~\\&|LAB|LABCO|X|Y|20260102||ORU^R01|${id}|P|2.5.1\r` +
  `PID|1||${mrn}||DOE^JANE||19800203|F\rNTE|1||free text\rOBR|1\rOBX|1|NM|K||4.1\r`;

const fixture = (path: string, text: string) => ({ path, bytes: new TextEncoder().encode(text) });

Deno.test("the examples of the reference load, resolve and describe", async () => {
  await using bundle = await openBundle(files);
  const text = `[environments]\nbase_dir = "${bundle.dir}"\n`;
  const { graph, sandbox, declared } = await loadGraph(options(bundle.dir, { text }));
  using _closed = sandbox;
  assert.deepEqual([...graph.inbounds.keys()], ["IB_ACME_ADT", "IB_LABCO_ORU"]);
  assert.equal(graph.outbounds.get("OB_RESEARCH_ORU")?.settings.port, 6662);
  assert.equal(graph.outbounds.get("OB_RESEARCH_ORU")?.settings.tls, true);
  assert.deepEqual(graph.inbounds.get("IB_ACME_ADT")?.position, {
    file: "graph/acme.ts",
    line: 23,
  });
  const described = describeDeclared(declared);
  assert.deepEqual(described.routers[0]?.handlers, ["acme_admissions"]);
  assert.deepEqual(described.handlers[0]?.sends, ["OB_EPIC_ADT", "FILE-OUT_ACME_ADT"]);
  assert.deepEqual(described.outbound[0]?.settings, {
    host: { env: "epic_host" },
    port: { env: "epic_port" },
  });
});

Deno.test("a dry run of the examples filters, translates and keeps no state", async () => {
  await using bundle = await openBundle(files);
  const { declared, sandbox, problems } = await declareBundle(options(bundle.dir));
  assert.ok(declared && sandbox);
  using _closed = sandbox;
  assert.deepEqual(problems, []);
  const [acme, labco] = dryRunInbounds(declared);
  assert.ok(acme && labco);
  const run = { sandbox: forgetfulRunner(sandbox), ingestTime: 1, showPhi: true, diff: true };

  const rows = await dryRun(
    [fixture("a.hl7", adt("A01", "M1") + adt("A03", "M2")), fixture("b.hl7", oru("1", "M3"))],
    acme,
    run,
  );
  assert.deepEqual(rows.map(({ disposition }) => disposition), [
    "received",
    "filtered",
    "unrouted",
  ]);
  assert.deepEqual(rows[0]?.deliveries.map(({ to, diff }) => [to, diff]), [
    ["OB_EPIC_ADT", [{ path: "MSH-4", before: "ACME", after: "ACMEHOSP" }]],
    ["FILE-OUT_ACME_ADT", [{ path: "MSH-4", before: "ACME", after: "ACMEHOSP" }]],
  ]);

  const twice = await dryRun([fixture("c.hl7", oru("4711", "M4") + oru("4711", "M5"))], labco, run);
  assert.deepEqual(twice.map(({ disposition }) => disposition), ["received", "received"]);
  const aliases = twice.map(({ state_ops }) => state_ops[0]?.value);
  assert.ok(aliases[0] !== undefined && aliases[1] !== undefined, "each message starts empty");
  assert.notEqual(aliases[0], aliases[1]);
  const payload = twice[0]?.deliveries[0]?.payload ?? "";
  assert.ok(!/DOE|JANE|4711|0203|free text/.test(payload), payload);

  const [failed] = await dryRun([fixture("d.hl7", oru("", "M6"))], labco, run);
  assert.equal(failed?.disposition, "error");
  assert.match(failed?.error ?? "", /PID-3\.1 is empty/);
});

Deno.test("a handler sees what earlier handlers of the same message wrote", async () => {
  await using bundle = await openBundle({
    "graph/a.ts": `
      import { handler, inbound, mllp, router, setState, state } from "messagefoundry";
      const one = handler("one", () => setState("n", "k", 1));
      const two = handler("two", () => setState("n", "k", (state<number>("n", "k") ?? 0) + 1));
      const r = router("r", () => [one, two]);
      inbound("IB_A", mllp({ port: 2575 }), { router: r });
    `,
  });
  const { declared, sandbox } = await declareBundle(options(bundle.dir));
  assert.ok(declared && sandbox);
  using _closed = sandbox;
  const [inbound] = dryRunInbounds(declared);
  assert.ok(inbound);
  const run = { sandbox: forgetfulRunner(sandbox), ingestTime: 1, showPhi: true, diff: false };
  const rows = await dryRun([fixture("a.hl7", adt("A01") + adt("A01", "M2"))], inbound, run);
  assert.deepEqual(rows.map(({ state_ops }) => state_ops.map(({ value }) => value)), [
    ["1", "2"],
    ["1", "2"],
  ]);
  assert.equal(rows[0]?.disposition, "filtered");
});

Deno.test("loadGraph() tells the place of every fault of real modules", async () => {
  await using bundle = await openBundle({
    "graph/broken.ts": "const a = 1;\nconst b = ;\n",
    "graph/thrower.ts": "\n\nthrow new Error('top level');\n",
    "graph/missing.ts": 'import { codeSet } from "messagefoundry";\ncodeSet("nothing");\n',
    "graph/outside.ts": 'import "../secret.ts";\n',
    "graph/good.ts": `
      import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
      const ob = outbound("OB_B", mllp({ host: "lab", port: 6661 }));
      const h = handler("h", (m) => send(ob, m));
      inbound("IB_A", mllp({ port: 2575 }), { router: router("r", () => h) });
    `,
    "graph/twin.ts": `
      import { mllp, outbound } from "messagefoundry";
      outbound("OB_B", mllp({ host: "lab", port: 6661 }));
    `,
    "secret.ts": "export {};\n",
  });
  const loaded = loadGraph(options(bundle.dir)).then(
    ({ sandbox }) => {
      sandbox[Symbol.dispose]();
      return undefined;
    },
    (thrown: unknown) => thrown,
  );
  const error = await loaded;
  assert.ok(error instanceof BundleError, String(error));
  const placed = new Map(error.problems.map((problem) => [problem.file, problem]));
  assert.equal(placed.get("graph/broken.ts")?.line, 2);
  assert.equal(placed.get("graph/thrower.ts")?.line, 3);
  assert.match(placed.get("graph/missing.ts")?.message ?? "", /code set/i);
  assert.ok(placed.has("graph/outside.ts"));
  assert.ok(placed.has("graph/twin.ts"));
  assert.ok(!placed.has("graph/good.ts"), error.message);
  assert.equal(error.problems.length, 5, error.message);
});

Deno.test("connections.toml and modules meet: names, routers, sends", async () => {
  const module = `
    import { handler, router, send } from "messagefoundry";
    const h = handler("h", (m) => send("OB_T", m));
    router("r", () => h);
  `;
  const toml = `
[[inbound]]
name = "IB_T"
transport = "mllp"
router = "r"
[inbound.settings]
port = 2575
[[outbound]]
name = "OB_T"
transport = "file"
[outbound.settings]
directory = "out"
`;
  await using bundle = await openBundle({ "graph/a.ts": module, "connections.toml": toml });
  const { declared, sandbox, problems } = await declareBundle(options(bundle.dir));
  assert.ok(declared && sandbox);
  using _closed = sandbox;
  assert.deepEqual(problems, []);
  const [inbound] = dryRunInbounds(declared);
  assert.ok(inbound);
  const run = { sandbox: forgetfulRunner(sandbox), ingestTime: 1, showPhi: false, diff: false };
  const [row] = await dryRun([fixture("a.hl7", adt("A01"))], inbound, run);
  assert.deepEqual(row?.deliveries.map(({ to }) => to), ["OB_T"]);
});

/** The repository, wherever and by whomever it was checked out. */
const root = new URL("../../", import.meta.url).pathname;
const anyOwner = { MEFOR_ALLOW_INSECURE_CONFIG_SOURCE: "1" };

Deno.test("our own example bundle validates and loads for dev and prod", async () => {
  const found = await validateBundle(options(root, { env: anyOwner }));
  assert.deepEqual(found.filter(({ severity }) => severity === "error"), []);
  for (const environment of ["dev", "prod"]) {
    const text = `[environments]\nbase_dir = "${root}"\n`;
    const { graph, sandbox } = await loadGraph(options(root, { text, environment, env: anyOwner }));
    using _closed = sandbox;
    assert.deepEqual([...graph.inbounds.values()].map(({ settings }) => settings.port).sort(), [
      2575,
      2576,
      2577,
    ]);
    assert.equal(graph.outbounds.size, 5);
  }
});

Deno.test("our own example bundle passes its fixtures", async () => {
  const report = await checkBundle({
    ...options(root, { env: anyOwner }),
    messages: new URL("./fixtures/example", import.meta.url).pathname,
    runnerOf: forgetfulRunner,
    settings: loadSettings({ env: { MEFOR_AI_ENVIRONMENT: "dev" } }),
    advisory: [],
    ingestTime: 1_700_000_000,
  });
  assert.ok(report.ok, JSON.stringify(report.checks, null, 2));
  assert.equal(report.checks.find(({ name }) => name === "dryrun")?.skipped, false);
});
