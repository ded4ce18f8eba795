import assert from "node:assert/strict";
import fc from "fast-check";
import { readReference } from "../../src/graph/mod.ts";
import { resolveReferences } from "../../src/graph/references.ts";
import { loadSettings } from "../../src/settings/mod.ts";

const utf8 = (text: string) => new TextEncoder().encode(text);
const read = (text: string, format: "csv" | "toml" | "json") =>
  readReference(utf8(text), { format, encoding: "utf-8" });

Deno.test("readReference() reads rows of each format", () => {
  assert.deepEqual(read("\ufeffid,npi\nP1,1\n\nP2,\n", "csv"), [["P1", "1"], ["P2", ""]]);
  assert.deepEqual(read("id,name,floor\nW1,North,3\n", "csv"), [
    ["W1", { name: "North", floor: "3" }],
  ]);
  assert.deepEqual(read('a = 1\n[b]\nc = "d"\n', "toml"), [["a", 1], ["b", { c: "d" }]]);
  assert.deepEqual(read('{"a":true,"b":{"c":"d"}}', "json"), [["a", true], ["b", { c: "d" }]]);
  assert.deepEqual(read("id,npi\n", "csv"), [], "a set without rows is a set");
  const latin1 = Uint8Array.from([...utf8("id,name\nM,"), 0xfc, 0x0a]);
  const encoded = readReference(latin1, { format: "csv", encoding: "iso-8859-1" });
  assert.deepEqual(encoded, [["M", "ü"]]);
});

Deno.test("readReference() gives all rows or none, and quotes nothing", () => {
  const cases: readonly (readonly [() => unknown, RegExp])[] = [
    [() => read("id,npi\nSECRET,1\nSECRET,2\n", "csv"), /line 3: the key stands in an earlier row/],
    [() => read("id,npi\nSECRET,1,2\n", "csv"), /line 2: the row is longer than the header/],
    [() => read("SECRET\n", "csv"), /the header needs a key column/],
    [() => read('id,npi\n"SECRET', "csv"), /the file is not CSV/],
    [() => read("SECRET =", "toml"), /the file is not TOML/],
    [() => read("{SECRET", "json"), /the file is not JSON/],
    [() => read('["SECRET"]', "json"), /must hold an object, key to value/],
    [() => read('{"a":["SECRET"]}', "json"), /an entry is a text, a number, true, false/],
    [
      () => readReference(Uint8Array.of(0xff), { format: "csv", encoding: "utf-8" }),
      /it is not text in "utf-8"/,
    ],
  ];
  for (const [act, message] of cases) {
    assert.throws(act, (thrown: Error & { code?: string }) => {
      assert.equal(thrown.code, "graph.reference_unreadable");
      assert.match(thrown.message, message);
      assert.doesNotMatch(thrown.message, /SECRET/);
      return true;
    });
  }
});

Deno.test("readReference() gives back every table that was written as JSON", () => {
  const cell = fc.oneof(fc.string({ unit: "binary" }), fc.integer(), fc.boolean());
  const key = fc.string({ unit: "grapheme", minLength: 1 }).filter((name) => name !== "__proto__");
  const value = fc.oneof(cell, fc.dictionary(key, cell, { noNullPrototype: true }));
  fc.assert(
    fc.property(fc.dictionary(key, value, { noNullPrototype: true }), (table) => {
      assert.deepEqual(Object.fromEntries(read(JSON.stringify(table), "json")), table);
    }),
  );
});

Deno.test("resolveReferences() tells every fault with its place", () => {
  const { settings } = loadSettings({ env: {} });
  const position = { file: "graph/a.ts", line: 3 };
  const source = (path: unknown, encoding: unknown = "utf-8") => ({ kind: "file", path, encoding });
  const declared = [
    { name: "sound", source: source({ env: "dir" }), refreshSeconds: 2, position },
    { name: "plain", source: source("/data/x.JSON"), position },
    { name: "none", source: source({ env: "none" }), position },
    { name: "blank", source: source({ env: "blank" }), position },
    { name: "xls", source: source("/data/x.xls"), position },
    { name: "charset", source: source("/data/x.csv", "klingon"), position },
  ];
  const values = new Map([["dir", "/data/x.csv"], ["blank", " "]]);
  const environment = { file: undefined, fileExists: false, values };
  const { references, problems } = resolveReferences(declared, {
    settings: settings.reference,
    environment,
  });
  assert.deepEqual(
    [...references.values()].map((one) => [
      ...[one.name, one.kind === "file" && one.path, one.kind === "file" && one.format],
      one.refreshMs,
    ]),
    [
      ["sound", "/data/x.csv", "csv", 2_000],
      ["plain", "/data/x.JSON", "json", 3_600_000],
    ],
  );
  assert.deepEqual(problems.map(({ message }) => message), [
    'Reference "none": setting "path": environment value "none" has no value in this environment',
    'Reference "blank": setting "path": environment value "blank" is blank',
    'Reference "xls": setting "path" must name a .csv, .toml or .json file',
    'Reference "charset": setting "encoding" is not a character set this engine reads',
  ]);
  assert.ok(problems.every(({ file, line }) => file === "graph/a.ts" && line === 3));
});

