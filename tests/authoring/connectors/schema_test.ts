import assert from "node:assert/strict";
import { fileSchema } from "../../../src/authoring/connectors/file.ts";
import { mllpSchema } from "../../../src/authoring/connectors/mllp.ts";
import {
  applyDefaults,
  checkSettings,
  isEnvironmentReference,
  type SettingDirection,
  type SettingSpec,
  type TransportSchema,
} from "../../../src/authoring/connectors/schema.ts";

const schemas: readonly TransportSchema[] = [mllpSchema, fileSchema];

function keysOf(problems: readonly { key: string }[]): string[] {
  return problems.map((problem) => problem.key);
}

Deno.test("checkSettings() finds nothing wrong with the least each transport needs", () => {
  assert.deepEqual(checkSettings(mllpSchema, "in", { port: 2575 }), []);
  assert.deepEqual(checkSettings(mllpSchema, "out", { host: "h", port: 2575 }), []);
  assert.deepEqual(checkSettings(fileSchema, "in", { directory: "/d" }), []);
  assert.deepEqual(checkSettings(fileSchema, "out", { directory: "/d" }), []);
});

Deno.test("checkSettings() names what is missing, unknown or of the wrong type", () => {
  const cases: readonly (readonly [TransportSchema, SettingDirection, object, string[]])[] = [
    [mllpSchema, "in", {}, ["port"]],
    [mllpSchema, "out", { port: 1 }, ["host"]],
    [mllpSchema, "out", { host: " ", port: 1 }, ["host"]],
    [mllpSchema, "out", { host: null, port: 1 }, ["host"]],
    [mllpSchema, "in", { port: "2575" }, ["port"]],
    [mllpSchema, "in", { port: 0 }, ["port"]],
    [mllpSchema, "in", { port: 65_536 }, ["port"]],
    [mllpSchema, "in", { port: 2575.5 }, ["port"]],
    [mllpSchema, "in", { port: 2575, hosst: "x" }, ["hosst"]],
    [mllpSchema, "in", { port: 2575, tls: "yes" }, ["tls"]],
    [mllpSchema, "in", { port: 2575, receive_timeout: -1 }, ["receive_timeout"]],
    [mllpSchema, "in", { port: 2575, receive_timeout: NaN }, ["receive_timeout"]],
    [mllpSchema, "in", { port: 2575, encoding: null }, ["encoding"]],
    [mllpSchema, "in", { port: 2575, encoding: "UTF-16LE" }, ["encoding"]],
    [mllpSchema, "in", { port: 2575, encoding: "unicode utf-32" }, ["encoding"]],
    [mllpSchema, "in", { port: 2575, tls: true }, ["tls_cert_file"]],
    [mllpSchema, "out", { host: "h", port: 1, tls_key_file: "k" }, ["tls_cert_file"]],
    [mllpSchema, "out", { host: "h", port: 1, timeout_seconds: 0 }, ["timeout_seconds"]],
    [mllpSchema, "out", { host: "h", port: 1, encoding_characters: "|^~\\" }, [
      "encoding_characters",
    ]],
    [mllpSchema, "out", { host: "h", port: 1, encoding_characters: "||~\\&" }, [
      "encoding_characters",
    ]],
    [mllpSchema, "out", { host: "h", port: 1, encoding_characters: "A^~\\&" }, [
      "encoding_characters",
    ]],
    [fileSchema, "in", { directory: "/d", after_read: "archive" }, ["after_read"]],
    [fileSchema, "in", { directory: "/d", pattern: "../*" }, ["pattern"]],
    [fileSchema, "in", { directory: "/d", error_subdir: "../err" }, ["error_subdir"]],
    [fileSchema, "in", { directory: "/d", error_subdir: "/err" }, ["error_subdir"]],
    [fileSchema, "in", { directory: "/d", error_subdir: ".processed" }, ["error_subdir"]],
  ];
  for (const [schema, direction, settings, expected] of cases) {
    const problems = checkSettings(schema, direction, settings as Record<string, unknown>);
    assert.deepEqual(keysOf(problems), expected, JSON.stringify(settings));
  }
});

