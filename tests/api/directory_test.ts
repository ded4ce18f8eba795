// Goal: sign-in with a directory is bounded and tells nothing, as local sign-in is.
// Method: a directory of ours that answers at once, so that every wait is the engine's own.
import assert from "node:assert/strict";
import { directoryEnv } from "../auth/directory/bench.ts";
import {
  bindAnswer,
  concat,
  entry,
  FakeDirectory,
  searchDone,
} from "../auth/directory/fake_directory.ts";
import { ApiBench } from "./bench.ts";
import { unlimited } from "./client.ts";

const ALICE = "CN=alice,DC=ad,DC=test";

/** Knows everybody; binds nobody but the engine. */
function refusing(): Promise<FakeDirectory> {
  return FakeDirectory.start((request) => {
    if (request.kind === "bind") return bindAnswer(request, request.dn === ALICE ? 49 : 0);
    return concat([
      entry(request, ALICE, { sAMAccountName: ["alice"], userAccountControl: ["512"] }),
      searchDone(request),
    ]);
  });
}

function envOf({ address }: FakeDirectory): Record<string, string> {
  return directoryEnv(`ldap://${address}`, { MEFOR_AUTH_AD_ALLOW_INSECURE_LDAP: "true" });
}

function login(bench: ApiBench, username: string, provider = "ad") {
  return bench.post("/auth/login", { username, password: "wrong", provider });
}

Deno.test("sign-ins with the directory count against the login limit, with local ones", async () => {
  await using fake = await refusing();
  await using bench = await ApiBench.open({
    settings: "[auth]\nlogin_rate_limit_per_ip = 3\n",
    env: envOf(fake),
  });
  assert.equal((await login(bench, "alice")).status, 401);
  assert.equal((await login(bench, "alice", "local")).status, 401);
  assert.equal((await login(bench, "bob")).status, 401);
  const asked = fake.connections;
  const limited = await login(bench, "alice");
  assert.equal(limited.status, 429);
  assert.equal(limited.headers.get("retry-after"), null);
  assert.equal(fake.connections, asked, "the directory is not asked");
});

Deno.test("too many sign-ins with one name at once are refused, and the rest go one by one", async () => {
  await using fake = await refusing();
  await using bench = await ApiBench.open({ settings: unlimited, env: envOf(fake) });
  const all = await Promise.all(Array.from({ length: 12 }, () => login(bench, "alice")));
  const count = (wanted: number) => all.filter(({ status }) => status === wanted).length;
  assert.deepEqual([count(401), count(429)], [8, 4]);
});

Deno.test("a refusal comes at a mark, whatever was wrong and however fast it was found", async () => {
  await using fake = await refusing();
  await using bench = await ApiBench.open({ settings: unlimited, env: envOf(fake) });
  const refuse = async (username: string) => {
    const begun = performance.now();
    assert.equal((await login(bench, username)).status, 401);
    const ms = performance.now() - begun;
    assert.ok(ms >= 249, `${JSON.stringify(username)}: ${ms} ms`);
  };
  for (const username of ["alice", "\0", "admin"]) await refuse(username);
  await fake[Symbol.asyncDispose]();
  await refuse("alice");
});

Deno.test("without a directory nobody of one signs in, and the providers say so", async () => {
  await using bench = await ApiBench.open({ settings: unlimited });
  assert.deepEqual(await bench.get("/auth/providers"), { local: true, ad: false, kerberos: false });
  const [ad, local] = [await login(bench, "alice"), await login(bench, "alice", "local")];
  assert.deepEqual([ad.status, ad.text], [401, local.text]);
});
