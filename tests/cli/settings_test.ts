import assert from "node:assert/strict";
import { catalogue } from "../../src/settings/mod.ts";
import { run, tempDir } from "./program.ts";

const FILE = `[api]
port = 9000
[delivery]
retry_backoff_seconds = 2.5
[retention]
audit_days = 30
`;

/** The exit code of a refusal, and its text wherever it was printed. */
async function refusalOf(args: readonly string[], cwd: string) {
  const { code, out, err } = await run(args, { cwd });
  return { code, out, text: err };
}

Deno.test("settings shows every value by section, with where it comes from", async () => {
  await using dir = await tempDir();
  await dir.write("messagefoundry.toml", FILE);
  const env = { MEFOR_STORE_PASSWORD: "hunter2", MEFOR_API_HOST: "localhost" };
  const { code, out, err } = await run(["settings", "--env", "prod"], { cwd: dir.path, env });
  assert.equal(code, 0, err);
  const lines = out.split("\n");
  assert.equal(lines[0], `settings file: ${dir.path}/messagefoundry.toml`);
  for (const { name } of catalogue) assert.ok(lines.includes(`[${name}]`), name);
  const line = (key: string) => lines.find((text) => text.startsWith(`  ${key} `)) ?? "";
  assert.match(line("host"), /^ {2}host +"localhost" +environment$/);
  assert.match(line("retry_backoff_seconds"), / 2\.5 +file$/);
  assert.match(line("environment"), / "prod" +flag$/);
  assert.match(line("data_class"), / "phi" +derived$/);
  assert.match(line("password"), / \*\*\* +environment$/);
  assert.match(line("encryption_key"), / unset +default/);
  assert.match(line("audit_days"), / 30 +file {2}not in effect yet$/);
  assert.match(err, /^warning: \[retention\] audit_days is accepted but not in effect/m);
  assert.ok(!(out + err).includes("hunter2"));
});

Deno.test("settings --json is one array with every key", async () => {
  await using dir = await tempDir();
  await dir.write("ops/engine.toml", FILE);
  const { code, out } = await run(
    ["settings", "--json", "--project-root", dir.path, "--service-config", "ops/engine.toml"],
    { env: { MEFOR_STORE_PASSWORD: "hunter2" } },
  );
  assert.equal(code, 0);
  assert.equal(out.trimEnd().split("\n").length, 1);
  const rows = JSON.parse(out) as Record<string, unknown>[];
  const names = catalogue.flatMap(({ name, keys }) =>
    Object.keys(keys).map((key) => `${name}.${key}`)
  );
  assert.deepEqual(rows.map(({ section, key }) => `${section}.${key}`), names);
  assert.deepEqual(rows.find(({ section, key }) => section === "api" && key === "port"), {
    section: "api",
    key: "port",
    value: 9000,
    default: 8765,
    source: "file",
    secret: false,
    in_effect: true,
  });
  assert.deepEqual(rows.find(({ key }) => key === "password")?.value, "***");
  assert.deepEqual(rows.find(({ key }) => key === "base_dir")?.value, dir.path);
  assert.ok(!out.includes("hunter2"));
});

// Goal: whoever looks reads what the engine would say, all of it at once.
Deno.test("settings refuses with the text and the exit code of serve", async () => {
  await using dir = await tempDir();
  await dir.write("messagefoundry.toml", "[api]\nport = 'x'\n[stroe]\n[store]\npassword = 'p9'\n");
  const serve = await refusalOf(["serve", "--engine", "--env", "dev"], dir.path);
  assert.match(serve.text, /messagefoundry\.toml:2: \[api\] port wants/);
  assert.match(serve.text, /messagefoundry\.toml:3: Unknown section \[stroe\]/);
  assert.match(serve.text, /messagefoundry\.toml:5: .*set MEFOR_STORE_PASSWORD/);
  for (const command of ["settings", "ai-policy"]) {
    assert.deepEqual(await refusalOf([command, "--env", "dev"], dir.path), serve);
    const json = await refusalOf([command, "--env", "dev", "--json"], dir.path);
    assert.deepEqual([json.code, json.text], [2, ""]);
    const { error } = JSON.parse(json.out);
    assert.ok(serve.text.startsWith(`error: ${error}\n`), error);
    assert.ok(!error.includes("p9"));
  }
});

Deno.test("settings refuses a file that is not there or cannot be read", async () => {
  await using dir = await tempDir();
  await dir.write("folder.toml/x", "");
  for (
    const [file, sentence] of [
      ["gone.toml", /: gone\.toml: Cannot read the settings file: no file "\/.*gone\.toml"/],
      ["folder.toml", /: folder\.toml: Cannot read the settings file: it /],
    ] as const
  ) {
    const { code, text, out } = await refusalOf(["settings", "--service-config", file], dir.path);
    assert.deepEqual([code, out], [2, ""]);
    assert.match(text, sentence);
  }
});

Deno.test("settings refuses where it may not read the variables", async () => {
  const { code, err } = await run(["settings"], { flags: ["--allow-read"] });
  assert.equal(code, 2);
  assert.match(err, /^error: Cannot read the MEFOR_\* variables/);
});

Deno.test("ai-policy prints what holds, for people and for editors", async () => {
  await using dir = await tempDir();
  await dir.write("messagefoundry.toml", '[ai]\nenvironment = "dev"\ndata_scope = "phi"\n');
  const json = await run(["ai-policy", "--json"], { cwd: dir.path });
  assert.equal(json.code, 0, json.err);
  const expected = {
    mode: "byo",
    data_scope: "synthetic",
    environment: "dev",
    data_class: "synthetic",
    production: false,
    assist_permitted: null,
    reason:
      'data_scope "phi" is lowered to "synthetic": an instance that is not production allows no more',
  };
  assert.equal(json.out, `${JSON.stringify(expected)}\n`);
  const text = await run(["ai-policy", "--env", "prod"], { cwd: dir.path });
  assert.equal(text.code, 0);
  assert.match(text.out, /^data_scope +code_only$/m);
  assert.match(text.out, /^assist_permitted +–$/m);
  assert.match(text.out, /^reason +data_scope "phi" is lowered to "code_only": production/m);
});
