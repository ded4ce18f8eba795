// Goal: every field of every body is checked where it comes in: a wrong type, a text that is too long
// or a body that is huge or deep is an answer of the contract, and changes nothing it should not.
// Method: the schemas the routes declare say which fields there are; each is given what it is not.
import assert from "node:assert/strict";
import { z } from "zod";
import { declareRoutes } from "../../src/api/app.ts";
import type { ApiContext } from "../../src/api/env.ts";
import { describedOf } from "../../src/api/openapi.ts";
import { ApiBench } from "./bench.ts";
import { ApiClient, unlimited } from "./client.ts";

const taking = describedOf(declareRoutes({ engine: {} } as ApiContext).routes)
  .filter(({ takes }) => takes.body instanceof z.ZodObject)
  .map(({ method, path, takes }) => ({
    method,
    path: path.replace(/:\w+/g, "none"),
    keys: Object.keys((takes.body as z.ZodObject).shape),
  }));

/** What no field of any body takes, whatever the others are. */
const WRONG: readonly unknown[] = [0.5, [[]], [null], "x".repeat(5_000)];
/** What some fields take and others do not. */
const MAYBE: readonly unknown[] = [null, true, {}, [], "", 0, -1, "\ud800", "\0", "__proto__"];

function isAnswer(status: number): boolean {
  return [200, 201, 202, 400, 401, 403, 404, 409, 422].includes(status);
}

Deno.test("every field of every body refuses what it is not", async () => {
  assert.ok(taking.length >= 15, `${taking.length}`);
  await using bench = await ApiBench.open({ settings: unlimited });
  const root = await ApiClient.of(bench, "root", { roles: ["administrator"] });
  for (const { method, path, keys } of taking) {
    for (const key of keys) {
      for (const value of [...WRONG, ...MAYBE]) {
        const { status, text, json } = await root.once(method, path, { [key]: value });
        const title = `${method} ${path} ${key} ${JSON.stringify(value).slice(0, 40)}: ${status}`;
        if (WRONG.includes(value)) assert.equal(status, 422, title);
        else assert.ok(isAnswer(status), `${title} ${text}`);
        if (status !== 422 || typeof json.detail === "string") continue;
        const at = [...json.detail!].map(({ loc }) => String(loc![1]));
        if (WRONG.includes(value)) assert.ok(at.includes(key), `${title} ${text}`);
        assert.ok(text.length < 5_000, title);
      }
    }
  }
  assert.equal((await root.get("/auth/me")).status, 200);
  assert.ok(!bench.walk.log.some((line) => line.includes("internal_error")));
});

Deno.test("every body that is no object, huge or deep is refused, or read past", async () => {
  await using bench = await ApiBench.open({ settings: unlimited });
  const root = await ApiClient.of(bench, "root", { roles: ["administrator"] });
  const send = (method: string, path: string, body: BodyInit, type = "application/json") =>
    bench.request(path, {
      method,
      body,
      headers: { authorization: `Bearer ${root.token}`, "content-type": type },
    });
  const deep = "[".repeat(400_000) + "]".repeat(400_000);
  const notUtf8 = Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d);
  for (const { method, path, keys } of taking) {
    for (const body of ["null", "[]", "5", '"x"', "true", "{", "", notUtf8, deep]) {
      const { status, text } = await send(method, path, body);
      assert.equal(status, 422, `${method} ${path} ${String(body).slice(0, 20)}: ${text}`);
    }
    assert.equal((await send(method, path, "{}", "text/plain")).status, 422, path);
    for (const inside of [deep, `"${"a".repeat(1_000_000)}"`]) {
      const known = await send(method, path, `{"${keys[0]}":${inside}}`);
      assert.equal(known.status, 422, `${method} ${path}`);
      assert.ok(known.text.length < 5_000);
      const unknown = await send(method, path, `{"unknown":${inside}}`);
      assert.ok(isAnswer(unknown.status), `${method} ${path}: ${unknown.status}`);
    }
    assert.equal((await send(method, path, `{"x":"${"a".repeat(1_048_576)}"}`)).status, 413, path);
  }
  assert.equal((await root.get("/auth/me")).status, 200);
});