Deno.test("checkSettings() refuses keys of the other direction", () => {
  for (const schema of schemas) {
    for (const spec of schema.settings) {
      if (spec.direction === "both") continue;
      const wrong = spec.direction === "in" ? "out" : "in";
      const [problem, ...rest] = checkSettings(schema, wrong, {
        ...minimal(schema, wrong),
        [spec.key]: { env: "anything" },
      });
      assert.equal(problem?.key, spec.key);
      assert.match(problem?.message ?? "", /belongs to (in|out)bound connections only/);
      assert.deepEqual(rest, []);
    }
  }
  const [host] = checkSettings(mllpSchema, "in", { port: 1, host: "10.0.0.1" });
  assert.match(host?.message ?? "", /bind_address/);
});

Deno.test("checkSettings() takes null and 0 for off where a cap may be off", () => {
  for (const off of [null, 0]) {
    assert.deepEqual(checkSettings(mllpSchema, "in", { port: 1, max_connections: off }), []);
    assert.deepEqual(checkSettings(fileSchema, "in", { directory: "/d", max_file_bytes: off }), []);
  }
});

Deno.test("checkSettings() counts environment references as present", () => {
  const port = { env: "adt_port", cast: "int", default: 2576 };
  assert.deepEqual(checkSettings(mllpSchema, "out", { host: { env: "h" }, port }), []);
  assert.deepEqual(keysOf(checkSettings(mllpSchema, "in", { port: { env: 5 } })), ["port"]);
});

Deno.test("checkSettings() takes a secret only from the environment, until resolved", () => {
  const settings = { host: "h", port: 1, tls_key_password: "open sesame" };
  const [problem] = checkSettings(mllpSchema, "out", settings);
  assert.equal(problem?.key, "tls_key_password");
  assert.doesNotMatch(problem?.message ?? "", /sesame/);
  assert.deepEqual(checkSettings(mllpSchema, "out", settings, { resolved: true }), []);
  const referenced = { ...settings, tls_key_password: { env: "key_password" } };
  assert.deepEqual(checkSettings(mllpSchema, "out", referenced), []);
});

Deno.test("isEnvironmentReference() tells a reference from a literal table", () => {
  assert.equal(isEnvironmentReference({ env: "k" }), true);
  assert.equal(isEnvironmentReference({ env: "k", default: 1, cast: "int" }), true);
  assert.equal(isEnvironmentReference({ env: "k", accept: "x" }), false);
  for (const literal of [null, undefined, "env", ["env"], { env: 1 }, {}]) {
    assert.equal(isEnvironmentReference(literal), false);
  }
});

Deno.test("applyDefaults() fills absent keys only, and none of the other direction", () => {
  const filled = applyDefaults(mllpSchema, "in", { port: 1, receive_timeout: null });
  assert.equal(filled.receive_timeout, null);
  assert.equal(filled.max_connections, 256);
  assert.equal(filled.encoding, "utf-8");
  assert.ok(!("persistent" in filled));
  const outbound = applyDefaults(mllpSchema, "out", { host: "h", port: 1 });
  assert.equal(outbound.persistent, true);
  assert.ok(!("max_connections" in outbound));
});

Deno.test("every default passes its own check, every key is snake_case and explained", () => {
  for (const schema of schemas) {
    for (const spec of schema.settings as readonly SettingSpec[]) {
      assert.match(spec.key, /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
      assert.match(spec.help, /^[A-Z].+\.$/, spec.key);
      assert.ok(!spec.required || spec.default === undefined, spec.key);
    }
    for (const direction of ["in", "out"] as const) {
      const filled = applyDefaults(schema, direction, minimal(schema, direction));
      assert.deepEqual(checkSettings(schema, direction, filled), []);
    }
  }
});

function minimal(schema: TransportSchema, direction: SettingDirection): Record<string, unknown> {
  const needed = schema.settings.filter((spec) =>
    spec.required && (spec.direction === "both" || spec.direction === direction)
  );
  return Object.fromEntries(needed.map(({ key, type }) => [key, type === "integer" ? 1 : "x"]));
}
