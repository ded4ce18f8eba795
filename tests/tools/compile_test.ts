/**
 * The compiled binary, as far as it can be made without `denort`: everything but that it runs.
 *
 * The runtime writes program, flags and files behind whatever program `DENORT_BIN` names; here that
 * is the runtime itself, which would not run them. What was written is read back.
 * Permission flags: read, write, run; net (loopback).
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { embeddedRoot, prepare } from "../../tools/compile.ts";
import { walkFiles } from "../../tools/bundle/files.ts";
import { root, run, tempDir } from "../cli/program.ts";
import { runTool } from "../connectors/foreign_tool.ts";
import { freePort, within } from "../connectors/waiting.ts";
import { authorPlace } from "./archive.ts";

Deno.test("a compiled binary holds the derived permissions and every file the engine reads", async () => {
  await using place = await authorPlace();
  await using dir = await tempDir();
  const values = `port = ${await freePort()}\npartner_port = 6661\n`;
  await Deno.writeTextFile(`${place.author}/environments/dev.toml`, values);
  const args = ["--project-root", place.author, "--env", "dev", "--db", `${place.work}/mf.db`];
  args.push(
    "--port",
    String(await freePort()),
    "--service-config",
    `${place.author}/messagefoundry.toml`,
  );
  const output = `${dir.path}/out/mefor`;
  const engineDir = `${dir.path}/engine`;
  const { command, derived, baked } = await prepare({ args, engineDir, output });

  // What the launcher of a checkout derives, but for where the program itself lies.
  const checkout = JSON.parse((await run(["permissions", ...args, "--format", "json"])).out);
  const isProgram = ({ reason }: { reason: string }) => reason === "the program itself";
  const programOf = checkout.grants.find(isProgram).value;
  const moved = (to: string) =>
    checkout.flags.map((flag: string) =>
      flag.startsWith("--allow-read=") ? flag.replace(programOf, to) : flag
    );
  assert.deepEqual(derived, moved(engineDir));
  assert.deepEqual(baked, moved(embeddedRoot(output)));
  assert.deepEqual(baked.filter((flag) => !command.includes(flag)), []);

  // A folder is embedded as files; a worker is a module, whose imports the runtime must look for.
  const workers = await workersOf(engineDir);
  assert.ok(workers.length >= 4, workers.join());
  assert.deepEqual(workers.filter((path) => !command.includes(`${engineDir}/${path}`)), []);

  const task = [Deno.execPath(), "task", "compile", "--output", output, ...args];
  const said = await runTool("env", [`DENORT_BIN=${Deno.execPath()}`, ...task], {
    cwd: root,
    ms: 60_000,
  });
  assert.ok(said.includes(`baked in: ${baked.join(" ")}\n`), said);
  const { metadata, files } = await embedded(output);
  const { permissions, v8_flags: v8Flags, unstable_config: unstable } = metadata;
  for (const kind of ["net", "read", "write", "env"]) {
    const flag = baked.find((one) => one.startsWith(`--allow-${kind}=`));
    assert.deepEqual(permissions[`allow_${kind}`], flag?.split("=")[1]?.split(","), kind);
  }
  assert.deepEqual(
    permissions.deny_net,
    baked.find((flag) => /^--deny-net/.test(flag))
      ?.split("=")[1]?.split(","),
  );
  for (const kind of ["run", "ffi", "sys"]) assert.equal(permissions[`allow_${kind}`], null, kind);
  assert.deepEqual([permissions.prompt, permissions.ignore_env], [false, []]);
  const derivedV8 = baked.find((flag) => flag.startsWith("--v8-flags="))?.slice(11).split(",");
  assert.deepEqual(derivedV8?.filter((flag) => !v8Flags.includes(flag)), []);
  assert.deepEqual(unstable.features, ["worker-options", "net"]);

  const laidOut = (await walkFiles(engineDir)).filter((path) => path !== "deno.json");
  assert.deepEqual(files, laidOut, "the binary holds what the folder holds");
  const read = await filesRead({ engineDir, flags: derived, args, place });
  assert.ok(read.includes("src/sandbox/realm/entry.ts"), read.join());
  assert.deepEqual(read.filter((path) => !files.includes(path)), []);
});

/** Modules that the laid out engine starts as workers, relative to its folder. */
async function workersOf(engineDir: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of (await walkFiles(engineDir)).filter((path) => /^[^/]+\.js$/.test(path))) {
    const text = await Deno.readTextFile(`${engineDir}/${name}`);
    found.push(
      ...[...text.matchAll(/new URL\("\.\/(src\/[^"]+)", import/g)].map(([, to = ""]) => to),
    );
  }
  return found;
}

interface Embedded {
  // deno-lint-ignore no-explicit-any
  readonly metadata: any;
  /** Relative to the root of what is embedded. */
  readonly files: readonly string[];
}

interface EmbeddedEntry {
  readonly File?: { readonly n: string };
  readonly Dir?: { readonly n: string; readonly e: readonly EmbeddedEntry[] };
}

/** Reads the section that `deno compile` writes: after its mark, length and text of two JSON values. */
async function embedded(path: string): Promise<Embedded> {
  const bytes = await Deno.readFile(path);
  const buffer = Buffer.from(bytes.buffer);
  const start = buffer.indexOf('{"argv"');
  assert.equal(buffer.subarray(start - 16, start - 8).toString(), "d3n0l4nd");
  const end = start + Number(buffer.readBigUInt64LE(start - 8));
  const metadata = JSON.parse(buffer.subarray(start, end).toString());
  const list = buffer.indexOf("[{", end);
  const entries = buffer.subarray(list, list + Number(buffer.readBigUInt64LE(list - 8)));
  const names = (all: readonly EmbeddedEntry[], below = ""): readonly string[] =>
    all.flatMap(({ File, Dir }) => [
      ...(File === undefined ? [] : [`${below}${File.n}`]),
      ...(Dir === undefined ? [] : names(Dir.e, `${below}${Dir.n}/`)),
    ]);
  return { metadata, files: names(JSON.parse(entries.toString())).toSorted() };
}

/** Runs the engine from its folder and returns the files of it that the runtime was asked for. */
async function filesRead(
  { engineDir, flags, args, place }: {
    readonly engineDir: string;
    readonly flags: readonly string[];
    readonly args: readonly string[];
    readonly place: { readonly work: string };
  },
): Promise<readonly string[]> {
  const audit = `${place.work}/audit.jsonl`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", ...flags, `${engineDir}/main.js`, "serve", "--engine", ...args],
    env: { DENO_AUDIT_PERMISSIONS: audit },
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  let isTold = false;
  const reader = (async () => {
    for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
      text += part;
      if (isTold || !text.includes("engine.started")) continue;
      isTold = true;
      child.kill("SIGTERM");
    }
  })();
  try {
    await within(reader, "the engine to start and stop", 60_000);
    assert.equal((await child.status).code, 0, text);
  } catch (thrown) {
    const isRunning = await Promise.race([child.status.then(() => false), true]);
    if (isRunning) child.kill("SIGKILL");
    throw thrown;
  }
  const checks = (await Deno.readTextFile(audit)).trim().split("\n").map((line) =>
    JSON.parse(line) as { permission: string; value: string | null }
  );
  return checks.filter(({ permission }) => permission === "read")
    .flatMap(({ value }) => value?.startsWith(`${engineDir}/`) ? [value] : [])
    .map((path) => path.slice(engineDir.length + 1));
}
