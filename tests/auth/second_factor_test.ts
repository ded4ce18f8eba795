import assert from "node:assert/strict";
import { recoveryCodesLeft } from "../../src/auth/mod.ts";
import { testKeys } from "../store/ciphers.ts";
import { AuthBench, type AuthBenchOptions, codeAt, PASSWORD, refusal } from "./bench.ts";

// Goal: a second factor is proved by whoever has it, once a code, and its guesses lock the account.

/** An account with a factor; its secret and recovery codes. */
async function enrolled(options: AuthBenchOptions = {}) {
  const bench = await AuthBench.open(options);
  const id = await bench.user("ann", { roles: ["administrator"], email: "ann@example.org" });
  const first = await bench.identity(await bench.token("ann"));
  const { secret } = await bench.auth.secondFactor.enroll(first);
  const code = codeAt(secret, bench.clock);
  const codes = await bench.auth.secondFactor.confirm(first, code, "127.0.0.1");
  // The step of that code is used; the next one is fresh.
  bench.clock.pass({ seconds: 30 });
  const verify = async (token: string, code: string) =>
    bench.auth.secondFactor.verify(await bench.identity(token), code, "127.0.0.1");
  return { bench, id, secret, codes, verify };
}

const stepUp = { client: "127.0.0.1", path: "/x", wantsFactor: true };

Deno.test("enrolling stages, a right code turns on, and this session has proved it", async () => {
  await using bench = await AuthBench.open({ keys: testKeys });
  const id = await bench.user("ann");
  const identity = await bench.identity(await bench.token("ann"));
  const { secondFactor } = bench.auth;
  assert.equal(
    await refusal(secondFactor.confirm(identity, "000000", undefined)),
    "auth.code_not_accepted",
    "nothing is staged",
  );
  const { secret, uri } = await secondFactor.enroll(identity);
  assert.ok(uri.startsWith("otpauth://totp/MessageFoundry:ann?secret=" + secret));
  const [staged] = await bench.store.register("userById", id);
  assert.deepEqual([staged?.totp_staged, staged?.totp_enabled], [secret, 0]);
  const wrong = codeAt(secret, bench.clock, 7);
  assert.equal(
    await refusal(secondFactor.confirm(identity, wrong, undefined)),
    "auth.code_not_accepted",
  );
  const codes = await secondFactor.confirm(identity, codeAt(secret, bench.clock), undefined);
  assert.equal(new Set(codes).size, 10);
  assert.equal(await refusal(secondFactor.enroll(identity)), "auth.invalid", "enrolled already");
  const again = await bench.identity(await bench.token("ann"));
  assert.equal(again.session.mfaVerifiedAt, null);
  assert.deepEqual((await bench.actions()).filter((action) => /mfa/.test(action)), [
    "auth.mfa_failed",
    "auth.mfa_enroll_started",
    "auth.mfa_failed",
    "auth.mfa_enrolled",
  ]);
  // The store holds the secret sealed, and codes as hashes.
  await bench.stop();
  for (const { name } of Deno.readDirSync(bench.dir)) {
    const text = new TextDecoder("latin1").decode(Deno.readFileSync(`${bench.dir}/${name}`));
    for (const clear of [secret, ...codes]) assert.ok(!text.includes(clear), name);
  }
  await bench.start();
});

Deno.test("with a factor the password alone opens no sensitive act; a code does", async () => {
  const { bench, secret, verify } = await enrolled();
  await using _bench = bench;
  const { token, mfaRequired } = await bench.auth.signIn(
    { username: "ann", password: PASSWORD },
    "127.0.0.1",
  );
  assert.equal(mfaRequired, true);
  const require = async () => bench.auth.requireStepUp(await bench.identity(token), stepUp);
  assert.equal(await refusal(require()), "auth.mfa_required");
  await bench.auth.ownPassword.reverify(await bench.identity(token), PASSWORD, "127.0.0.1");
  assert.equal(await refusal(require()), "auth.mfa_required", "a password is no factor");
  await verify(token, codeAt(secret, bench.clock));
  await require();
  bench.clock.pass({ seconds: 301 });
  assert.equal(await refusal(require()), "auth.step_up_required");
});

