// Goal: code sets are edited as an editor asks, never into a bundle that would not load, and read back
// cell by cell. Permission flags: read, write (temporary directories), run.
import assert from "node:assert/strict";
import fc from "fast-check";
import { csvText, isStem, tableProblem } from "../../src/cli/codeset_text.ts";
import { loadCodeSets } from "../../src/graph/mod.ts";
import { offlineFlags, run, type TempDir, tempDir } from "./program.ts";

const graph =
  `import { codeSet, handler, inbound, mllp, outbound, router, send } from "messagefoundry";
const events = codeSet("events");
const out = outbound("OB_X", mllp({ host: "127.0.0.1", port: 6661 }));
const forward = handler("forward", (message) => events.has("A01") ? send(out, message) : null);
inbound("IB_X", mllp({ port: 2600 }), { router: router("route", () => forward) });
`;
const eventsText = "event,action\nA01,admit\nA03,discharge\n";

async function bundle(): Promise<TempDir> {
  const dir = await tempDir();
  await dir.write("graph/walk.ts", graph);
  await dir.write("codesets/events.csv", eventsText);
  await dir.write("codesets/wards.toml", 'M1 = "Medicine"\n');
  await dir.write("codesets/rates.toml", "[a]\nlow = 1\n[b]\nlow = 2\nhigh = true\n");
  return dir;
}

async function codeset(dir: TempDir, ...args: string[]) {
  const { code, out, err } = await run(
    ["codeset", ...args, "--config", dir.path, "--project-root", dir.path, "--json"],
    { flags: [...offlineFlags, "--allow-write"] },
  );
  assert.equal(err, "");
  return { code, json: JSON.parse(out) };
}

function filesOf(dir: TempDir): Readonly<Record<string, string>> {
  const names = [...Deno.readDirSync(`${dir.path}/codesets`)].map(({ name }) => name).toSorted();
  return Object.fromEntries(
    names.map((name) => [name, Deno.readTextFileSync(`${dir.path}/codesets/${name}`)]),
  );
}

// Goal: a file that cannot be read is not passed over as if it were not there.
Deno.test("codeset names the file it cannot read, and may write it anew", async () => {
  await using dir = await bundle();
  await Deno.writeFile(`${dir.path}/codesets/events.csv`, new Uint8Array([0xff, 0x2c, 0xff]));
  for (const act of [["list"], ["show", "--name", "events"], ["remove", "--name", "wards"]]) {
    const { code, json } = await codeset(dir, ...act);
    assert.equal(code, 1);
    assert.match(json.error, /codesets\/events\.csv: The file is not UTF-8 text$/);
  }
  const table = { name: "events", columns: ["event", "action"], rows: [["A01", "admit"]] };
  const written = await codeset(dir, "upsert", "--data", JSON.stringify(table));
  assert.deepEqual(written, {
    code: 0,
    json: { op: "upsert", name: "events", format: "csv", entries: 1 },
  });
});

Deno.test("codeset lists, shows, writes, renames and removes", async () => {
  await using dir = await bundle();
  assert.deepEqual((await codeset(dir, "list")).json, [
    {
      ...{ name: "events", format: "csv", key: "event", columns: ["event", "action"] },
      ...{ value_columns: ["action"], shape: "scalar", entries: 2 },
    },
    {
      ...{ name: "rates", format: "toml", key: "key", columns: ["key", "low", "high"] },
      ...{ value_columns: ["low", "high"], shape: "dict", entries: 2 },
    },
    {
      ...{ name: "wards", format: "toml", key: "key", columns: ["key", "value"] },
      ...{ value_columns: ["value"], shape: "scalar", entries: 1 },
    },
  ]);
  assert.deepEqual((await codeset(dir, "show", "--name", "rates")).json.rows, [
    ["a", "1", ""],
    ["b", "2", "true"],
  ]);

  const table = {
    name: "order controls",
    columns: ["control", "action", " priority "],
    rows: [["NW", 'say "new", then', "R"], ["", " "], ["CA"], ["L\nF", " x "]],
  };
  assert.deepEqual(await codeset(dir, "upsert", "--data", JSON.stringify(table)), {
    code: 0,
    json: { op: "upsert", name: "order controls", format: "csv", entries: 3 },
  });
  assert.deepEqual((await codeset(dir, "show", "--name", "order controls")).json, {
    name: "order controls",
    format: "csv",
    columns: ["control", "action", "priority"],
    value_columns: ["action", "priority"],
    shape: "dict",
    entries: 3,
    rows: [["NW", 'say "new", then', "R"], ["CA", "", ""], ["L\nF", " x ", ""]],
  });
  assert.deepEqual(
    (await codeset(dir, "rename", "--name", "wards", "--to", "units")).json,
    { op: "rename", name: "wards", to: "units" },
  );
  assert.deepEqual((await codeset(dir, "remove", "--name", "order controls")).json, {
    op: "remove",
    name: "order controls",
  });
  assert.deepEqual(Object.keys(filesOf(dir)), ["events.csv", "rates.toml", "units.toml"]);
});

