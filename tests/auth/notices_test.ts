// Goal: an owner hears of everything that happens to the account, at the address that was theirs, with
// the facts and nothing else; once, and never where it is turned off or no address is known.
import assert from "node:assert/strict";
import { securityMail, type SecurityNotice } from "../../src/auth/mod.ts";
import { AuthBench, codeAt, PASSWORD, refusal } from "./bench.ts";

const ADDRESS = "ann@example.org";
const by = { name: "root", userId: undefined };
const HERE = "127.0.0.1";

/** Every event of spec api §2.10, and what makes it. */
const CAUSES: Readonly<Record<string, (bench: AuthBench, id: string) => Promise<void>>> = {
  async account_locked(bench) {
    await fail(bench, 5);
  },
  async login_after_failures(bench) {
    await fail(bench, 3);
    await bench.token("ann", "10.0.0.7");
  },
  async password_changed(bench) {
    const identity = await bench.identity(await bench.token("ann"));
    const change = { current: PASSWORD, next: "fifteen small lamps by a door" };
    await bench.auth.ownPassword.change(identity, change, HERE);
  },
  async password_reset(bench, id) {
    await bench.auth.accounts.resetPassword(by, id);
  },
  async email_changed(bench, id) {
    await bench.auth.accounts.update(by, id, { email: "new@example.org" });
  },
  async roles_changed(bench, id) {
    await bench.auth.accounts.setRoles(by, id, ["operator"]);
  },
  async account_disabled(bench, id) {
    await bench.auth.accounts.update(by, id, { isDisabled: true });
  },
  async mfa_enabled(bench) {
    await enrol(bench);
  },
  async mfa_disabled(bench, id) {
    await enrol(bench);
    bench.notices.length = 0;
    await bench.auth.accounts.resetFactor(by, id);
  },
  async admin_action_new_ip(bench) {
    const identity = await bench.identity(await bench.token("ann"));
    const act = { client: "10.0.0.7", path: "/users", wantsFactor: false };
    for (let turn = 0; turn < 3; turn++) {
      assert.equal(
        await refusal(bench.auth.requireStepUp(identity, act)),
        "auth.step_up_required",
      );
    }
  },
};

const FACTS: Readonly<Record<string, Partial<SecurityNotice>>> = {
  account_locked: { client: "10.0.0.7", failures: 5 },
  login_after_failures: { client: "10.0.0.7", failures: 3 },
  password_changed: { client: HERE },
  email_changed: { newEmail: "new@example.org" },
  mfa_enabled: { client: HERE },
  admin_action_new_ip: { client: "10.0.0.7" },
};

async function fail(bench: AuthBench, times: number): Promise<void> {
  for (let turn = 0; turn < times; turn++) {
    const credentials = { username: "ann", password: "wrong" };
    assert.equal(await refusal(bench.auth.signIn(credentials, "10.0.0.7")), "auth.refused");
  }
}

async function enrol(bench: AuthBench): Promise<void> {
  const identity = await bench.identity(await bench.token("ann"));
  const { secret } = await bench.auth.secondFactor.enroll(identity);
  await bench.auth.secondFactor.confirm(identity, codeAt(secret, bench.clock), HERE);
}

const settings = "admin_new_ip_step_up = true\nmfa_recovery_code_count = 0\n";

for (const [event, cause] of Object.entries(CAUSES)) {
  Deno.test(`the owner is told of ${event}, at the former address, with its facts`, async () => {
    await using bench = await AuthBench.open({ settings });
    const id = await bench.user("ann", { email: ADDRESS });
    await bench.user("root", { roles: ["administrator"] });
    await cause(bench, id);
    const [notice, ...rest] = bench.notices;
    assert.deepEqual(rest, [], "once");
    const { at, ...told } = notice!;
    assert.deepEqual(withoutUndefined(told), {
      event,
      to: ADDRESS,
      username: "ann",
      ...FACTS[event],
    });
    assert.ok(Math.abs(at - bench.clock.now()) < 60_000);
    const { to, subject, text } = securityMail(notice!);
    assert.deepEqual(to, [ADDRESS]);
    assert.match(subject, /^\[MessageFoundry\] [A-Z]/);
    assert.match(text, new RegExp(`event: ${event}\\n`));
    assert.doesNotMatch(text, /lamps|undefined|PID|MSH/);
  });
}

Deno.test("nobody is told without an address, or where notices are off", async () => {
  for (const lines of [settings, `${settings}notify_security_events = false\n`]) {
    await using bench = await AuthBench.open({ settings: lines });
    const id = await bench.user("ann", lines === settings ? {} : { email: ADDRESS });
    await bench.user("root", { roles: ["administrator"] });
    for (const event of ["login_after_failures", "roles_changed", "account_disabled"]) {
      await CAUSES[event]!(bench, id);
      assert.deepEqual(bench.notices, [], event);
    }
  }
});

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined));
}
