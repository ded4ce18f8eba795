/** Permission flags of these tests: net (loopback), read, write, run. */
import assert from "node:assert/strict";
import { MllpSender } from "../connectors/mllp_sender.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, until } from "../connectors/waiting.ts";
import { generateMessages } from "../../src/synthetic/mod.ts";
import { graphText, root, run, Served, type TempDir, tempDir } from "./program.ts";

const launcherFlags = [
  "--allow-read",
  "--allow-env=MEFOR_*",
  "--ignore-env",
  `--allow-run=${Deno.execPath()}`,
];

function adt(): string {
  const [first] = generateMessages({ type: "ADT", triggers: ["A01"], count: 1, seed: "serve" });
  return first?.text ?? "";
}

/** What an engine in `dir` needs when it is started without a launcher. */
function engineFlags(dir: string): string[] {
  return [
    "--allow-net=127.0.0.1",
    `--allow-read=${root}/src,${dir}`,
    `--allow-write=${dir}`,
    "--allow-env=MEFOR_*",
    "--ignore-env",
  ];
}

/** A bundle with one inbound and a partner, its settings beside it. */
async function bundle(
  dir: TempDir,
  { partnerPort, settings = "" }: { partnerPort?: number; settings?: string } = {},
): Promise<{ port: number; args: string[] }> {
  const port = await freePort();
  await dir.write("graph/adt.ts", graphText({ port, partnerPort }));
  await dir.write("messagefoundry.toml", `[api]\nport = 0\n${settings}`);
  return { port, args: ["--project-root", dir.path, "--db", `${dir.path}/mf.db`, "--env", "dev"] };
}

function namesIn(dir: string): string[] {
  try {
    return [...Deno.readDirSync(dir)].map(({ name }) => name).filter((name) =>
      name.endsWith(".hl7")
    );
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return [];
    throw thrown;
  }
}

Deno.test("serve takes an ADT, delivers it under derived permissions, and stops clean", async () => {
  await using dir = await tempDir();
  await using partner = await ScriptedPartner.start();
  const data = `${dir.path}/data`;
  const port = await freePort();
  const env = {
    MEFOR_VALUE_ADT_PORT: String(port),
    MEFOR_VALUE_ORM_PORT: String(await freePort()),
    MEFOR_VALUE_ORU_PORT: String(await freePort()),
    MEFOR_VALUE_EHR_PORT: String(partner.port),
    MEFOR_VALUE_ARCHIVE_DIR: `${data}/archive`,
    MEFOR_VALUE_RESEARCH_DIR: `${data}/research`,
    MEFOR_ENGINE_DATA_DIR: data,
    MEFOR_EGRESS_ALLOWED_FILE_DIRS: data,
  };
  await using served = new Served(["--port", "0"], { flags: launcherFlags, env });
  const flags = await served.line(/^engine permissions: /);
  assert.match(flags, new RegExp(`--allow-net=\\S*127\\.0\\.0\\.1:${partner.port}`));
  assert.match(flags, /--no-prompt --cached-only --frozen /);
  assert.doesNotMatch(flags, /--allow-(run|ffi|sys|all)|-A\b/);
  for (
    const line of [/engine\.starting .*environment=dev data_class=synthetic/, /engine\.listener/]
  ) {
    await served.line(line);
  }
  const started = await served.line(/engine\.started api=http:\/\/127\.0\.0\.1:\d+/);
  const health = await fetch(`${/http:\S+/.exec(started)}/health`);
  assert.equal(health.status, 200);
  assert.equal((await health.json()).status, "ok");
  {
    using sender = await MllpSender.connect(port);
    sender.send(adt());
    const [reply = ""] = await sender.waitForReplies(1);
    assert.match(reply, /\rMSA\|AA\|/);
  }
  await partner.waitForFrames(1);
  assert.match(partner.received[0]?.text ?? "", /^MSH\|.*\|T\|2\.5\.1/, "dev marks its messages");
  await until(() => namesIn(`${data}/archive`).length === 1, "the copy in the archive");
  assert.equal(await served.stop(), 0);
  assert.match(served.text, /engine\.stopping signal=SIGTERM/);
  assert.match(served.text, /engine\.stopped/);
  assert.doesNotMatch(served.text, /warning|WARNING|PID\|/);
});

