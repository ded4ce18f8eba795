/**
 * What is derived is what is used: the engine runs under the launcher with the runtime's own log of
 * every permission it is asked for, and every line of it is held against the derived set.
 *
 * Permission flags of these tests: net (loopback), read, write, run.
 */
import assert from "node:assert/strict";
import { evaluateInSandbox, loadGraph } from "../../src/graph/mod.ts";
import { connectors } from "../../src/connectors/mod.ts";
import { prepareDataFolder } from "../../src/cli/demo/data_folder.ts";
import { DemoRun } from "../../src/cli/demo/demo_run.ts";
import { type DemoInstance, demoInstance } from "../../src/cli/demo/engine_process.ts";
import { EngineView } from "../../src/cli/demo/engine_view.ts";
import { expectFrom } from "../../src/cli/demo/expectation.ts";
import { choosePorts } from "../../src/cli/demo/ports.ts";
import { planTraffic } from "../../src/cli/demo/traffic.ts";
import { realPathOf } from "../../src/cli/paths.ts";
import { outsideOf, parsePermissionLog } from "../../src/cli/serve/permission_log.ts";
import type { Grant } from "../../src/cli/serve/permission_set.ts";
import { generateMessages } from "../../src/synthetic/mod.ts";
import { Authority } from "../connectors/certificates.ts";
import { MllpSender } from "../connectors/mllp_sender.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, until } from "../connectors/waiting.ts";
import { type Collector, tcpCollector, udpCollector } from "../logging/collectors.ts";
import { run, Served, type TempDir, tempDir } from "./program.ts";

const launcherFlags = [
  "--allow-read",
  "--allow-env=MEFOR_*",
  "--ignore-env",
  `--allow-run=${Deno.execPath()}`,
];

const storeKey = new Uint8Array(32).fill(7).toBase64();
const retiredKey = new Uint8Array(32).fill(8).toBase64();

interface Audited {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where the runtime's log is written. */
  readonly log: string;
}

/** Starts `serve`, lets `act` use the engine, stops it, and returns the kinds it asked for. */
async function audit(
  { args, env, log }: Audited,
  act: (served: Served) => Promise<void>,
): Promise<ReadonlySet<string>> {
  const derived = await run(["permissions", ...args, "--format", "json"], { env });
  assert.equal(derived.code, 0, derived.err);
  const { grants, flags } = JSON.parse(derived.out) as { grants: Grant[]; flags: string[] };
  {
    const audited = { ...env, DENO_AUDIT_PERMISSIONS: log };
    await using served = new Served(args, { flags: launcherFlags, env: audited });
    assert.equal(
      await served.line(/^engine permissions: /),
      `engine permissions: ${flags.join(" ")}`,
    );
    await served.line(/engine\.started/);
    await act(served);
    assert.equal(await served.stop(), 0);
  }
  const text = await Deno.readTextFile(log);
  const requests = parsePermissionLog(text);
  assert.deepEqual(outsideOf(grants, { log: requests, realPathOf }), [], "not derived");
  return new Set(requests.map(({ permission, value }) => `${permission} ${value}`));
}

/** Bundle, ports and traffic of `deno task demo`, with an engine that is ours to start. */
async function demoOf(dir: string) {
  const ports = choosePorts({ freePorts: true });
  const folder = await prepareDataFolder(`${dir}/data`, { keep: false });
  return { ports, folder, instance: await demoInstance({ folder, ports, env: {} }) };
}

async function playDemo(
  { ports, folder, instance }: Awaited<ReturnType<typeof demoOf>>,
): Promise<void> {
  const messages = planTraffic({ count: 110, seed: "audit" });
  const loaded = await loadDemo(instance);
  const expectation = await expectFrom(loaded, messages);
  loaded.sandbox[Symbol.dispose]();
  await using demo = new DemoRun({
    messages,
    expectation,
    outbounds: loaded.graph.outbounds,
    ports,
    folder,
    ratePerSecond: 0,
    screen: { intervalMs: 500, show: () => {}, note: () => {}, end: () => {} },
    signal: new AbortController().signal,
  });
  const view = new EngineView(`http://127.0.0.1:${ports.api}`);
  const outcome = await demo.play(view, () => false);
  assert.deepEqual(outcome?.problems, []);
  const { processed = 0, filtered = 0, unrouted = 0, error = 0 } = outcome?.dispositions ?? {};
  assert.ok(processed > 0 && filtered > 0 && unrouted > 0 && error > 0, "each way is walked");
}

function loadDemo({ anchor, env }: DemoInstance) {
  const { settings } = anchor.loaded;
  return loadGraph({
    bundleDir: anchor.bundleDir,
    settings,
    environment: settings.ai.environment,
    env,
    evaluate: evaluateInSandbox(),
    reachOf: (type, direction, values) => connectors.get(type)?.reach(direction, values) ?? [],
  });
}

