// Goal: connections.toml is edited as an editor asks, never into a bundle that would not load, and
// every other byte of it stays. Permission flags: read, write (temporary directories), run.
import assert from "node:assert/strict";
import { parse } from "@std/toml";
import fc from "fast-check";
import { connectionText } from "../../src/cli/connection_text.ts";
import { TomlBlocks } from "../../src/cli/toml_blocks.ts";
import { offlineFlags, run, type TempDir, tempDir } from "./program.ts";

const file = `# The hospital's connections.

# Admissions of Acme.
[[inbound]]
name = "IB_ACME_ADT" # as the contract says
transport = "mllp"
router = "route"

[inbound.settings]
port = { env = "acme_port", default = 2576 }

# To the lab.
[[outbound]]
name = "OB_LAB"
transport = "mllp"

[outbound.settings]
host = "127.0.0.1"
port = 6661

[outbound.retry]
max_attempts = 20
`;
const graph = `import { handler, inbound, mllp, router, send } from "messagefoundry";
const forward = handler("forward", (message) => send("OB_LAB", message));
const route = router("route", () => forward);
inbound("IB_CODE", mllp({ port: 2600 }), { router: route });
`;

async function bundle(text: string | null = file): Promise<TempDir> {
  const dir = await tempDir();
  await dir.write("graph/walk.ts", graph);
  if (text !== null) await dir.write("connections.toml", text);
  return dir;
}

async function connection(dir: TempDir, ...args: string[]) {
  const { code, out, err } = await run(
    ["connection", ...args, "--config", dir.path, "--project-root", dir.path, "--json"],
    { flags: [...offlineFlags, "--allow-write"] },
  );
  assert.equal(err, "");
  return { code, json: JSON.parse(out) };
}

function textOf(dir: TempDir): string {
  return Deno.readTextFileSync(`${dir.path}/connections.toml`);
}

const acme = {
  direction: "inbound",
  name: "IB_ACME_ADT",
  transport: "mllp",
  router: "route",
  settings: { port: { env: "acme_port", default: 2576 } },
};
const lab = {
  direction: "outbound",
  name: "OB_LAB",
  transport: "mllp",
  settings: { host: "127.0.0.1", port: 6661 },
  retry: { max_attempts: 20 },
};