// Goal: a crash costs a second, not the interface; nothing acknowledged is lost over it.
Deno.test("the launcher starts a killed engine again and forwards the stop", async () => {
  await using dir = await tempDir();
  await using partner = await ScriptedPartner.start();
  const { port, args } = await bundle(dir, { partnerPort: partner.port });
  await using served = new Served(args, { flags: launcherFlags });
  await served.line(/engine\.started/);
  const lock = await Deno.readTextFile(`${dir.path}/mf.db.lock`);
  Deno.kill(Number(lock), "SIGKILL");
  await served.line(/The engine ended with SIGKILL; restart in 1 s/);
  await served.line(/engine\.started/, 2);
  assert.notEqual(await Deno.readTextFile(`${dir.path}/mf.db.lock`), lock);
  using sender = await MllpSender.connect(port);
  sender.send(adt());
  await sender.waitForReplies(1);
  await partner.waitForFrames(1);
  assert.equal(await served.stop("SIGINT"), 0);
});

Deno.test("the engine ends when its launcher is killed", async () => {
  await using dir = await tempDir();
  const { args } = await bundle(dir);
  const served = new Served(args, { flags: launcherFlags });
  await served.line(/engine\.started/);
  served.signal("SIGKILL");
  await served.status;
  await served.ended();
  assert.match(served.text, /engine\.stopped/);
});

Deno.test("a stop while the launcher waits to restart ends it at once", async () => {
  await using dir = await tempDir();
  const { args } = await bundle(dir);
  await using served = new Served(args, { flags: launcherFlags });
  await served.line(/engine\.started/);
  Deno.kill(Number(await Deno.readTextFile(`${dir.path}/mf.db.lock`)), "SIGKILL");
  await served.line(/restart in 1 s/);
  assert.equal(await served.stop(), 0);
  assert.doesNotMatch(served.text.split("restart in").at(-1) ?? "", /engine\.starting/);
});

Deno.test("without leave to run the runtime, serve is the engine itself", async () => {
  await using dir = await tempDir();
  const { args } = await bundle(dir);
  await using served = new Served(args, { flags: engineFlags(dir.path), cwd: dir.path });
  await served.line(/engine\.started/);
  assert.doesNotMatch(served.text, /^engine permissions:/m);
  assert.equal(await served.stop(), 0);
});

