/** Permission flags of these tests: net (loopback), read, write, run. */
import assert from "node:assert/strict";
import { MllpSender } from "../connectors/mllp_sender.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, until } from "../connectors/waiting.ts";
import { generateMessages } from "../../src/synthetic/mod.ts";
import type { Grant } from "../../src/cli/serve/permission_set.ts";
import { run, Served, type TempDir, tempDir } from "./program.ts";

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

// Goal: what is derived is what is used. Method: the runtime's own log of every check it makes.
Deno.test("the engine asks for nothing that was not derived for it", async () => {
  await using dir = await tempDir();
  await using partner = await ScriptedPartner.start();
  const { port, args } = await bundle(dir, partner.port);
  const derived = JSON.parse((await run(["permissions", ...args, "--format", "json"])).out);
  const audit = `${dir.path}/audit.jsonl`;
  {
    const env = { DENO_AUDIT_PERMISSIONS: audit };
    await using served = new Served(["--engine", ...args], { flags: derived.flags, env });
    await served.line(/engine\.started/);
    const [message] = generateMessages({ type: "ADT", triggers: ["A01"], count: 1, seed: "audit" });
    using sender = await MllpSender.connect(port);
    sender.send(message?.text ?? "");
    await sender.waitForReplies(1);
    await partner.waitForFrames(1);
    await until(() => hasFile(`${dir.path}/out`), "the copy");
    assert.equal(await served.stop(), 0);
  }
  const checks = (await Deno.readTextFile(audit)).trim().split("\n").map((line) =>
    JSON.parse(line)
  );
  assert.ok(checks.length > 20, "the runtime logged nothing");
  const kinds = new Set(checks.map(({ permission }) => permission));
  assert.deepEqual([...kinds].sort(), ["env", "net", "read", "write"]);
  for (const { permission, value } of checks) {
    // Listing the variables names none; the flags hide all but ours.
    if (permission === "env" && value === null) continue;
    const isGranted = derived.grants.some((grant: Grant) => covers(grant, permission, value));
    assert.ok(isGranted, `${permission} "${value}" was asked for and not derived`);
  }
});

function covers({ kind, action, value }: Grant, permission: string, asked: string): boolean {
  if (kind !== permission || action !== "allow") return false;
  if (kind === "env") return asked.startsWith("MEFOR_");
  return asked === value || kind !== "net" && asked.startsWith(`${value}/`);
}

function hasFile(dir: string): boolean {
  try {
    return [...Deno.readDirSync(dir)].some(({ name }) => name.endsWith(".hl7"));
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}
