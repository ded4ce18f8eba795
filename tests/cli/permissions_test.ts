/** Permission flags of these tests: net (loopback), read, write, run. */
import assert from "node:assert/strict";
import { freePort } from "../connectors/waiting.ts";
import { run, type TempDir, tempDir } from "./program.ts";

/** A bundle with a listener, a partner and a directory: every kind of grant there is. */
async function bundle(
  dir: TempDir,
  partnerPort: number,
): Promise<{ port: number; args: string[] }> {
  const port = await freePort();
  await dir.write(
    "graph/adt.ts",
    `import { file, handler, inbound, mllp, outbound, router, send } from "messagefoundry";
const partner = outbound("OB_PARTNER", mllp({ host: "127.0.0.1", port: ${partnerPort} }));
const copy = outbound("FILE-OUT_COPY", file({ directory: "${dir.path}/out", filename: "{MSH-10}.hl7" }));
const forward = handler("forward", (message) => [send(partner, message), send(copy, message)]);
const route = router("route", () => forward);
inbound("IB_ADT", mllp({ port: ${port} }), { router: route });
`,
  );
  await dir.write(
    "messagefoundry.toml",
    `[api]\nport = ${await freePort()}\n[egress]\nallowed_file_dirs = ["${dir.path}/out"]\n`,
  );
  return { port, args: ["--project-root", dir.path, "--db", `${dir.path}/mf.db`, "--env", "dev"] };
}

// Goal: whoever reads JSON gets JSON, also of what cannot be.
Deno.test("permissions tells its error as the result is asked for", async () => {
  const args = ["permissions", "--env", "dev", "--config", "/nowhere/at/all"];
  for (const json of [["--json"], ["--format", "json"], ["--tighten", "--json"]]) {
    const { code, out, err } = await run([...args, ...json]);
    assert.deepEqual([code, err], [2, ""]);
    assert.match(JSON.parse(out).error, /No directory "\/nowhere\/at\/all"/);
  }
  const { code, out, err } = await run(args);
  assert.deepEqual([code, out], [2, ""]);
  assert.match(err, /^error: .*No directory/);
});

Deno.test("permissions shows each grant with the setting behind it", async () => {
  await using dir = await tempDir();
  const { port, args } = await bundle(dir, 6661);
  const table = await run(["permissions", ...args]);
  assert.equal(table.code, 0, table.err);
  assert.match(
    table.out,
    new RegExp(`^--allow-net +127\\.0\\.0\\.1:${port} +inbound "IB_ADT"`, "m"),
  );
  assert.match(table.out, /^--allow-write +\S+\/mf\.db +\[store\] path$/m);
  assert.doesNotMatch(table.out, /--allow-(run|ffi|sys)/);
  const flags = await run(["permissions", ...args, "--format", "flags"]);
  assert.match(
    flags.out,
    /^--no-prompt --cached-only --frozen --v8-flags=\S+ --allow-net=\S+ .* --ignore-env\n$/,
  );
  const json = JSON.parse((await run(["permissions", ...args, "--format", "json"])).out);
  assert.equal(json.flags.join(" "), flags.out.trim());
  assert.deepEqual(Object.keys(json.grants[0]), ["kind", "action", "value", "reason"]);
  const refused = await run(["permissions", ...args, "--format", "yaml"]);
  assert.equal(refused.code, 2);
  assert.match(refused.err, /Unknown format "yaml"/);
});