Deno.test("an engine without a grant is refused, naming flag and setting", async () => {
  await using dir = await tempDir();
  const { port, args } = await bundle(dir);
  const flags = engineFlags(dir.path);
  const noWrite = flags.filter((flag) => !flag.startsWith("--allow-write"));
  const first = await run(["serve", "--engine", ...args], { flags: noWrite, cwd: dir.path });
  assert.equal(first.code, 2);
  assert.match(first.err, /--allow-write=\S+mf\.db is missing \(for \[store\] path\)/);
  const noPartner = ["--allow-net=127.0.0.1:0", ...flags.slice(1)];
  const second = await run(["serve", "--engine", ...args], { flags: noPartner, cwd: dir.path });
  assert.equal(second.code, 2);
  const listener = new RegExp(
    `--allow-net=127\\.0\\.0\\.1:${port} is missing \\(for inbound "IB_ADT"`,
  );
  assert.match(second.err, listener);
  assert.match(second.err, /127\.0\.0\.1:6661 is missing \(for outbound "OB_PARTNER"/);
});

Deno.test("wide permissions warn; production refuses them unless it was told", async () => {
  await using dir = await tempDir();
  const { args } = await bundle(dir);
  const flags = ["--allow-all", "--deny-run"];
  await using served = new Served(["--engine", ...args], { flags });
  await served.line(/WARNING.*engine\.permissions_wide flags="--allow-net --allow-read/);
  await served.line(/engine\.started/);
  assert.equal(await served.stop(), 0);
  const prod = [...args.slice(0, -1), "prod"];
  const refused = await run(["serve", "--engine", ...prod], { flags });
  assert.equal(refused.code, 2);
  assert.match(
    refused.err,
    /Cannot run in production with more permission than needed: --allow-net/,
  );
});

Deno.test("serve refuses with 2 what settings and gates forbid, before anything starts", async () => {
  await using dir = await tempDir();
  const { args } = await bundle(dir);
  const bare = args.slice(0, -2);
  const cases: readonly [string, readonly string[], RegExp][] = [
    ["", [...bare, "--service-config", "gone.toml"], /no file ".*gone\.toml"/],
    ["[api\n", args, /messagefoundry\.toml:1: /],
    ["[api]\nhots = 'x'\n", args, /Unknown key "hots" in \[api\]; is "host" meant\?/],
    ["", bare, /Name the active environment/],
    ["", [...bare, "--env", "ward"], /\[ai\] must set data_class and production/],
    ["", [...args, "--host", "0.0.0.0"], /without TLS/],
    [
      "[auth]\nenabled = false\n",
      [...args, "--host", "0.0.0.0", "--allow-insecure-bind"],
      /with \[auth\] enabled = false/,
    ],
    [
      '[api]\ntrusted_proxies = ["10.0.0.1"]\n[auth]\nenabled = false\n',
      args,
      /behind a proxy with \[auth\] enabled = false/,
    ],
    ["", [...args, "--port", "99999"], /\[api\] port wants/],
    ["", [...args, "--log-level", "loud"], /\[logging\] level wants/],
  ];
  for (const [text, given, expected] of cases) {
    await dir.write("messagefoundry.toml", text);
    const { code, out, err } = await run(["serve", ...given], { flags: launcherFlags });
    assert.equal(code, 2, `${given.join(" ")}\n${err}`);
    assert.equal(out, "");
    assert.match(err, expected);
    assert.match(err, /^error: /);
    assert.doesNotMatch(err, /\n\s+at |EngineError|SettingsError/, "a stack or class is shown");
  }
});

// Goal: whatever would leave a store unsealed that should be sealed refuses the start, before
// anything listens (I51), says what to change, and shows no key.
Deno.test("serve refuses with 2 keys that are none and encryption that cannot be", async () => {
  await using dir = await tempDir();
  const { args, port } = await bundle(dir);
  const key = new Uint8Array(32).fill(7).toBase64();
  const short = new Uint8Array(31).fill(7).toBase64();
  const named = { MEFOR_STORE_ENCRYPTION_KEY: key };
  const cases: readonly [string, Record<string, string>, RegExp][] = [
    ["require_encryption = true", {}, /require_encryption is set and the store has no key/],
    ["", { MEFOR_STORE_ENCRYPTION_KEY: short }, /MEFOR_STORE_ENCRYPTION_KEY must be base64 of 32/],
    ["", { MEFOR_STORE_ENCRYPTION_KEYS_RETIRED: key }, /needs MEFOR_STORE_ENCRYPTION_KEY/],
    ["", { ...named, MEFOR_STORE_ENCRYPTION_KEYS_RETIRED: `${key},${short}` }, /Key 2 of MEFOR/],
    ['key_provider = "vault"', named, /key_provider "vault": it is not built/],
    ['key_provider = "dpapi"', named, /key_provider "dpapi": it is not built/],
    ['key_provider = "magic"', named, /key_provider wants/],
    [`encryption_key = "${key}"`, {}, /may not stand in the file/],
  ];
  for (const [line, env, expected] of cases) {
    await dir.write("messagefoundry.toml", `[store]\n${line}\n`);
    const { code, out, err } = await run(["serve", ...args], { flags: launcherFlags, env });
    assert.equal(code, 2, `${line}\n${err}`);
    assert.equal(out, "");
    assert.match(err, expected);
    assert.ok(!`${err}${out}`.includes(key.slice(0, 8)), "shows a key");
    await assert.rejects(MllpSender.connect(port));
    assert.deepEqual([...Deno.readDirSync(dir.path)].filter(({ name }) => /mf\.db/.test(name)), []);
  }
});

Deno.test("a broken value file is refused with 2, a broken graph is a failed start with 3", async () => {
  await using dir = await tempDir();
  const { args } = await bundle(dir);
  await dir.write("environments/dev.toml", "a = 1\nb = \n");
  const values = await run(["serve", ...args], { flags: launcherFlags });
  assert.equal(values.code, 2);
  assert.match(values.err, /dev\.toml:2: The value file is not TOML/);
  await dir.write("environments/dev.toml", "");
  await dir.write("graph/b.ts", 'import "./gone.ts";\n');
  const graph = await run(["serve", ...args], { flags: launcherFlags });
  assert.equal(graph.code, 3);
  assert.match(graph.err, /Cannot load graph ".*": graph\/b\.ts/);
  const missing = [...args, "--config", `${dir.path}/gone`];
  assert.equal((await run(["serve", ...missing], { flags: launcherFlags })).code, 3);
});

Deno.test("what is taken already is a failed start with 3 and a sentence", async () => {
  await using dir = await tempDir();
  const { args } = await bundle(dir);
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr as Deno.NetAddr;
  const api = await run(["serve", ...args, "--port", String(port)], { flags: launcherFlags });
  assert.equal(api.code, 3);
  assert.match(api.err, new RegExp(`127\\.0\\.0\\.1:${port}".*in use`));
  await using served = new Served(args, { flags: launcherFlags });
  await served.line(/engine\.started/);
  const second = await run(["serve", ...args], { flags: launcherFlags });
  assert.equal(second.code, 3);
  assert.match(
    second.err,
    /another engine holds it[\s\S]*hint: Stop the engine with process id \d+/,
  );
  assert.equal(await served.stop(), 0);
});

Deno.test("a listener that would take messages in the clear is failed, the engine runs on", async () => {
  await using dir = await tempDir();
  const { port, args } = await bundle(dir, { settings: '[inbound]\nbind_host = "0.0.0.0"\n' });
  await using served = new Served(args, { flags: launcherFlags });
  const flags = await served.line(/^engine permissions: /);
  assert.ok(!flags.includes(`0.0.0.0:${port}`), "a refused listener is granted its port");
  await served.line(/connection\.failed connection=IB_ADT code=connector\.bind_insecure/);
  await served.line(/engine\.started/);
  await assert.rejects(MllpSender.connect(port));
  assert.equal(await served.stop(), 0);
  assert.doesNotMatch(served.text, /engine\.listener/, "a listener that is not there is told");
  await using allowed = new Served([...args, "--allow-insecure-bind"], { flags: launcherFlags });
  await allowed.line(
    new RegExp(`engine\\.listener connection=IB_ADT address=0\\.0\\.0\\.0:${port}`),
  );
  await allowed.line(/engine\.started/);
  (await MllpSender.connect(port))[Symbol.dispose]();
  assert.equal(await allowed.stop(), 0);
});

// Goal: a limit that no timer can wait for does not cut the stop short.
Deno.test("a stop may take longer than a timer can wait", async () => {
  await using dir = await tempDir();
  const { args } = await bundle(dir);
  await using served = new Served(["--engine", ...args], {
    flags: engineFlags(dir.path),
    cwd: dir.path,
    env: { MEFOR_ENGINE_SHUTDOWN_TIMEOUT_SECONDS: "2592000" },
  });
  await served.line(/engine\.started/);
  assert.equal(await served.stop(), 0);
  assert.match(served.text, /engine\.stopped/);
});

Deno.test("a second signal does not wait for the clean stop", async () => {
  await using dir = await tempDir();
  await using partner = await ScriptedPartner.start({ otherwise: { do: "silence" } });
  const { port, args } = await bundle(dir, { partnerPort: partner.port });
  await using served = new Served(["--engine", ...args], {
    flags: engineFlags(dir.path),
    cwd: dir.path,
  });
  await served.line(/engine\.started/);
  using sender = await MllpSender.connect(port);
  sender.send(adt());
  await sender.waitForReplies(1);
  await partner.waitForFrames(1);
  const startedAt = performance.now();
  served.signal("SIGTERM");
  await served.line(/engine\.stopping/);
  // Sooner it would count as the same one: Ctrl+C arrives twice.
  await new Promise((resolve) => setTimeout(resolve, 700));
  assert.equal(await served.stop("SIGTERM"), 1);
  assert.ok(performance.now() - startedAt < 4_000, "waited for the delivery in flight");
  assert.match(served.text, /engine\.stop_cut_short reason=signal/);
});
