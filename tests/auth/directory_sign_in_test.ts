// Goal: a sign-in with the directory holds when somebody changes the account at that moment.
// `tests/auth/directory/active_directory_test.ts` has the sign-in itself.
import assert from "node:assert/strict";
import type { Intent } from "../../src/store/intents.ts";
import { AuthBench, refusal } from "./bench.ts";
import { directoryEnv } from "./directory/bench.ts";
import { FakeDirectory, oneUser } from "./directory/fake_directory.ts";

const BY = { name: "tester", userId: undefined };

/**
 * Accounts that ask a directory in which alice is. `meanwhile` runs before each commit that opens a
 * session, with how many there were before.
 */
async function open(
  meanwhile: (bench: AuthBench, count: number) => Promise<unknown>,
  name = "alice",
) {
  const stack = new AsyncDisposableStack();
  const fake = stack.use(
    await FakeDirectory.start(
      oneUser(`CN=${name},DC=ad,DC=test`, {
        sAMAccountName: [name],
        userAccountControl: ["512"],
        memberOf: ["CN=Nurses,DC=ad,DC=test"],
      }),
    ),
  );
  const insecure = { MEFOR_AUTH_AD_ALLOW_INSECURE_LDAP: "true" };
  const env = directoryEnv(`ldap://${fake.address}`, insecure);
  const bench = stack.use(await AuthBench.open({ env }));
  await bench.auth.roles.setGroupRoles(BY, [{ group: "nurses", role: "viewer" }]);
  const { store } = bench;
  const submit = store.submit.bind(store);
  let count = 0;
  store.submit = (async (intent: Intent) => {
    const isSignIn = intent.kind === "register" &&
      intent.changes.some(({ name }) => name === "openSession");
    if (isSignIn) await meanwhile(bench, count++);
    return await submit(intent as never);
  }) as typeof store.submit;
  return { bench, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const signIn = ({ auth }: AuthBench) =>
  auth.signInWithDirectory({ username: "alice", password: "word" }, undefined);

Deno.test("a first sign-in takes the account that another one has just made", async () => {
  await using opened = await open(async (bench, count) => {
    if (count === 0) await bench.user("alice", { provider: "ad", roles: ["operator"] });
  });
  const { bench } = opened;
  const { token, account } = await signIn(bench);
  assert.deepEqual(account.roles, ["viewer"]);
  assert.equal((await bench.identity(token)).account.id, account.id);
  const names = (await bench.auth.accounts.list()).map(({ name }) => name);
  assert.deepEqual(names, ["admin", "alice"]);
});

Deno.test("a sign-in whose account is disabled at that moment opens nothing", async () => {
  await using opened = await open(async (bench) => {
    const account = (await bench.auth.accounts.list()).find(({ name }) => name === "alice");
    if (account !== undefined) {
      await bench.auth.accounts.update(BY, account.id, { isDisabled: true });
    }
  });
  const { bench } = opened;
  const { account, token } = await signIn(bench);
  assert.equal(await refusal(signIn(bench)), "auth.refused");
  assert.deepEqual(await bench.auth.sessions.of(account.id), []);
  assert.equal(await bench.auth.identify(token), undefined);
  const [action, actor, detail] = (await bench.audit()).at(-1)!;
  assert.deepEqual([action, actor, detail.reason], [
    "auth.login_failed",
    "alice",
    "unknown_or_disabled",
  ]);
});

Deno.test("a user of the directory who is called as the audit log calls nobody has no account", async () => {
  await using opened = await open(() => Promise.resolve(), "Anonymous");
  const { bench } = opened;
  assert.equal(await refusal(signIn(bench)), "auth.refused");
  const [action, , detail] = (await bench.audit()).at(-1)!;
  assert.deepEqual([action, detail.reason], ["auth.login_failed", "reserved_name"]);
  assert.equal((await bench.auth.accounts.list()).length, 1);
});

// Method: the account was made when the directory wrote its user with a capital.
Deno.test("rows of an account stay under its name when the directory writes it in another case", async () => {
  await using opened = await open(() => Promise.resolve());
  const { bench } = opened;
  const id = await bench.user("Alice", { provider: "ad" });
  await signIn(bench);
  await bench.auth.accounts.update(BY, id, { isDisabled: true });
  assert.equal(await refusal(signIn(bench)), "auth.refused");
  const rows = await bench.store.register("auditOfActor", "Alice", 10);
  assert.deepEqual(rows.map(({ action }) => action), ["auth.login_failed", "auth.login_success"]);
});

Deno.test("a sign-in whose account changes again and again is given up", async () => {
  await using opened = await open(async (bench) => {
    const account = (await bench.auth.accounts.list()).find(({ name }) => name === "alice");
    if (account === undefined) await bench.user("alice", { provider: "ad" });
    else await bench.auth.accounts.delete(BY, account.id);
  });
  const { bench } = opened;
  assert.equal(await refusal(signIn(bench)), "auth.refused");
  const [action, , detail] = (await bench.audit()).at(-1)!;
  assert.deepEqual([action, detail.error], ["auth.login_error", "auth.busy"]);
});

Deno.test("syncDirectoryUser changes enabled accounts of a directory, and no other", async () => {
  await using bench = await AuthBench.open();
  const sync = async (id: string) => {
    const values = ["Alice", "alice@hospital.test", Date.now() * 1000, id];
    const { applied } = await bench.store.submit({
      kind: "register",
      changes: [{ name: "syncDirectoryUser", values, expect: 1 }],
      audit: [],
    });
    return applied;
  };
  const id = await bench.user("alice", { provider: "ad" });
  assert.equal(await sync(id), true);
  assert.equal((await bench.auth.accounts.get(id)).email, "alice@hospital.test");
  await bench.auth.accounts.update(BY, id, { isDisabled: true });
  assert.equal(await sync(id), false, "it was disabled meanwhile");
  assert.equal(await sync(await bench.user("bob", { roles: ["administrator"] })), false, "local");
  assert.equal(await sync("nobody"), false);
});