Deno.test("a code is used once, by whichever session, and no older one after it", async () => {
  const { bench, secret, verify } = await enrolled();
  await using _bench = bench;
  const [one, other] = [await bench.token("ann"), await bench.token("ann")];
  const code = codeAt(secret, bench.clock);
  const older = codeAt(secret, bench.clock, -1);
  const outcomes = await Promise.allSettled([verify(one, code), verify(other, code)]);
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  assert.equal(await refusal(verify(other, code)), "auth.wrong_code");
  assert.equal(await refusal(verify(other, older)), "auth.wrong_code");
  bench.clock.pass({ seconds: 30 });
  await verify(other, codeAt(secret, bench.clock));
});

// Method: an authenticator whose clock is a step ahead of ours.
Deno.test("a code that came early is used up too, and the next one is not", async () => {
  const { bench, secret, verify } = await enrolled();
  await using _bench = bench;
  const [one, other] = [await bench.token("ann"), await bench.token("ann")];
  const early = codeAt(secret, bench.clock, 1);
  await verify(one, early);
  assert.equal(await refusal(verify(other, early)), "auth.wrong_code", "at once");
  bench.clock.pass({ seconds: 30 });
  assert.equal(await refusal(verify(other, early)), "auth.wrong_code", "in its own step");
  await verify(other, codeAt(secret, bench.clock, 1));
});

