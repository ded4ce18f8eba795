// Goal: a bundle can be loaded anew over the API, from the allowed directories only, with the
// statuses and the audit rows of spec api §6; no answer names a path or a reason.
import assert from "node:assert/strict";
import fc from "fast-check";
import { openBundle } from "../graph/bench.ts";
import { ApiBench } from "./bench.ts";

const module = "graph/walk.ts";

function audited({ walk }: ApiBench, action: string): Readonly<Record<string, unknown>> {
  return walk.auditLines(action).at(-1)?.detail ?? {};
}

async function edit(bench: ApiBench, change: (text: string) => string): Promise<void> {
  const { bundle, dir } = bench.walk;
  await bundle.write(module, change(await Deno.readTextFile(`${dir}/${module}`)));
}

Deno.test("POST /config/reload runs what lies on the disk now, and says how much it is", async () => {
  await using bench = await ApiBench.open();
  await edit(bench, (text) => text.replace('outbound("OB_IDLE"', 'outbound("OB_OTHER"'));
  const dry = await bench.post("/config/reload", { dry_run: true });
  assert.deepEqual([dry.status, dry.json], [200, {
    inbound: 1,
    outbound: 3,
    routers: 1,
    handlers: 4,
    running: true,
    dry_run: true,
  }]);
  const isThere = async (name: string) =>
    (await bench.request(`/connections/${name}/metadata`)).status === 200;
  assert.deepEqual([await isThere("OB_IDLE"), await isThere("OB_OTHER")], [true, false]);
  const { fingerprint, files } = audited(bench, "config_reload_check");
  assert.match(String(fingerprint), /^[0-9a-f]{64}$/);
  assert.ok(Number(files) > 0);

  const applied = await bench.post("/config/reload", {});
  assert.deepEqual([applied.status, applied.json.dry_run], [200, false]);
  assert.deepEqual([await isThere("OB_IDLE"), await isThere("OB_OTHER")], [false, true]);
  const { dir, inbound, outbound, dry_run } = audited(bench, "config_reload");
  assert.deepEqual([typeof dir, inbound, outbound, dry_run], ["string", 1, 3, false]);
  await bench.send("L1");
  await bench.walk.disposition("L1", "processed");
});

Deno.test("a bundle that cannot be used is refused without a word about it", async () => {
  await using bench = await ApiBench.open();
  await edit(bench, (text) => `${text}\nthrow new Error("secret of ${bench.walk.dir}");`);
  const { status, json } = await bench.post("/config/reload", {});
  assert.deepEqual([status, json], [422, { detail: "invalid" }]);
  assert.deepEqual(audited(bench, "config_reload_failed"), {
    requested: null,
    dry_run: false,
    reason: "invalid_config",
  });
  assert.match(await bench.walk.logged("config.reload_failed"), /walk\.ts/);
  await bench.send("L1");
  await bench.walk.disposition("L1", "processed");
});

// Goal: of a module that cannot be read the log names the file, and the bundle counts as another one.
Deno.test("a module that cannot be read is named in the log, and is a drift", async () => {
  await using bench = await ApiBench.open();
  const { dir } = bench.walk;
  await Deno.remove(`${dir}/${module}`);
  await Deno.symlink("walk.ts", `${dir}/${module}`);
  assert.equal((await bench.get("/config/provenance")).drift as unknown, true);
  const { status, json } = await bench.post("/config/reload", {});
  assert.deepEqual([status, json], [422, { detail: "invalid" }]);
  assert.match(await bench.walk.logged("config.reload_failed"), /walk\.ts: Cannot read it: ELOOP/);
  await bench.send("L1");
  await bench.walk.disposition("L1", "processed");
});

