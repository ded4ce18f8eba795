// Goal: whoever asks for the description of the API gets one that is valid and complete, and nobody
// who did not ask serves one.
import assert from "node:assert/strict";
import { Validator } from "@seriousme/openapi-schema-validator";
import { ApiBench, type Json } from "./bench.ts";
import { ApiClient } from "./client.ts";
import { contractRoutes } from "./contract.ts";

const SHOWN = "[auth]\n[api]\nexpose_docs = true\n";
const PAGES = ["/docs", "/redoc", "/openapi.json"];

Deno.test("the OpenAPI document is valid and holds every route", async () => {
  await using bench = await ApiBench.open({ settings: SHOWN });
  const { status, json, text, headers } = await bench.request("/openapi.json");
  assert.deepEqual([status, headers.get("content-type")], [200, "application/json"]);
  assert.equal(json.openapi as unknown, "3.1.0");
  const { valid, errors } = await new Validator().validate(JSON.parse(text));
  assert.ok(valid, JSON.stringify(errors));

  const operations = Object.entries(json.paths!).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      key: `${method.toUpperCase()} ${path}`,
      operation,
    }))
  );
  assert.deepEqual(
    operations.map(({ key }) => key).toSorted(),
    [
      ...contractRoutes.map(({ method, path }) => `${method} ${path}`),
      ...PAGES.map((path) => `GET ${path}`),
      "GET /ready",
    ].toSorted(),
  );
  const ids = operations.map(({ operation }) => String(operation.operationId));
  assert.equal(new Set(ids).size, ids.length);
  for (const { key, operation } of operations) {
    const parts = [...key.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const named = [...operation.parameters!].filter((one) => String(one.in) === "path");
    assert.deepEqual(named.map(({ name }) => name as unknown), parts, key);
  }
});

Deno.test("the document says what the contract says of bounds, answers and who may ask", async () => {
  await using bench = await ApiBench.open({ settings: SHOWN });
  const { paths, components } = await bench.get("/openapi.json");
  const messages = paths!["/messages"]!.get!;
  assert.deepEqual(parametersOf(messages), {
    channel_id: { type: "string", maxLength: 256 },
    status: { type: "string", maxLength: 64 },
    message_type: { type: "string", maxLength: 64 },
    control_id: { type: "string", maxLength: 256 },
    limit: { type: "integer", minimum: 1, maximum: 500, default: 50 },
    offset: { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER, default: 0 },
  });
  assert.deepEqual(parametersOf(paths!["/connections/{name}/purge"]!.post!), {
    name: { type: "string" },
    scope: { type: "string", enum: ["all", "top"], default: "all" },
  });
  const answer = (operation: Json, status: number) =>
    operation.responses![status]!.content!["application/json"]!.schema as unknown;
  assert.deepEqual(answer(messages, 200), { $ref: "#/components/schemas/MessageList" });
  assert.deepEqual(answer(messages, 429), { $ref: "#/components/schemas/Error" });
  const reload = paths!["/config/reload"]!.post!;
  assert.deepEqual(answer(reload, 202), { $ref: "#/components/schemas/PendingApproval" });
  assert.deepEqual(
    Object.keys(reload.requestBody!.content!["application/json"]!.schema!.properties!),
    ["config_dir", "dry_run"],
  );
  const securityOf = (path: string, method: string) => paths![path]![method]!.security as unknown;
  assert.deepEqual(securityOf("/health", "get"), [{}, { session: [] }]);
  assert.deepEqual(securityOf("/auth/login", "post"), []);
  assert.deepEqual(securityOf("/users", "post"), [{ session: [] }]);
  assert.match(String(paths!["/users"]!.post!.description), /users:manage/);
  const refs = JSON.stringify([paths, components]).matchAll(/"#\/components\/schemas\/(\w+)"/g);
  for (const [, name] of refs) assert.ok(components!.schemas![name!], name);
});

/** Longest texts and lists of every body. Source: spec api §1.3, §1.5, §1.8, §6.1. */
const BODY_BOUNDS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  "post /statistics/reset": {},
  "post /dead-letters/replay": { channel_id: 256, destination_name: 256 },
  "post /config/reload": { config_dir: 4096 },
  "post /auth/login": { username: 256, password: 1024, provider: 16 },
  "post /auth/mfa-verify": { code: 64 },
  "post /me/password": { current_password: 1024, new_password: 1024 },
  "post /me/reauth": { password: 1024 },
  "post /me/mfa/confirm": { code: 16 },
  "post /roles/custom": { display_name: 256, description: 256, permissions: 64 },
  "put /roles/custom/{role_id}": { display_name: 256, description: 256, permissions: 64 },
  "post /users": { username: 256, password: 1024, display_name: 256, email: 256, roles: 64 },
  "patch /users/{user_id}": { display_name: 256, email: 256 },
  "put /users/{user_id}/roles": { roles: 64 },
  "put /users/{user_id}/channel-scope": { channels: 512 },
  "put /ad-group-map": { entries: 2_000 },
  "put /ad-group-scope-map": { entries: 2_000 },
};

Deno.test("the document has the bounds of every body", async () => {
  await using bench = await ApiBench.open({ settings: SHOWN });
  const { paths } = await bench.get("/openapi.json");
  const found: Record<string, Record<string, number>> = {};
  for (const [path, methods] of Object.entries(paths!)) {
    for (const [method, { requestBody }] of Object.entries(methods)) {
      if (requestBody === undefined) continue;
      const { properties } = requestBody.content!["application/json"]!.schema!;
      const bounds = Object.entries(properties!).flatMap(([name, schema]) => {
        const forms = [schema, ...(schema.anyOf ?? [])] as readonly Json[];
        const bound = forms.map(({ maxLength, maxItems }) => maxLength ?? maxItems)
          .find((max) => max !== undefined);
        return bound === undefined ? [] : [[name, Number(bound)]];
      });
      found[`${method} ${path}`] = Object.fromEntries(bounds);
    }
  }
  assert.deepEqual(found, BODY_BOUNDS);
});

function parametersOf({ parameters }: Json): unknown {
  return Object.fromEntries([...parameters!].map(({ name, schema }) => [name, schema]));
}

Deno.test("the page lists every route, runs no script and loads nothing", async () => {
  await using bench = await ApiBench.open({ settings: SHOWN });
  for (const path of ["/docs", "/redoc"]) {
    const { status, headers, text } = await bench.request(path);
    assert.deepEqual([status, headers.get("content-type")], [200, "text/html; charset=UTF-8"]);
    assert.match(headers.get("content-security-policy") ?? "", /^default-src 'none'/);
    assert.equal(headers.get("x-frame-options"), "DENY");
    assert.doesNotMatch(text, /<script|<link|<img|\bsrc=|\bstyle=/i);
    for (const { method, path } of contractRoutes) {
      assert.ok(text.includes(`<td>${method} ${path}</td>`), `${method} ${path}`);
    }
  }
});

Deno.test("nothing of it is served unless [api] expose_docs says so, whoever asks", async () => {
  await using bench = await ApiBench.open({ settings: "[auth]\n" });
  const root = await ApiClient.of(bench, "root", { roles: ["administrator"] });
  for (const path of PAGES) {
    for (const { status, text } of [await bench.request(path), await root.get(path)]) {
      assert.deepEqual([status, text], [404, '{"detail":"Not Found"}'], path);
    }
  }
});