Deno.test("each recovery code works once, in any case, beside the others", async () => {
  const { bench, id, codes, verify } = await enrolled({ settings: "mfa_recovery_code_count = 3" });
  await using _bench = bench;
  assert.equal(codes.length, 3);
  const token = await bench.token("ann");
  await verify(token, ` ${codes[1]!.toLowerCase()}`);
  assert.equal(await refusal(verify(token, codes[1]!)), "auth.wrong_code");
  const left = async () =>
    recoveryCodesLeft((await bench.auth.accounts.get(id)).totp.recoveryCodes);
  assert.equal(await left(), 2);
  const race = await Promise.allSettled([verify(token, codes[0]!), verify(token, codes[0]!)]);
  assert.deepEqual(race.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  assert.equal(await left(), 1);
});

// Goal: whoever has the password cannot guess codes without end.
Deno.test("wrong codes lock as wrong passwords do, and the right password does not forgive them", async () => {
  const { bench, secret, verify } = await enrolled();
  await using _bench = bench;
  const token = await bench.token("ann");
  for (let n = 0; n < 3; n++) assert.equal(await refusal(verify(token, "0")), "auth.wrong_code");
  const again = await bench.token("ann");
  for (let n = 0; n < 2; n++) await refusal(verify(again, "0"));
  const right = codeAt(secret, bench.clock);
  assert.equal(await refusal(verify(again, right)), "auth.wrong_code", "locked");
  const signIn = bench.auth.signIn({ username: "ann", password: PASSWORD }, undefined);
  assert.equal(await refusal(signIn), "auth.refused");
  assert.equal(bench.notices.at(-1)?.event, "account_locked");
  bench.clock.pass({ minutes: 15, seconds: 1 });
  const later = await bench.token("ann");
  await verify(later, codeAt(secret, bench.clock));
});

Deno.test("codes for an account without a factor are refused and lock nobody", async () => {
  await using bench = await AuthBench.open({ settings: "lockout_threshold = 2" });
  const id = await bench.user("ann");
  const identity = await bench.identity(await bench.token("ann"));
  for (let n = 0; n < 3; n++) {
    const tried = bench.auth.secondFactor.verify(identity, "000000", undefined);
    assert.equal(await refusal(tried), "auth.wrong_code");
  }
  assert.equal((await bench.auth.accounts.get(id)).failedAttempts, 0);
  await bench.token("ann");
  const failed = (await bench.actions()).filter((action) => action === "auth.mfa_failed");
  assert.equal(failed.length, 3);
});

// Goal: nor does a change of the password, which a session without the factor may make.
Deno.test("a new password forgives wrong codes only where the factor was proved", async () => {
  const { bench, id, secret, verify } = await enrolled();
  await using _bench = bench;
  const { accounts, ownPassword } = bench.auth;
  const next = `${PASSWORD}, again`;
  const fail = async (token: string, times: number) => {
    for (let n = 0; n < times; n++) {
      assert.equal(await refusal(verify(token, "0")), "auth.wrong_code");
    }
  };
  const token = await bench.token("ann");
  await fail(token, 4);
  await ownPassword.change(await bench.identity(token), { current: PASSWORD, next }, undefined);
  assert.equal((await accounts.get(id)).failedAttempts, 4);
  const again = await bench.token("ann", undefined, next);
  await fail(again, 1);
  assert.equal(bench.notices.at(-1)?.event, "account_locked");
  const back = { current: next, next: PASSWORD };
  await ownPassword.change(await bench.identity(again), back, undefined);
  assert.equal(await refusal(bench.token("ann")), "auth.refused", "still locked");

  bench.clock.pass({ minutes: 15, seconds: 1 });
  const proved = await bench.token("ann");
  await verify(proved, codeAt(secret, bench.clock));
  await refusal(bench.token("ann", undefined, "a wrong one"));
  await ownPassword.change(await bench.identity(proved), { current: PASSWORD, next }, undefined);
  assert.equal((await accounts.get(id)).failedAttempts, 0);
  await fail(await bench.token("ann", undefined, next), 4);
  await accounts.resetPassword({ name: "root", userId: "r" }, id);
  assert.equal((await accounts.get(id)).failedAttempts, 0, "an administrator forgives");
});

Deno.test("the owner drops the factor, an administrator resets it; a notice tells either", async () => {
  const { bench, id } = await enrolled();
  await using _bench = bench;
  const [token, elsewhere] = [await bench.token("ann"), await bench.token("ann")];
  await bench.auth.secondFactor.disable(await bench.identity(token), undefined);
  assert.equal(await bench.auth.identify(elsewhere), undefined, "others end");
  await bench.identity(token);
  const account = await bench.auth.accounts.get(id);
  assert.deepEqual([account.totp.isEnabled, account.totp.recoveryCodes], [false, null]);
  const events = bench.notices.map(({ event }) => event);
  assert.deepEqual(events, ["mfa_enabled", "mfa_disabled"]);
  await bench.auth.accounts.resetFactor({ name: "root", userId: "r" }, id);
  assert.equal((await bench.actions()).at(-1), "auth.mfa_reset");
});

Deno.test("under require_mfa an administrator without a factor may only enrol one", async () => {
  await using bench = await AuthBench.open({ settings: "require_mfa = true" });
  await bench.user("root", { roles: ["administrator"] });
  await bench.user("ann", { roles: ["operator"] });
  const operator = await bench.auth.signIn({ username: "ann", password: PASSWORD }, undefined);
  assert.equal(operator.mfaRequired, false);
  await bench.auth.requireStepUp(await bench.identity(operator.token), stepUp);
  const { token, mfaRequired } = await bench.auth.signIn(
    { username: "root", password: PASSWORD },
    "127.0.0.1",
  );
  assert.equal(mfaRequired, true);
  const now = () => bench.identity(token);
  const enrol = { ...stepUp, wantsFactor: false };
  assert.equal(await refusal(bench.auth.requireStepUp(await now(), stepUp)), "auth.mfa_required");
  assert.equal(
    await refusal(bench.auth.requireStepUp(await now(), enrol)),
    "auth.step_up_required",
  );
  await bench.auth.ownPassword.reverify(await now(), PASSWORD, "127.0.0.1");
  await bench.auth.requireStepUp(await now(), enrol);
  const { secret } = await bench.auth.secondFactor.enroll(await now());
  await bench.auth.secondFactor.confirm(await now(), codeAt(secret, bench.clock), "127.0.0.1");
  await bench.auth.requireStepUp(await now(), stepUp);
});

Deno.test("a new address has to prove the password; loopback is one host, none is no sign", async () => {
  await using bench = await AuthBench.open({ settings: "admin_new_ip_step_up = true" });
  await bench.user("ann", { email: "ann@example.org" });
  const token = await bench.token("ann", "127.0.0.1");
  const from = async (client: string | undefined) =>
    bench.auth.requireStepUp(await bench.identity(token), { ...stepUp, client });
  await from("127.0.0.1");
  await from("::1");
  await from(undefined);
  for (let n = 0; n < 3; n++) {
    assert.equal(await refusal(from("10.0.0.7")), "auth.step_up_required");
  }
  const told = (await bench.audit()).filter(([action]) => action === "auth.admin_action_new_ip");
  assert.deepEqual(told.map(([, , detail]) => detail), [
    { path: "/x", known_ip: "127.0.0.1", seen_ip: "10.0.0.7" },
  ]);
  assert.equal(bench.notices.length, 1);
  await bench.auth.ownPassword.reverify(await bench.identity(token), PASSWORD, "10.0.0.7");
  await from("10.0.0.7");
  assert.equal(await refusal(from("127.0.0.1")), "auth.step_up_required");
});