Deno.test("codeset refuses what a load would refuse, and leaves every file as it was", async () => {
  await using dir = await bundle();
  const before = filesOf(dir);
  const upsert = (change: object) => [
    "upsert",
    "--data",
    JSON.stringify({ name: "new", columns: ["k", "v"], rows: [["a", "b"]], ...change }),
  ];
  const refused: readonly (readonly [string[], RegExp])[] = [
    // The graph asks for it.
    [["remove", "--name", "events"], /events/],
    [["rename", "--name", "events", "--to", "other"], /events/],
    [["rename", "--name", "wards", "--to", "events"], /a code set "events" already/],
    [["rename", "--name", "wards", "--to", "../wards"], /--to must be the name of a file/],
    [["show", "--name", "none"], /There is no code set "none"/],
    [["show"], /Which code set\?/],
    [upsert({ name: "wards" }), /stands in codesets\/wards\.toml/],
    [upsert({ name: "a/b" }), /"name" must be the name of a file/],
    [upsert({ name: "a.csv" }), /must be the name of a file/],
    [upsert({ name: ".." }), /must be the name of a file/],
    [upsert({ format: "toml" }), /Only CSV is written/],
    [upsert({ columns: ["k"] }), /at least one value column/],
    [upsert({ columns: ["k", "k"] }), /its own name/],
    [upsert({ columns: "k" }), /must be a list of texts/],
    [upsert({ rows: [["a", "b", "c"]] }), /row 1 is longer than the header/],
    [upsert({ rows: [["a", "b"], ["", "c"]] }), /row 2 has no key/],
    [upsert({ rows: [["a", "b"], ["a", "c"]] }), /the key of row 2 stands/],
    [upsert({ rows: [["a", 1]] }), /lists of texts/],
  ];
  for (const [args, message] of refused) {
    const { code, json } = await codeset(dir, ...args);
    assert.deepEqual([code, Object.keys(json)], [1, ["error"]], args.join(" "));
    assert.match(json.error, message);
    assert.deepEqual(filesOf(dir), before);
  }
});

Deno.test("csvText() is read back cell by cell", () => {
  const cell = fc.string({ maxLength: 8, unit: "grapheme" }).map((text) => text.replace(/\0/g, ""));
  const table = fc.tuple(
    fc.uniqueArray(cell.map((text) => text.trim()).filter((text) => text !== ""), {
      minLength: 2,
      maxLength: 4,
    }),
    fc.uniqueArray(fc.array(cell, { minLength: 4, maxLength: 4 }), { selector: ([key]) => key }),
  );
  fc.assert(fc.property(table, ([columns, given]) => {
    const rows = given.map((row) => row.slice(0, columns.length));
    fc.pre(tableProblem(columns, rows) === undefined);
    const text = csvText(columns, rows);
    const bytes = new TextEncoder().encode(text);
    const { codeSets: [read], problems } = loadCodeSets([{ path: "codesets/x.csv", text, bytes }]);
    assert.deepEqual(problems, []);
    assert.deepEqual(read!.columns, columns);
    assert.deepEqual(
      read!.entries.map(([key, value]) => [
        key,
        ...(columns.length === 2
          ? [value]
          : columns.slice(1).map((column) => (value as Record<string, unknown>)[column])),
      ]),
      rows,
    );
  }));
});

Deno.test("isStem() takes bare names only", () => {
  for (const name of ["wards", "adt_events", "Größen 2", "a-b", "_x"]) {
    assert.ok(isStem(name), name);
  }
  const bad = [
    "",
    ".",
    "..",
    "a.csv",
    "a/b",
    "a\\b",
    "C:x",
    " a",
    "a ",
    "-a",
    "a\nb",
    "a\0",
    "x".repeat(129),
  ];
  for (const name of bad) assert.ok(!isStem(name), JSON.stringify(name));
});
