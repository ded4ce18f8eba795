/**
 * The shipped archive, as an operator meets it.
 *
 * Permission flags of these tests: read, write, run; net (loopback).
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { DockerfileParser } from "dockerfile-ast";
import { validate } from "dockerfile-utils";
import { sha256Of, walkFiles } from "../../tools/bundle/files.ts";
import { hasTool, runTool } from "../connectors/foreign_tool.ts";
import { root, tempDir } from "../cli/program.ts";
import { freePort, within } from "../connectors/waiting.ts";
import { type AuthorPlace, authorPlace, NOBODY, unpackArchive, type Unpacked } from "./archive.ts";
import { openStore } from "../store/postgres/bench.ts";
import { test } from "../maintenance/one_server.ts";
import type { Offline } from "./offline_run.ts";
import { allowedCalls, execStart, tracedCalls } from "./unit_file.ts";

let unpacked: Unpacked;
Deno.test.beforeAll(async () => {
  unpacked = await unpackArchive();
});
Deno.test.afterAll(async () => await unpacked[Symbol.asyncDispose]());

// Goal: the archive runs on a machine that has a shell and nothing else.
// Method: an empty folder, no network but loopback, an empty environment (so no HOME, no cache), a
// read-only program folder and another user; author modules lie outside.
Deno.test("the archive runs offline, in an empty environment, as another user", async () => {
  const isRoot = Deno.uid() === 0;
  const namespace = isRoot ? ["--net"] : ["--map-root-user", "--net"];
  if (!await hasTool("unshare", [...namespace, "ip", "link", "set", "lo", "up"])) return;
  const { program } = unpacked;
  assert.match(await runTool("sha256sum", ["-c", "SHA256SUMS"], { cwd: program }), /deno: OK/);
  const before = await walkFiles(program);
  assert.deepEqual((await Deno.readTextFile(`${program}/SHA256SUMS`)).match(/(?<= {2}).+/g), [
    ...before.filter((path) => path !== "SHA256SUMS"),
  ]);

  await using place = await authorPlace();
  const driver = fileURLToPath(new URL("./offline_run.ts", import.meta.url));
  const text = await runTool("unshare", [
    ...namespace,
    "sh",
    "-c",
    'ip link set lo up && exec "$@"',
    "sh",
    Deno.execPath(),
    "run",
    "--cached-only",
    "--allow-all",
    driver,
    program,
    place.author,
    place.work,
    String(NOBODY),
  ], { cwd: root, ms: 120_000 });
  const offline: Offline = JSON.parse(text.trim().split("\n").at(-1) ?? "");

  assert.equal(offline.network, "ENETUNREACH");
  assert.match(offline.acknowledgement, /\rMSA\|AA\|/);
  assert.equal(offline.delivered.length, 1);
  assert.equal(offline.exitCode, 0, offline.log);
  const { version, validate, check, dryrun, init, laidOut, permissions } = offline.commands;
  assert.match(version?.out ?? "", /^messagefoundry \d+\.\d+\.\d+\n$/);
  for (const [name, ran] of Object.entries(offline.commands)) {
    assert.equal(ran.code, 0, `${name}: ${ran.out}${ran.err}`);
  }
  assert.deepEqual([validate?.out, laidOut?.out], ["[]\n", "[]\n"]);
  assert.match(init?.out ?? "", /OK: \d+ files/);
  const types = JSON.parse(check?.out ?? "").checks.find((one: { name: string }) =>
    one.name === "types"
  );
  assert.deepEqual(
    [types.ok, types.skipped],
    [true, false],
    "the types of author code are checked",
  );
  assert.equal(JSON.parse(dryrun?.out ?? "")[0].deliveries[0].to, "OB_PARTNER");
  const derived = permissions?.out.trim() ?? "";
  assert.match(derived, /--allow-net=127\.0\.0\.1:/);
  assert.ok(offline.log.includes(`engine permissions: ${derived}\n`), offline.log);
  assert.match(offline.log, /"action":"config_reload"/);
  assert.doesNotMatch(offline.log, /permissions_wide|reload_failed|ERROR/);
  assert.deepEqual(await walkFiles(program), before, "nothing is written into the program");
});

// Goal: what works on a store on a server finds its way there from the archive too, where a child has
// to be started for it.
test("the archive's commands reach a store on a server, and no other place", async (server) => {
  const { program } = unpacked;
  await using dir = await tempDir();
  const options = server.options();
  await (await openStore(options))[Symbol.asyncDispose]();
  const settings = `${dir.path}/messagefoundry.toml`;
  await dir.write(
    "messagefoundry.toml",
    `[store]\nbackend = "postgres"\nserver = "127.0.0.1"\nport = ${options.port}\n` +
      `database = "postgres"\nusername = "postgres"\nencrypt = false\n` +
      `db_schema = "${options.schema}"\n`,
  );
  const call = (...args: string[]) =>
    runTool(`${program}/messagefoundry`, [...args, "--service-config", settings], {
      cwd: dir.path,
      ms: 60_000,
    });
  assert.match(
    await call("admin", "create", "ann"),
    /^The account "ann" is there: administrator\./,
  );
  assert.match(await call("admin", "list"), /^ann {2}administrator; must change its password/);
  assert.match(await call("audit-verify"), /^OK: 1 rows/);
});

Deno.test("two builds, in two checkouts, give equal bytes", async () => {
  await using other = await tempDir();
  const checkout = `${other.path}/another/checkout`;
  await Deno.mkdir(checkout, { recursive: true });
  const carried = [
    ...["main.ts", "deno.json", "deno.lock", "src", "tools"],
    ...["graph", "codesets", "environments", "messagefoundry.toml"],
  ];
  await runTool("cp", ["-r", ...carried.map((name) => `${root}/${name}`), checkout]);
  await runTool(Deno.execPath(), ["task", "bundle"], { cwd: checkout, ms: 120_000 });
  const archive = unpacked.archive.slice(unpacked.archive.lastIndexOf("/"));
  assert.equal(await sha256Of(`${checkout}/dist${archive}`), await sha256Of(unpacked.archive));
});

// Goal: what systemd is told is sound, is strict, and lets the engine live.
// Method: systemd's own checks; then the very command line of the unit under strace: every call of
// the kernel it makes is one that the unit's filter lets through.
Deno.test("--format systemd writes a unit that systemd accepts and the engine lives under", async () => {
  if (!await hasTool("systemd-analyze", ["--version"])) return;
  await using place = await authorPlace();
  const written = await deployment(place, "systemd");
  const unit = `${place.author}/messagefoundry.service`;
  await Deno.writeTextFile(unit, written.text);
  assert.equal(await runTool("systemd-analyze", ["verify", "--man=no", unit]), "");
  // 0 is the best of 100; nothing but what the engine cannot do without is left open.
  const exposure = ["security", "--offline=yes", "--no-pager", "--threshold=15", unit];
  assert.match(
    await runTool("systemd-analyze", exposure),
    /Overall exposure level .*: [01]\.\d OK/,
  );

  const words = execStart(written.text);
  assert.deepEqual(words, [
    ...[`${unpacked.program}/runtime/deno`, "run", "--quiet"],
    ...written.flags,
    ...[`${unpacked.program}/engine/main.js`, "serve", "--engine"],
    ...written.args,
  ]);
  assert.match(written.text, new RegExp(`^ReadWritePaths=${place.work}$`, "m"));

  if (!await hasTool("strace", ["-V"])) return;
  const trace = `${place.work}/trace.txt`;
  const strace = ["-D", "-f", "-qq", "-o", trace, "-e", "signal=none"];
  await runEngine(["strace", ...strace, ...words], { place, apiPort: written.apiPort });
  const allowed = await allowedCalls(written.text);
  const refused = [...await tracedCalls(trace)].filter((call) => !allowed.has(call));
  assert.deepEqual(refused, [], "calls that the unit's filter refuses");
});

Deno.test("--format container writes a file that parses, with the derived flags", async () => {
  await using place = await authorPlace();
  const written = await deployment(place, "container");
  assert.deepEqual(validate(written.text).map(({ message }) => message), []);
  const file = DockerfileParser.parse(written.text);
  const only = (keyword: string) => {
    const found = file.getInstructions().filter((one) => one.getKeyword() === keyword);
    assert.equal(found.length, 1, `one ${keyword}`);
    return found[0]!;
  };
  const words: string[] = JSON.parse(only("ENTRYPOINT").getArgumentsContent() ?? "");
  assert.deepEqual(words, [
    ...[`${unpacked.program}/runtime/deno`, "run", "--quiet"],
    ...written.flags,
    ...[`${unpacked.program}/engine/main.js`, "serve", "--engine"],
    ...written.args,
  ]);
  assert.match(only("USER").getArgumentsContent() ?? "", /^[1-9]\d*:[1-9]\d*$/);
  assert.equal(only("STOPSIGNAL").getArgumentsContent(), "SIGTERM");
  assert.deepEqual(JSON.parse(only("VOLUME").getArgumentsContent() ?? ""), [place.work]);
  assert.match(written.text, /^ARG BASE=debian:\d+\.\d+-slim$/m);
  assert.match(
    written.text,
    new RegExp(`^# +--volume=${place.author}:${place.author}:ro \\\\$`, "m"),
  );

  const health = /CMD (\[.*\])$/.exec(only("HEALTHCHECK").getArgumentsContent() ?? "")?.[1];
  const check: string[] = JSON.parse(health ?? "[]");
  assert.equal(await exitCodeOf(check, place), 1, "nothing answers yet");
  {
    const listen = { hostname: "127.0.0.1", port: written.apiPort, onListen: () => {} };
    await using _ill = Deno.serve(listen, () => new Response(null, { status: 503 }));
    assert.equal(await exitCodeOf(check, place), 1, "what answers is not well");
  }
  await runEngine(words, {
    place,
    apiPort: written.apiPort,
    whileUp: async () => assert.equal(await exitCodeOf(check, place), 0),
  });
});

/** Runs `permissions --format` of the archive, for a site with ports that are free. */
async function deployment({ author, work }: AuthorPlace, format: string) {
  const [port, partnerPort, apiPort] = [await freePort(), await freePort(), await freePort()];
  const values = `port = ${port}\npartner_port = ${partnerPort}\n`;
  await Deno.writeTextFile(`${author}/environments/dev.toml`, values, { mode: 0o644 });
  const args = ["--project-root", author, "--env", "dev", "--db", `${work}/mf.db`];
  args.push("--port", String(apiPort));
  const program = `${unpacked.program}/messagefoundry`;
  const written = (name: string) =>
    runTool(program, ["permissions", ...args, "--format", name], { cwd: work });
  const flags = (await written("flags")).trim().split(" ");
  return { text: await written(format), flags, args, apiPort };
}

