// Goal: nobody learns from any answer whether a user exists, is disabled, locked, or comes from a
// directory.
// Method: the same request once for each kind of name or id; status, body and headers compared.
import assert from "node:assert/strict";
import fc from "fast-check";
import { accessTable, declareRoutes } from "../../src/api/app.ts";
import type { ApiContext } from "../../src/api/env.ts";
import { permissions } from "../../src/auth/mod.ts";
import { isGrantable } from "../../src/auth/permissions.ts";
import { seedUser } from "../auth/bench.ts";
import { type Answer, ApiBench } from "./bench.ts";
import { ApiClient, unlimited } from "./client.ts";

/** Everything a client sees, but for the time of day. */
function seen({ status, text, headers }: Answer) {
  const shown = [...headers].filter(([name]) => name !== "date");
  return { status, text, headers: Object.fromEntries(shown) };
}

async function withEveryKindOfUser(stack: AsyncDisposableStack) {
  const bench = stack.use(
    await ApiBench.open({ settings: `${unlimited}lockout_threshold = 2\n` }),
  );
  const { store } = bench.walk.engine;
  const root = await ApiClient.of(bench, "root", { roles: ["administrator"] });
  const ids: Record<string, string> = { unknown: "f".repeat(32) };
  for (const name of ["plain", "disabled", "locked", "fresh", "temporary"]) {
    ids[name] = await seedUser(store, name, { mustChange: name === "temporary" });
  }
  ids.directory = await seedUser(store, "directory", { provider: "ad" });
  const off = await root.request("PATCH", `/users/${ids.disabled}`, { disabled: true });
  assert.equal(off.status, 200);
  for (let turn = 0; turn < 3; turn++) {
    await bench.post("/auth/login", { username: "locked", password: "wrong" });
  }
  return { bench, root, ids };
}

// That of local accounts stands in sign_in_test.ts.
Deno.test("a sign-in elsewhere that fails is answered alike, whoever it was for", async () => {
  await using stack = new AsyncDisposableStack();
  const { bench, ids } = await withEveryKindOfUser(stack);
  const names = [
    ...Object.keys(ids),
    "PLAIN",
    "nobody@example.org",
    "admin",
    "",
    " plain",
    "plain\0",
  ];
  const answers = new Map<string, ReturnType<typeof seen>>();
  for (const username of names) {
    const body = { username, password: "not the password", provider: "ad" };
    answers.set(username, seen(await bench.post("/auth/login", body)));
  }
  const wanted = answers.get("unknown")!;
  assert.equal(wanted.status, 401);
  for (const [name, answer] of answers) assert.deepEqual(answer, wanted, name);
  const negotiate = async (token: string) =>
    seen(
      await bench.request("/auth/negotiate", {
        method: "POST",
        headers: { authorization: `Negotiate ${token}` },
      }),
    );
  assert.deepEqual(await negotiate(btoa("plain")), await negotiate(btoa("unknown")));
});

Deno.test("a sign-in that is malformed is refused by its form alone", async () => {
  await using stack = new AsyncDisposableStack();
  const { bench } = await withEveryKindOfUser(stack);
  const wrong = fc.constantFrom<unknown>(null, 5, [], {}, true, "x".repeat(1_025), undefined);
  await fc.assert(
    fc.asyncProperty(
      wrong,
      fc.constantFrom("local", "ad", "other", 7),
      async (password, provider) => {
        const ask = async (username: string) =>
          seen(await bench.post("/auth/login", { username, password, provider }));
        const known = await ask("plain");
        assert.deepEqual(known, await ask("never"));
        assert.equal(known.status, 422);
      },
    ),
    { numRuns: 20 },
  );
});

Deno.test("routes over users answer alike for who is there and who is not", async () => {
  await using stack = new AsyncDisposableStack();
  const { bench, root, ids } = await withEveryKindOfUser(stack);
  const wide = { display_name: "Wide", permissions: permissions.filter(isGrantable) };
  const role = await root.post("/roles/custom", wide);
  const client = await ApiClient.of(bench, "somebody", { roles: [String(role.json.id)] });
  const ofUsers = accessTable(declareRoutes({ engine: {} } as ApiContext).routes)
    .filter(({ path }) => path.includes(":user_id"));
  assert.ok(ofUsers.length >= 8);
  for (const { method, path } of ofUsers) {
    const ask = async (id: string) =>
      seen(
        await client.once(method, path.replace(":user_id", id), method === "GET" ? undefined : {}),
      );
    const wanted = await ask(ids.unknown!);
    assert.equal(wanted.status, 403, path);
    for (const [name, id] of Object.entries(ids)) {
      assert.deepEqual(await ask(id), wanted, `${method} ${path} ${name}`);
    }
  }
  // One's own routes take no name at all: sessions of others are not there.
  const other = await ApiClient.of(bench, "other", { roles: ["viewer"] });
  const [session] = [...(await other.get("/me/sessions")).json.sessions!];
  const foreign = seen(await client.once("DELETE", `/me/sessions/${String(session!.id)}`));
  const missing = seen(await client.once("DELETE", `/me/sessions/${"0".repeat(64)}`));
  assert.deepEqual([foreign.status, foreign], [404, missing]);
  assert.equal((await other.get("/auth/me")).status, 200, "it goes on");
});