Deno.test("resolveReferences() makes databases of their settings, and tells every fault", () => {
  const { settings } = loadSettings({ env: {} });
  const position = { file: "graph/a.ts", line: 3 };
  const source = (parts: Record<string, unknown> = {}) => ({
    kind: "database",
    dialect: "postgres",
    server: { env: "host" },
    database: "mdm",
    username: { env: "user" },
    password: { env: "word" },
    statement: "TABLE plans",
    key_column: "plan",
    ...parts,
  });
  const declared = [
    { name: "sound", source: source({ port: { env: "port" }, tls_ca_file: "/ca.pem" }), position },
    {
      name: "usual",
      source: source({ dialect: { env: "dialect" }, statement: "SELECT plan FROM plans" }),
      position,
    },
    { name: "dialect", source: source({ dialect: { env: "dialect" } }), position },
    {
      name: "writes",
      source: source({ dialect: undefined, statement: { env: "statement" } }),
      position,
    },
    { name: "none", source: source({ password: { env: "none" } }), position },
    { name: "port", source: source({ port: { env: "user" } }), position },
    { name: "clear", source: source({ encrypt: false }), position },
    { name: "trusting", source: source({ trust_server_certificate: true }), position },
    { name: "local", source: source({ server: "127.0.0.1", encrypt: false }), position },
  ];
  const values = new Map<string, unknown>([
    ...[["host", "mdm.example.org"], ["user", "mefor"], ["word", "CANARY"]] as const,
    ...[["port", "5433"], ["dialect", "sqlserver"], ["statement", "DELETE FROM CANARY"]] as const,
  ]);
  const environment = { file: undefined, fileExists: false, values };
  const resolved = (allowInsecureTls: boolean) =>
    resolveReferences(declared, { settings: settings.reference, environment, allowInsecureTls });
  const { references, problems } = resolved(false);
  assert.deepEqual([...references.keys()], ["sound", "usual", "local"]);
  const ports = [...references.values()].map((one) =>
    one.kind === "database" ? `${one.dialect} ${one.port}` : undefined
  );
  assert.deepEqual(ports, ["postgres 5433", "sqlserver 1433", "postgres 5432"]);
  const sound = references.get("sound");
  assert.ok(sound?.kind === "database");
  assert.equal(sound.password?.reveal(), "CANARY");
  assert.doesNotMatch(JSON.stringify(sound) + Deno.inspect(sound), /CANARY/);
  const { password: _, position: __, ...rest } = sound;
  assert.deepEqual(rest, {
    name: "sound",
    refreshMs: 3_600_000,
    kind: "database",
    dialect: "postgres",
    host: "mdm.example.org",
    port: 5433,
    database: "mdm",
    auth: "sql",
    username: "mefor",
    statement: "TABLE plans",
    keyColumn: "plan",
    valueColumn: undefined,
    encrypt: true,
    trustServerCertificate: false,
    tlsCaFile: "/ca.pem",
    connectTimeoutMs: 10_000,
    statementTimeoutMs: 30_000,
  });
  const told = problems.map(({ message }) => message).join("\n");
  assert.match(
    told,
    /"dialect": setting "statement" must be a query: SELECT, or WITH and SELECT$/m,
  );
  assert.match(
    told,
    /"writes": setting "statement" must be .* \(environment value "statement"\)$/m,
  );
  assert.doesNotMatch(told, /CANARY/);
  assert.match(told, /"none": setting "password": environment value "none" has no value in this/);
  assert.match(told, /"port": setting "port": .* cannot be read as a whole number/);
  assert.match(told, /"clear": setting "encrypt" shows rows .* MEFOR_ALLOW_INSECURE_TLS=1/);
  assert.match(told, /"trusting": setting "trust_server_certificate" shows/);
  assert.ok(problems.every(({ file, line }) => file === "graph/a.ts" && line === 3));
  const accepted = resolved(true);
  assert.deepEqual([...accepted.references.keys()], [
    ...["sound", "usual", "clear", "trusting", "local"],
  ]);
  const warned = accepted.problems.filter(({ severity }) => severity === "warning");
  assert.deepEqual(warned.map(({ message }) => message.split(":")[0]), [
    'Reference "clear"',
    'Reference "trusting"',
  ]);
});