for (const protocol of ["udp", "tcp"] as const) {
  Deno.test(`the demo's engine, sealed and forwarding over ${protocol}, asks for nothing else`, async () => {
    await using dir = await tempDir();
    await using collector: Collector = protocol === "udp" ? udpCollector() : await tcpCollector();
    const demo = await demoOf(dir.path);
    const { args, variables } = demo.instance;
    const env = {
      ...variables,
      MEFOR_STORE_ENCRYPTION_KEY: storeKey,
      MEFOR_STORE_ENCRYPTION_KEYS_RETIRED: retiredKey,
      MEFOR_STORE_REQUIRE_ENCRYPTION: "true",
      MEFOR_LOGGING_FORWARD_ENABLED: "true",
      MEFOR_LOGGING_FORWARD_HOST: "localhost",
      MEFOR_LOGGING_FORWARD_PORT: String(collector.port),
      MEFOR_LOGGING_FORWARD_PROTOCOL: protocol,
    };
    const asked = await audit({ args, env, log: `${dir.path}/first.jsonl` }, async () => {
      await playDemo(demo);
      await until(() => collector.messages.length > 0, "the log at the collector");
    });
    for (const kind of ["net", "read", "write", "env"]) {
      assert.ok([...asked].some((request) => request.startsWith(`${kind} `)), `no ${kind} request`);
    }
    assert.ok(asked.has(`net 127.0.0.1:${demo.ports.lab}`));
    assert.ok(asked.has(`net localhost:${collector.port}`));
    // A store that exists is opened in another way than one that does not.
    await audit({ args, env, log: `${dir.path}/second.jsonl` }, async () => {});
  });
}

/**
 * Every kind of connection there is, over links and TLS. Nothing but the bundle lies in its folder,
 * which may be read as a whole.
 */
async function wideBundle(dir: TempDir, partnerPort: number) {
  const port = await freePort();
  const apiPort = await freePort();
  for (const name of ["in", "behind", "certificates", "staging"]) {
    await Deno.mkdir(`${dir.path}/${name}`);
  }
  // What is allowed is a link, and what is written to lies behind it and is made by the engine.
  await Deno.symlink(`${dir.path}/behind`, `${dir.path}/outgoing`);
  await Deno.symlink(`${dir.path}/staging`, `${dir.path}/current`);
  const authority = await Authority.create(`${dir.path}/certificates`);
  const { cert, key } = await authority.issue("engine");
  const graph =
    `import { codeSet, file, handler, inbound, mllp, outbound, router, send } from "messagefoundry";
const events = codeSet("events");
const partner = outbound("OB_PARTNER", mllp({ host: "localhost", port: ${partnerPort} }));
const copy = outbound("FILE-OUT_COPY", file({ directory: "${dir.path}/outgoing/lab/copies", filename: "{MSH-10}.hl7" }));
const forward = handler("forward", (message) => {
  message.set("EVN-1", events.get("A01") ?? "none");
  return [send(partner, message), send(copy, message)];
});
const route = router("route", () => forward);
const tls = { tls: true, tlsCertFile: "${cert}", tlsKeyFile: "${key}" };
inbound("IB_ADT", mllp({ port: ${port}, ...tls }), { router: route });
inbound("FILE-IN_ADT", file({ directory: "${dir.path}/in", pollSeconds: 1, minAgeSeconds: 0 }), { router: route });
`;
  for (const bundle of ["bundle", "staging"]) {
    await dir.write(`${bundle}/graph/adt.ts`, graph);
    await dir.write(`${bundle}/codesets/events.csv`, "event,name\nA01,admit\n");
  }
  await dir.write(
    "bundle/messagefoundry.toml",
    `[api]\nport = ${apiPort}\nconfig_reload_roots = ["${dir.path}/current"]\n` +
      `[egress]\ndeny_by_default = true\nallowed_mllp = ["localhost:${partnerPort}"]\n` +
      `allowed_file_dirs = ["${dir.path}/outgoing"]\n`,
  );
  const store = `${dir.path}/store/mf.db`;
  const args = ["--project-root", `${dir.path}/bundle`, "--db", store, "--env", "dev"];
  return { port, args, ca: authority.file, api: `http://127.0.0.1:${apiPort}` };
}

