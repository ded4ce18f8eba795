// Goal: the rules of the settings file are edited as an editor asks, and never into a file that the
// engine would refuse. Permission flags: read, write (temporary directories), run.
import assert from "node:assert/strict";
import { offlineFlags, run, type TempDir, tempDir } from "./program.ts";

const text = `# kept
[alerts]
webhook_url = "https://hooks.example.com/x"

[[alerts.rules]]
event_type = "queue_buildup" # kept too
min_depth = 1000
severity = "critical"
`;

async function alert(dir: TempDir, ...args: string[]) {
  const { code, out, err } = await run(
    ["alert", ...args, "--project-root", dir.path, "--json"],
    { flags: [...offlineFlags, "--allow-write"] },
  );
  assert.equal(err, "");
  return { code, json: JSON.parse(out) };
}

const first = {
  index: 0,
  event_type: "queue_buildup",
  connection: "*",
  min_depth: 1000,
  min_oldest_seconds: null,
  severity: "critical",
  transports: null,
  cooldown_seconds: null,
};

Deno.test("alert lists, adds and removes rules, and keeps the rest of the file", async () => {
  await using dir = await tempDir();
  await dir.write("messagefoundry.toml", text);
  const path = `${dir.path}/messagefoundry.toml`;
  await Deno.chmod(path, 0o640);
  assert.deepEqual(await alert(dir, "list"), { code: 0, json: [first] });
  const rule = { connection: "OB_LOADTEST", transports: [], cooldown_seconds: 60, severity: null };
  const added = await alert(dir, "add", "--data", JSON.stringify(rule));
  assert.deepEqual(added, { code: 0, json: { op: "add", index: 1 } });
  const { json: [, second] } = await alert(dir, "list");
  assert.deepEqual(second, {
    ...first,
    index: 1,
    event_type: "any",
    connection: "OB_LOADTEST",
    min_depth: null,
    severity: "warning",
    transports: [],
    cooldown_seconds: 60,
  });
  assert.ok((await Deno.readTextFile(path)).startsWith(text));
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o640);
  assert.deepEqual(await alert(dir, "remove", "--index", "1"), {
    code: 0,
    json: { op: "remove", index: 1 },
  });
  assert.equal(await Deno.readTextFile(path), text);
  await alert(dir, "remove", "--index", "0");
  assert.deepEqual(await alert(dir, "list"), { code: 0, json: [] });
  assert.deepEqual([...Deno.readDirSync(dir.path)].map(({ name }) => name), [
    "messagefoundry.toml",
  ]);
});

Deno.test("alert rules that are added at once are all kept", async () => {
  await using dir = await tempDir();
  await dir.write("messagefoundry.toml", text);
  const connections = ["IB_A", "IB_B", "IB_C", "IB_D"];
  const added = await Promise.all(connections.map((connection) => {
    const rule = { event_type: "any", connection, transports: [] };
    return alert(dir, "add", "--data", JSON.stringify(rule));
  }));
  assert.deepEqual(added.map(({ code, json }) => [code, json.index]).sort(), [[0, 1], [0, 2], [
    0,
    3,
  ], [0, 4]]);
  const rules = (await alert(dir, "list")).json as { connection: string }[];
  assert.deepEqual(rules.map(({ connection }) => connection).sort(), ["*", ...connections]);
});

Deno.test("alert add makes the file when there is none", async () => {
  await using dir = await tempDir();
  assert.deepEqual(await alert(dir, "list"), { code: 0, json: [] });
  assert.equal((await alert(dir, "add", "--data", '{"severity":"info"}')).code, 0);
  assert.equal((await alert(dir, "list")).json[0].severity, "info");
});

Deno.test("alert refuses what the engine would refuse, and leaves the file as it was", async () => {
  await using dir = await tempDir();
  await dir.write("messagefoundry.toml", text);
  const refused: readonly (readonly [string[], RegExp])[] = [
    [["add", "--data", '{"index":0,"severity":"info"}'], /takes no "index"/],
    [["add", "--data", '{"severity":"loud"}'], /severity/],
    [["add", "--data", '{"event_type":"fire"}'], /event_type/],
    [["add", "--data", '{"colour":"red"}'], /Unknown key "colour"/],
    [["add", "--data", '{"transports":["email"]}'], /needs email_smtp_host/],
    [["add", "--data", '{"transports":[1]}'], /Cannot read "transports"/],
    [["add", "--data", "[]"], /no JSON object/],
    [["add", "--data", "{"], /no JSON/],
    [["add"], /no JSON/],
    [["remove"], /Name it with --index/],
    [["remove", "--index", "1"], /no rule "1"/],
    [["remove", "--index", "-1"], /no rule "-1"/],
    [["remove", "--index", "0x0"], /no rule "0x0"/],
  ];
  for (const [args, message] of refused) {
    const { code, json } = await alert(dir, ...args);
    assert.equal(code, 1, args.join(" "));
    assert.match(json.error, message);
    assert.equal(await Deno.readTextFile(`${dir.path}/messagefoundry.toml`), text);
  }
  for (const act of ["edit", "toString"]) {
    const { code, err } = await run(["alert", act, "--project-root", dir.path]);
    assert.equal(code, 2);
    assert.match(err, new RegExp(`No act "${act}"[^]*list, add, remove`));
  }
  const inline = '[alerts]\nrules = [{ severity = "info" }]\n';
  await dir.write("messagefoundry.toml", inline);
  for (const args of [["add", "--data", "{}"], ["remove", "--index", "0"]]) {
    const { code, json } = await alert(dir, ...args);
    assert.equal(code, 1);
    assert.match(json.error, /not written as tables/);
    assert.equal(await Deno.readTextFile(`${dir.path}/messagefoundry.toml`), inline);
  }
});
