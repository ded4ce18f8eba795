import assert from "node:assert/strict";
import fc from "fast-check";
import {
  coerceTo,
  loadEnvironmentValues,
  resolveReference,
} from "../../src/graph/environment_values.ts";
import { openBundle } from "./bench.ts";

async function load(text: string, env: Record<string, string> = {}) {
  await using bundle = await openBundle({ "environments/dev.toml": text });
  const settings = { baseDir: bundle.dir, dir: "environments" };
  return await loadEnvironmentValues({ settings, environment: "dev", env });
}

Deno.test("loadEnvironmentValues() overlays the file with variables, without regard to case", async () => {
  const { environment, problems } = await load('EHR_host = "file"\nport = 1\nlist = ["a"]\n', {
    MEFOR_VALUE_EHR_HOST: "variable",
    MEFOR_VALUE_NEW: "x",
    MEFOR_VALUE_PORT: "",
    MEFOR_STORE_PATH: "y",
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(Object.fromEntries(environment.values), {
    ehr_host: "variable",
    port: 1,
    list: ["a"],
    new: "x",
  });
  assert.equal(environment.fileExists, true);
});

Deno.test("loadEnvironmentValues() names a file it cannot read", async () => {
  await using bundle = await openBundle({ "environments/other.toml": "" });
  await Deno.symlink("dev.toml", `${bundle.dir}/environments/dev.toml`);
  const { environment, problems } = await loadEnvironmentValues({
    settings: { baseDir: bundle.dir, dir: "environments" },
    environment: "dev",
    env: {},
  });
  assert.deepEqual(problems.map(({ file, message }) => [file, message]), [
    [`${bundle.dir}/environments/dev.toml`, "Cannot read the value file: ELOOP"],
  ]);
  assert.equal(environment.fileExists, true);
});

Deno.test("loadEnvironmentValues() without a file has the variables", async () => {
  const { environment, problems } = await loadEnvironmentValues({
    settings: { baseDir: "/nowhere", dir: "environments" },
    environment: "dev",
    env: { MEFOR_VALUE_A: "1" },
  });
  assert.deepEqual(problems, []);
  assert.equal(environment.fileExists, false);
  assert.equal(environment.file, "/nowhere/environments/dev.toml");
  assert.equal(environment.values.get("a"), "1");
});

Deno.test("loadEnvironmentValues() warns of tables and colliding keys, refuses bad TOML", async () => {
  const { problems } = await load("a = 1\nA = 2\n[nested]\nb = 1\n");
  assert.deepEqual(problems.map(({ severity, line }) => [severity, line]), [
    ["warning", 2],
    ["warning", 3],
  ]);
  const broken = await load("a = 1\nb = secret oops\n");
  assert.deepEqual(broken.problems.map(({ severity, line }) => [severity, line]), [["error", 2]]);
  assert.ok(!JSON.stringify(broken.problems).includes("secret"));
});

Deno.test("resolveReference() coerces to what the setting wants", () => {
  const values = new Map<string, unknown>([["port", "6661"], ["on", "off"], ["n", 5], [
    "l",
    "a, b",
  ]]);
  const resolve = (env: string, wanted: Parameters<typeof coerceTo>[0], cast?: string) =>
    resolveReference({ env, cast }, { values, wanted });
  assert.deepEqual(resolve("PORT", "integer"), { ok: true, value: 6661 });
  assert.deepEqual(resolve("on", "boolean"), { ok: true, value: false });
  assert.deepEqual(resolve("n", "string"), { ok: true, value: "5" });
  assert.deepEqual(resolve("l", "string_list"), { ok: true, value: ["a", "b"] });
  assert.deepEqual(resolve("port", "string", "int"), { ok: true, value: "6661" });
});

Deno.test("resolveReference() tells a missing value from an unreadable one, without showing it", () => {
  const values = new Map<string, unknown>([["port", "s3cret"]]);
  const missing = resolveReference({ env: "host" }, { values, wanted: "string" });
  assert.deepEqual(missing, { ok: false, reason: "has no value in this environment" });
  const bad = resolveReference({ env: "port" }, { values, wanted: "integer" });
  assert.deepEqual(bad, { ok: false, reason: "has a value that cannot be read as a whole number" });
  const cast = resolveReference({ env: "port", cast: "bool" }, { values, wanted: "string" });
  assert.deepEqual(cast, { ok: false, reason: "has a value that cannot be read as bool" });
});

Deno.test("resolveReference() takes the default when there is no value, and coerces it too", () => {
  const values = new Map<string, unknown>();
  const reference = { env: "port", default: "2576" };
  assert.deepEqual(resolveReference(reference, { values, wanted: "integer" }), {
    ok: true,
    value: 2576,
  });
  const falsy = { env: "on", default: false };
  assert.deepEqual(resolveReference(falsy, { values, wanted: "boolean" }), {
    ok: true,
    value: false,
  });
});

Deno.test("coerceTo() reads booleans by their words only", () => {
  for (const word of ["true", "1", "YES", " on "]) assert.equal(coerceTo("boolean", word), true);
  for (const word of ["false", "0", "No", "off"]) assert.equal(coerceTo("boolean", word), false);
  for (const word of ["", "2", "truthy", "t"]) assert.equal(coerceTo("boolean", word), undefined);
});

Deno.test("coerceTo() yields the wanted type or nothing", () => {
  const value = fc.oneof(
    fc.string(),
    fc.integer(),
    fc.double(),
    fc.boolean(),
    fc.array(fc.string()),
  );
  fc.assert(fc.property(value, (given) => {
    const integer = coerceTo("integer", given);
    assert.ok(integer === undefined || Number.isSafeInteger(integer));
    const number = coerceTo("number", given);
    assert.ok(number === undefined || Number.isFinite(number));
    const boolean = coerceTo("boolean", given);
    assert.ok(boolean === undefined || typeof boolean === "boolean");
    const text = coerceTo("string", given);
    assert.ok(text === undefined || typeof text === "string");
  }));
});
