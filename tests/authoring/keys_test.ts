import assert from "node:assert/strict";
import { fileSchema } from "../../src/authoring/connectors/file.ts";
import { mllpSchema } from "../../src/authoring/connectors/mllp.ts";
import { toCamelCase, toSnakeCase } from "../../src/authoring/keys.ts";
import { optionKeys } from "../../src/authoring/options.ts";

Deno.test("every key goes to camelCase and back", () => {
  const schemas = [mllpSchema, fileSchema];
  const keys = [
    ...schemas.flatMap(({ settings }) => settings.map(({ key }) => key as string)),
    ...Object.values(optionKeys).flat(),
    "ws_timestamp_ttl_seconds",
  ];
  for (const key of keys) {
    const camel = toCamelCase(key);
    assert.doesNotMatch(camel, /_/);
    assert.equal(toSnakeCase(camel), key);
  }
  assert.equal(toCamelCase("source_ip_allowlist"), "sourceIpAllowlist");
  assert.equal(toSnakeCase("hl7Version"), "hl7_version");
});