Deno.test("an engine with files, TLS and links asks for nothing else while it is operated", async () => {
  await using dir = await tempDir();
  await using partner = await ScriptedPartner.start();
  const { port, args, ca, api } = await wideBundle(dir, partner.port);
  const [first, second, third] = [
    ...generateMessages({ type: "ADT", triggers: ["A01"], count: 3, seed: "audit" }),
  ];
  let token = "";
  const ask = async (path: string, posted?: unknown) => {
    const method = posted === undefined ? "GET" : "POST";
    const body = JSON.stringify(posted);
    const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
    const response = await fetch(`${api}${path}`, { method, body, headers });
    return { status: response.status, text: await response.text() };
  };
  const asked = await audit({ args, env: {}, log: `${dir.path}/audit.jsonl` }, async () => {
    await Deno.writeTextFile(`${dir.path}/in/one.hl7`, first?.text ?? "");
    {
      const tls = { ca: [Deno.readTextFileSync(ca)], servername: "localhost" };
      using sender = await MllpSender.connect(port, { tls });
      sender.send(second?.text ?? "");
      await sender.waitForReplies(1);
    }
    await partner.waitForFrames(2, 20_000);
    await until(() => namesIn(`${dir.path}/behind/lab/copies`).length === 2, "the copies", 20_000);
    const told = Deno.readTextFileSync(`${dir.path}/store/bootstrap-admin.txt`);
    const given = /^password: (.+)$/m.exec(told)?.[1];
    const own = "twelve green lamps beside a well";
    for (const password of [given, own]) {
      const { text } = await ask("/auth/login", { username: "admin", password });
      token = JSON.parse(text).token;
      if (password === own) break;
      const change = { current_password: given, new_password: own };
      assert.equal((await ask("/me/password", change)).status, 200);
    }
    for (const path of ["/status", "/stats", "/metrics", "/connections", "/messages", "/events"]) {
      assert.equal((await ask(path)).status, 200, path);
    }
    for (const name of ["OB_PARTNER", "FILE-OUT_COPY"]) {
      const { text } = await ask(`/connections/${name}/test`, {});
      assert.equal(JSON.parse(text).success, true, text);
    }
    for (const name of ["IB_ADT", "FILE-IN_ADT", "OB_PARTNER", "FILE-OUT_COPY"]) {
      const { status, text } = await ask(`/connections/${name}/restart`, {});
      assert.equal(status, 200, text);
    }
    for (const config_dir of [null, `${dir.path}/current`, `${dir.path}/bundle`]) {
      const { status, text } = await ask("/config/reload", { config_dir, dry_run: false });
      assert.equal(status, 200, text);
    }
  });
  // Now the directories are there, and so is the store.
  await audit({ args, env: {}, log: `${dir.path}/second.jsonl` }, async () => {
    await Deno.writeTextFile(`${dir.path}/in/three.hl7`, third?.text ?? "");
    await until(
      () => namesIn(`${dir.path}/behind/lab/copies`).length === 3,
      "the third copy",
      20_000,
    );
  });
  for (
    const request of [
      `net localhost:${partner.port}`,
      `net 127.0.0.1:${port}`,
      `read ${dir.path}/in`,
      `write ${dir.path}/store`,
      `read ${dir.path}/certificates/ca-engine.key`,
    ]
  ) {
    assert.ok(asked.has(request), `${request} was never asked for`);
  }
});

function namesIn(dir: string): readonly string[] {
  try {
    return [...Deno.readDirSync(dir)].map(({ name }) => name).filter((name) =>
      name.endsWith(".hl7")
    );
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return [];
    throw thrown;
  }
}

// Goal: a reviewer can do the same. Method: the command, on the log of an engine that ran, as it is
// and with one more line.
Deno.test("permissions --audit holds a log against the derived set", async () => {
  await using dir = await tempDir();
  const { instance: { args, variables: env } } = await demoOf(dir.path);
  const log = `${dir.path}/audit.jsonl`;
  await audit({ args, env, log }, async () => {});
  const held = await run(["permissions", ...args, "--audit", log], { env });
  assert.equal(held.code, 0, held.out + held.err);
  assert.match(held.out, /^\d{2,} requests, none outside of the derived permissions\n$/);

  const line = { v: 1, datetime: "2026-01-01T00:00:00Z", permission: "run", value: "/bin/sh" };
  await Deno.writeTextFile(log, `${JSON.stringify(line)}\n`, { append: true });
  const outside = await run(["permissions", ...args, "--audit", log], { env });
  assert.equal(outside.code, 1);
  assert.match(
    outside.out,
    /^run \/bin\/sh\n\d+ requests, 1 outside of the derived/,
  );
  const json = await run(["permissions", ...args, "--audit", log, "--json"], { env });
  assert.deepEqual(JSON.parse(json.out).outside, ["run /bin/sh"]);

  await Deno.writeTextFile(log, "no log\n");
  const broken = await run(["permissions", ...args, "--audit", log], { env });
  assert.equal(broken.code, 2);
  assert.match(broken.err, /^error: Line 1 is not of the runtime's log/);
  await Deno.writeTextFile(log, "");
  const empty = await run(["permissions", ...args, "--audit", log], { env });
  assert.equal(empty.code, 2, "an empty log vouches for nothing");
});