interface EngineRun {
  readonly place: AuthorPlace;
  readonly apiPort: number;
  readonly whileUp?: () => Promise<void>;
}

/** Starts the engine as the manager would, waits for its API, stops it. */
async function runEngine(
  [program = "", ...args]: readonly string[],
  { place, apiPort, whileUp }: EngineRun,
): Promise<void> {
  const child = new Deno.Command(program, { args, ...asService(place) }).spawn();
  const streams = Promise.all([child.stdout, child.stderr].map((one) => new Response(one).text()));
  try {
    await within(answers(apiPort), "the API", 60_000);
    await whileUp?.();
  } finally {
    child.kill("SIGTERM");
    const insist = setTimeout(() => child.kill("SIGKILL"), 30_000);
    const { code } = await child.status;
    clearTimeout(insist);
    // They end with the last who holds them, strace for one.
    const said = await within(streams, "the end of its output", 30_000);
    assert.equal(code, 0, said.join("\n"));
  }
}

async function answers(port: number): Promise<void> {
  for (;;) {
    try {
      const response = await fetch(`http://127.0.0.1:${port}/health`);
      await response.body?.cancel();
      if (response.ok) return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

async function exitCodeOf([program = "", ...args]: readonly string[], place: AuthorPlace) {
  const child = new Deno.Command(program, { args, ...asService(place) }).spawn();
  await Promise.all([child.stdout, child.stderr].map((one) => one.cancel()));
  return (await within(child.status, "the check", 30_000)).code;
}

/** A user of its own and an environment that holds what the files say, nothing of ours. */
function asService({ work }: AuthorPlace) {
  const owner = Deno.uid() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  return {
    cwd: work,
    clearEnv: true,
    env: { DENO_DIR: `${work}/cache`, DENO_NO_UPDATE_CHECK: "1", PATH: "/usr/bin:/bin" },
    ...owner,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  } as const;
}
