// Goal: a remembered path leads where the library leads, and nothing strange is remembered.
import assert from "node:assert/strict";
import { Hono } from "@hono/hono";
import type { ApiEnv } from "../../src/api/env.ts";
import { KnownPaths } from "../../src/api/known_paths.ts";

/** An app that answers which route was met, and its parts. */
function appWith(router?: KnownPaths): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>(router === undefined ? {} : { router });
  app.use("*", async (_c, next) => await next());
  app.get("/messages/search", (c) => c.text(`search ${JSON.stringify(c.req.param())}`));
  app.get("/messages/:id", (c) => c.text(`one ${JSON.stringify(c.req.param())}`));
  app.post("/messages/:id/replay", (c) => c.text(`replay ${JSON.stringify(c.req.param())}`));
  app.get("/messages", (c) => c.text(`list ${c.req.query("limit")} ${c.req.routePath}`));
  app.get("/stats", (c) => c.text("stats"));
  return app;
}

const asked: readonly (readonly [method: string, path: string])[] = [
  ["GET", "/messages?limit=1"],
  ["GET", "/messages?limit=2"],
  ["GET", "/messages/search"],
  ["GET", "/messages/a1"],
  ["GET", "/messages/b2"],
  ["POST", "/messages/a1/replay"],
  ["POST", "/messages"],
  ["GET", "/stats"],
  ["GET", "/stats/"],
  ["GET", "/nothing"],
  ["HEAD", "/stats"],
];

Deno.test("a path leads where the library leads it, the first time and every other", async () => {
  const [plain, known] = [appWith(), appWith(new KnownPaths())];
  for (let round = 0; round < 3; round += 1) {
    for (const [method, path] of asked) {
      const answers = await Promise.all([plain, known].map(async (app) => {
        const response = await app.request(path, { method });
        return [response.status, await response.text()];
      }));
      assert.deepEqual(answers[1], answers[0], `${method} ${path}`);
    }
  }
});

Deno.test("only paths without parts that lead somewhere are remembered, and not without end", () => {
  const router = new KnownPaths();
  appWith(router);
  const isSame = (method: string, path: string) =>
    router.match(method, path) === router.match(method, path);
  assert.ok(isSame("GET", "/stats"));
  assert.ok(isSame("GET", "/messages"));
  assert.ok(!isSame("GET", "/messages/a1"), "it has a part");
  assert.ok(!isSame("GET", "/nothing"), "it leads nowhere");
  assert.ok(!isSame("POST", "/stats"));
});

Deno.test("a route that is added later is met", async () => {
  const app = new Hono<ApiEnv>({ router: new KnownPaths() });
  app.use("*", async (_c, next) => await next());
  app.get("/late", (c) => c.text("late"));
  assert.equal(await (await app.request("/late")).text(), "late");
});