Deno.test("connection lists, writes and removes, and keeps the rest of the file", async () => {
  await using dir = await bundle();
  assert.deepEqual(await connection(dir, "list"), { code: 0, json: [acme, lab] });

  const added = { ...acme, name: "IB_NEW", settings: { port: 2577 }, metadata: { owner: "it" } };
  assert.deepEqual(await connection(dir, "upsert", "--data", JSON.stringify(added)), {
    code: 0,
    json: { op: "upsert", direction: "inbound", name: "IB_NEW" },
  });
  assert.ok(textOf(dir).startsWith(file));
  assert.deepEqual((await connection(dir, "list")).json, [acme, added, lab]);

  const changed = { ...acme, ack_mode: "enhanced", strict: null };
  await connection(dir, "upsert", "--data", JSON.stringify(changed));
  const { strict: _, ...kept } = changed;
  assert.deepEqual((await connection(dir, "list")).json[0], kept);
  assert.match(textOf(dir), /^# The hospital's connections\.\n\n# Admissions of Acme\.\n\[\[inb/);
  assert.match(textOf(dir), /\nport = \{ env = "acme_port", default = 2576 \}\n\n# To the lab\./);

  assert.deepEqual(await connection(dir, "remove", "--name", "IB_NEW"), {
    code: 0,
    json: { op: "remove", name: "IB_NEW" },
  });
  assert.deepEqual((await connection(dir, "list")).json, [kept, lab]);
  await connection(dir, "remove", "--name", "IB_ACME_ADT");
  assert.equal(
    textOf(dir),
    file.replace(/# Admissions[\s\S]*?(?=# To the lab)/, ""),
  );
  const names = [...Deno.readDirSync(dir.path)].map(({ name }) => name).toSorted();
  assert.deepEqual(names, ["connections.toml", "graph"]);
});

// Goal: an editor that writes several at once finds all of them in the file.
Deno.test("connection upserts at once are all kept", async () => {
  await using dir = await bundle();
  const names = ["OB_A", "OB_B", "OB_C", "OB_D"];
  const written = await Promise.all(names.map((name) => {
    const settings = { host: "127.0.0.1", port: 6661 };
    const data = JSON.stringify({ direction: "outbound", name, transport: "mllp", settings });
    return run(["connection", "upsert", "--config", dir.path, "--data", data], {
      flags: [...offlineFlags, "--allow-write"],
    });
  }));
  assert.deepEqual(written.map(({ code }) => code), [0, 0, 0, 0], written[0]?.out);
  const text = await Deno.readTextFile(`${dir.path}/connections.toml`);
  for (const name of names) assert.ok(text.includes(`name = "${name}"`), name);
});

Deno.test("connection upsert makes the file when there is none", async () => {
  await using dir = await bundle(null);
  assert.deepEqual(await connection(dir, "list"), { code: 0, json: [] });
  const { code, json } = await connection(dir, "upsert", "--data", JSON.stringify(lab));
  assert.equal(code, 0, JSON.stringify(json));
  assert.deepEqual((await connection(dir, "list")).json, [lab]);
});

// Goal: what would not load is refused before a byte is written.
Deno.test("connection list tells a bundle without the file from none", async () => {
  await using dir = await bundle(null);
  const list = async (path: string) => {
    const { code, out } = await run(["connection", "list", "--config", path, "--json"]);
    return { code, json: JSON.parse(out) };
  };
  assert.deepEqual(await list(dir.path), { code: 0, json: [] });
  const error = `There is no bundle "${dir.path}/typo"`;
  assert.deepEqual(await list(`${dir.path}/typo`), { code: 1, json: { error } });
});

Deno.test("connection refuses what a load would refuse, and leaves the file as it was", async () => {
  await using dir = await bundle();
  const upsert = (change: object) => ["upsert", "--data", JSON.stringify({ ...acme, ...change })];
  const refused: readonly (readonly [string[], RegExp])[] = [
    [upsert({ router: "none" }), /router "none" is not defined/],
    [upsert({ transport: "mlpl" }), /transport "mlpl" is unknown; is "mllp" meant\?/],
    [upsert({ settings: { prot: 1 } }), /"prot"/],
    [upsert({ name: "IB_CODE" }), /IB_CODE/],
    [upsert({ name: "OB_LAB" }), /"OB_LAB" is an outbound connection/],
    [upsert({ name: 1 }), /needs a "name"/],
    [upsert({ direction: "both" }), /needs a "direction"/],
    [["upsert", "--data", "[]"], /no JSON object/],
    [["upsert", "--data", "{"], /no JSON/],
    [["remove", "--name", "IB_CODE"], /declares no connection "IB_CODE"/],
    [["remove"], /Which connection\?/],
  ];
  for (const [args, message] of refused) {
    const { code, json } = await connection(dir, ...args);
    assert.deepEqual([code, Object.keys(json)], [1, ["error"]], args.join(" "));
    assert.match(json.error, message);
    assert.equal(textOf(dir), file);
  }
});

// Goal: with an environment, what only this instance refuses is refused too.
Deno.test("connection upsert asks the egress list and the values of the environment", async () => {
  await using dir = await bundle();
  await dir.write(
    "messagefoundry.toml",
    '[ai]\nenvironment = "dev"\n[egress]\nallowed_mllp = ["127.0.0.1:6661"]\n',
  );
  await dir.write("environments/dev.toml", 'lab_host = "127.0.0.1"\n');
  const to = (host: unknown) => {
    const settings = { host, port: 6661 };
    return connection(dir, "upsert", "--data", JSON.stringify({ ...lab, settings }));
  };
  const allowed = await to({ env: "lab_host" });
  assert.equal(allowed.code, 0, JSON.stringify(allowed.json));
  const text = textOf(dir);
  assert.match((await to("192.0.2.7")).json.error, /192\.0\.2\.7|egress/);
  assert.match((await to({ env: "no_such_key" })).json.error, /no_such_key/);
  assert.equal(textOf(dir), text);
});

Deno.test("connection does not guess at a file that is written in a way of its own", async () => {
  await using dir = await bundle(
    'inbound = [{ name = "IB_X", transport = "mllp", router = "route", settings = { port = 1 } }]\n' +
      '[[outbound]]\nname = "OB_LAB"\ntransport = "mllp"\nsettings = { host = "127.0.0.1", port = 2 }\n',
  );
  const { code, json } = await connection(dir, "remove", "--name", "IB_X");
  assert.deepEqual([code, /way of its own/.test(json.error)], [1, true]);
});

const scalar = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.integer(),
  fc.boolean(),
  fc.array(fc.string({ maxLength: 6 }), { maxLength: 3 }),
);
const table = fc.dictionary(
  fc.string({ minLength: 1, maxLength: 6 }),
  fc.oneof(scalar, fc.record({ env: fc.string({ maxLength: 6 }) })),
  { maxKeys: 4 },
);
const entry = fc.record({
  name: fc.string({ minLength: 1, maxLength: 8 }),
  transport: fc.string({ maxLength: 6 }),
  settings: table,
  retry: table,
  "odd key": scalar,
}, { requiredKeys: ["name"] });

Deno.test("connectionText() is read back as what it was made of", () => {
  fc.assert(fc.property(entry, (connection) => {
    const read = parse(connectionText("inbound", connection)) as { inbound: unknown[] };
    assert.deepEqual(plain(read.inbound), [plain(connection)]);
  }));
});

// Goal: entries written, replaced and removed in any order leave what a list of them would.
Deno.test("TomlBlocks edits one entry and no other", () => {
  const act = fc.record({ at: fc.nat(9), entry, kind: fc.constantFrom("add", "put", "take") });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 12 }), fc.boolean(), (acts, isWindows) => {
      const end = isWindows ? "\r\n" : "\n";
      let text = `# kept${end}[other]${end}key = 1 # too${end}`;
      const wanted: unknown[] = [];
      for (const { at, entry, kind } of acts) {
        const blocks = new TomlBlocks(text, "inbound");
        assert.equal(blocks.count, wanted.length);
        const index = at % Math.max(1, wanted.length);
        const block = connectionText("inbound", entry);
        if (kind === "add" || wanted.length === 0) {
          text = blocks.with(block);
          wanted.push(entry);
        } else if (kind === "put") {
          text = blocks.replacing(index, block);
          wanted[index] = entry;
        } else {
          text = blocks.without(index);
          wanted.splice(index, 1);
        }
        const { inbound = [], other } = parse(text) as { inbound?: unknown[]; other: object };
        assert.deepEqual(plain(inbound), plain(wanted));
        assert.deepEqual(plain(other), { key: 1 });
        assert.ok(text.startsWith(`# kept${end}[other]${end}key = 1 # too${end}`));
      }
    }),
  );
});

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