Deno.test("a reload may load from the configured roots, and from nowhere else", async () => {
  await using staging = await openBundle({});
  await using elsewhere = await openBundle({});
  await using bench = await ApiBench.open({
    settings: `[api]\nconfig_reload_roots = ["${staging.dir}"]\n`,
  });
  const text = await Deno.readTextFile(`${bench.walk.dir}/${module}`);
  for (const bundle of [staging, elsewhere]) await bundle.write(`next/${module}`, text);
  await Deno.chmod(`${staging.dir}/next`, 0o755);
  await Deno.chmod(`${staging.dir}/next/graph`, 0o755);
  await Deno.symlink(`${elsewhere.dir}/next`, `${staging.dir}/link`);

  const ask = (config_dir: string | null, dry_run = false) =>
    bench.post("/config/reload", { config_dir, dry_run });
  assert.equal((await ask(null)).status, 200);
  assert.equal((await ask(bench.walk.dir, true)).status, 200);
  assert.equal((await ask(`${staging.dir}/next`)).status, 200);
  assert.equal(bench.walk.engine.graph.bundleDir, `${staging.dir}/next`);
  assert.equal((await bench.get("/config/provenance")).drift as unknown, false);
  // Without a name it is the bundle of the start again.
  assert.equal((await ask(null)).status, 200);
  assert.equal(bench.walk.engine.graph.bundleDir, bench.walk.dir);

  for (
    const outside of [
      `${elsewhere.dir}/next`,
      `${staging.dir}/link`,
      `${staging.dir}/../${elsewhere.dir.split("/").at(-1)}/next`,
      "/",
      "/etc",
      `${staging.dir}-not`,
      "/no/such/directory",
      "",
      "a\0b",
    ]
  ) {
    const { status, json } = await ask(outside, outside.length % 2 === 0);
    assert.deepEqual([status, json], [403, { detail: "root not allowed" }], outside);
    assert.equal(audited(bench, "config_reload_denied").requested, outside);
  }
  const missing = await ask(`${staging.dir}/missing`);
  assert.deepEqual([missing.status, missing.json], [404, { detail: "not found" }]);
  assert.equal(audited(bench, "config_reload_failed").reason, "not_found");
});

Deno.test("GET /config/provenance says which bundle runs and whether the disk has another", async () => {
  await using bench = await ApiBench.open();
  const { dir, bundle } = bench.walk;
  const head = "0123456789abcdef0123456789abcdef01234567";
  const first = await bench.get("/config/provenance");
  assert.deepEqual(first, {
    loaded: true,
    fingerprint: bench.walk.engine.graph.fingerprint,
    git_head: null,
    files: bench.walk.engine.graph.files,
    drift: false,
  });
  await edit(bench, (text) => `${text}\n// another`);
  assert.equal((await bench.get("/config/provenance")).drift as unknown, true);
  await bundle.write(".git/HEAD", "ref: refs/heads/main\n");
  await bundle.write(".git/refs/heads/main", `${head}\n`);
  await bench.post("/config/reload", {});
  const second = await bench.get("/config/provenance");
  assert.deepEqual([second.git_head, second.drift], [head, false] as unknown);
  assert.notEqual(second.fingerprint, first.fingerprint);
  assert.equal(audited(bench, "config_reload").git_head, head);
  await Deno.chmod(`${dir}/graph`, 0o000);
  // Whoever may read everything sees no difference.
  assert.equal((await bench.request("/config/provenance")).status, 200);
  await Deno.chmod(`${dir}/graph`, 0o755);
});

Deno.test("a body that is none, or no reload, is refused with what is wrong", async () => {
  await using bench = await ApiBench.open();
  const refused = async (body: unknown, loc: readonly string[]) => {
    const { status, json } = await bench.post("/config/reload", body);
    assert.equal(status, 422);
    assert.deepEqual(json.detail?.[0]?.loc as unknown, loc);
  };
  await refused(undefined, ["body"]);
  await refused({ config_dir: 7 }, ["body", "config_dir"]);
  await refused({ config_dir: "x".repeat(4097) }, ["body", "config_dir"]);
  await refused({ dry_run: "yes" }, ["body", "dry_run"]);
  assert.equal((await bench.request("/config/reload")).status, 405);
  await fc.assert(
    fc.asyncProperty(fc.string(), async (dir) => {
      const { status } = await bench.post("/config/reload", { config_dir: dir, dry_run: true });
      // Relative to where the engine runs, any text may name a directory; none of these is a root.
      assert.ok(status === 403 || status === 404, `${status} for ${JSON.stringify(dir)}`);
    }),
    { numRuns: 60 },
  );
});
