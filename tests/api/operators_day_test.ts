// Goal: a client written from the contract alone gets an operator, an approver and an administrator
// through a whole day over HTTPS, from the first password to the last sign-out.
// Method: one engine with the limits it has by default, one clock that the day moves; what the three
// did is then read from the audit log.
import assert from "node:assert/strict";
import { dirname } from "node:path";
import { openAuditRows, verifyAudit } from "../../src/audit/mod.ts";
import { codeAt } from "../auth/bench.ts";
import { ShiftedClock } from "../auth/shifted_clock.ts";
import { until } from "../connectors/waiting.ts";
import { ApiBench, type Json } from "./bench.ts";
import { DeskClient, DeskRefusal, InvalidAnswer, whyRefused } from "./desk_client.ts";
import { tlsLines, tlsOf, tlsTest } from "./https_bench.ts";

const SETTINGS = `[auth]
require_mfa = true
[approvals]
enabled = true
`;

/** Somebody at a desk: what they know, and the client they sit at. */
class Person implements Disposable {
  readonly name: string;
  password: string;
  secret = "";
  readonly client: DeskClient;
  readonly #clock: ShiftedClock;

  constructor(
    name: string,
    password: string,
    at: { base: string; ca: string; clock: ShiftedClock },
  ) {
    this.name = name;
    this.password = password;
    this.#clock = at.clock;
    this.client = new DeskClient({
      base: at.base,
      ca: at.ca,
      prompts: { password: () => this.password, code: () => this.code() },
    });
  }

  /** Of the authenticator; each is good once, so time passes first. */
  code(): string {
    this.#clock.pass({ seconds: 31 });
    return codeAt(this.secret, this.#clock);
  }

  signIn(): Promise<Json> {
    return this.client.login(this.name, this.password);
  }

  /** The first sign-in: everything is closed until the password is one's own. */
  async begin(next: string): Promise<void> {
    const { client } = this;
    const login = await this.signIn();
    assert.equal(login.must_change_password as unknown, true);
    assert.equal(await refusalOf(client.channels()), "403 must-change");
    assert.equal(await statusOf(client.changePassword("not mine", next)), 403);
    assert.equal(await statusOf(client.changePassword(this.password, "short")), 400);
    await client.changePassword(this.password, next);
    assert.equal(await statusOf(client.me()), 401, "every session ended");
    this.password = next;
    assert.equal((await this.signIn()).must_change_password as unknown, false);
  }

  async enroll(): Promise<readonly string[]> {
    const { client } = this;
    const { secret } = await client.mfaEnroll();
    this.secret = String(secret);
    assert.equal(await statusOf(client.mfaConfirm("000000")), 400);
    const { recovery_codes } = await client.mfaConfirm(this.code());
    return [...recovery_codes!].map(String);
  }

  [Symbol.dispose](): void {
    this.client[Symbol.dispose]();
  }
}

async function statusOf(call: Promise<unknown>): Promise<number> {
  try {
    await call;
  } catch (thrown) {
    if (thrown instanceof DeskRefusal) return thrown.status;
    throw thrown;
  }
  return 200;
}

/** `403 step-up`: the status, and what clients take it for. */
async function refusalOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (thrown) {
    if (thrown instanceof DeskRefusal) return `${thrown.status} ${whyRefused(thrown.detail)}`;
    throw thrown;
  }
  return "200";
}

/** Held acts are answered 202, which these clients cannot decode; that is known of them. */
async function held(call: Promise<unknown>): Promise<void> {
  await assert.rejects(call, InvalidAnswer);
}

tlsTest("an operator's day, by clients that know the contract alone", async ({ ca, server }) => {
  const clock = new ShiftedClock();
  await using bench = await ApiBench.open({
    settings: `${SETTINGS}[api]\n${tlsLines(server)}`,
    clock,
    tls: tlsOf(tlsLines(server)),
  });
  const { walk, lab } = bench;
  const at = {
    base: `https://localhost:${bench.api.port}`,
    ca: Deno.readTextFileSync(ca.file),
    clock,
  };
  const file = Deno.readTextFileSync(`${dirname(walk.storePath)}/bootstrap-admin.txt`);
  const [, firstPassword = ""] = /^username: admin\npassword: (\S+)\n$/.exec(file) ?? [];

  // The administrator comes first: own password, second factor, accounts for the others.
  using admin = new Person("admin", firstPassword, at);
  assert.deepEqual(await admin.client.providers(), { local: true, ad: false, kerberos: false });
  assert.equal((await admin.client.health()).version as unknown, null, "nobody is known yet");
  await admin.begin("seven tall ships before the storm");
  assert.notEqual((await admin.client.health()).version as unknown, null);
  assert.equal((await admin.client.mfaStatus()).required as unknown, true);
  const newcomer = (username: string, roles: readonly string[]) => ({
    username,
    password: `a first word for ${username.repeat(2)}!`,
    display_name: username.toUpperCase(),
    email: null,
    roles,
  });
  // An act that needs a factor, by somebody who has none: a code is asked for, and cannot be right.
  assert.equal(await statusOf(admin.client.createUser(newcomer("ann", ["operator"]))), 401);
  clock.pass({ minutes: 2 });
  const recovery = await admin.enroll();
  assert.equal(recovery.length, 10);
  const ids = new Map<string, string>();
  for (const [name, roles] of [["ann", ["operator"]], ["bob", ["administrator"]]] as const) {
    const user = await admin.client.createUser(newcomer(name, roles));
    ids.set(name, String(user.id));
    assert.equal(user.display_name as unknown, name.toUpperCase());
  }
  assert.equal(await statusOf(admin.client.createUser(newcomer("ann", []))), 409);
  assert.equal((await admin.client.users()).length, 3);
  clock.pass({ minutes: 2 });

  using ann = new Person("ann", newcomer("ann", []).password, at);
  await ann.begin("nine grey owls along the fence");
  using bob = new Person("bob", newcomer("bob", []).password, at);
  clock.pass({ minutes: 2 });
  await bob.begin("four old clocks in an attic");
  await bob.enroll();

  // Ann looks around: messages have come in, and the lab refuses them.
  lab.otherwise = { do: "ack", code: "AR" };
  await bench.send("L1", "B2", "F3");
  await walk.disposition("L1", "error");
  await walk.disposition("B2", "error");
  const desk = ann.client;
  assert.deepEqual([...(await desk.channels())].map(({ id }) => String(id)), ["IB_ADT"]);
  const rows = await desk.connections();
  assert.deepEqual([...rows].map(({ role }) => String(role)), [
    "source",
    "destination",
    "destination",
  ]);
  assert.equal((await desk.stats()).outbox_by_status!.dead as unknown, 2);
  assert.equal((await desk.status()).engine!.channels_running as unknown, 1);
  await walk.engine.pipeline.events.flush();
  assert.ok((await desk.events()).length > 0);
  assert.equal((await desk.clusterStatus()).role as unknown, "single-node");
  assert.equal((await desk.clusterNodes()).nodes!.length, 1);
  assert.equal((await desk.integrityCheck()).ok as unknown, true);
  assert.deepEqual(await desk.alertRules().then(({ rules }) => [...rules!]), []);
  const values = ["queue_buildup", "OB_LAB", "warning", 1e15, 1e15, 1, "2 rows wait"];
  const changes = [{ name: "alertRaise" as const, values, expect: 1 }];
  await walk.engine.store.submit({ kind: "register", changes, audit: [] });
  const [alert] = [...(await desk.alerts()).alerts!];
  assert.equal((await desk.ackAlert(Number(alert!.id))).acked_by as unknown, "ann");
  assert.equal((await desk.resolveAlert(Number(alert!.id))).status as unknown, "resolved");
  assert.equal(await statusOf(desk.resolveAlert(Number(alert!.id))), 404);

  // The search asks for the password again once the sign-in is a while ago.
  clock.pass({ minutes: 6 });
  const found = await desk.search({ field_path: "PID-3.1", field_value: "L1" });
  assert.deepEqual([found.matched as unknown, ann.client.prompted], [1, ["password"]]);
  const [hit] = [...found.messages!];
  const detail = await desk.message(String(hit!.id));
  assert.match(String(detail.raw), /^MSH\|/);
  assert.equal((await desk.messages({ status: "filtered" })).total as unknown, 1);
  assert.equal((await desk.deadLetters()).total as unknown, 2);
  // The lab is well again: one message by itself, the rest together, which needs a second person.
  lab.otherwise = { do: "ack" };
  assert.equal((await desk.replay(String(hit!.id))).requeued as unknown, 1);
  await walk.disposition("L1", "processed");
  await held(desk.replayDeadLetters("OB_LAB"));
  assert.equal((await desk.deadLetters()).total as unknown, 1, "nothing happened yet");

  // A stopped lane is purged when bob agrees; ann cannot agree with herself, nor look at requests.
  assert.equal(await statusOf(desk.purge("OB_LAB", "all")), 409, "it runs");
  await desk.control("OB_LAB", "stop");
  await bench.send("L4", "L5");
  const lane = walk.engine.pipeline.outbounds.get("OB_LAB")!;
  await until(() => lane.depth === 2, "two rows that wait");
  await held(desk.purge("OB_LAB", "all"));
  assert.equal(await refusalOf(desk.approvals()), "403 permission");
  assert.equal(lane.depth, 2);
  const { approvals } = await bob.client.approvals();
  assert.deepEqual([...approvals!].map(({ operation, requester }) => `${operation} ${requester}`), [
    "connection_purge ann",
    "dead_letter_replay ann",
  ]);
  const [purge, replay] = [...approvals!].map(({ id }) => String(id));
  const purged = await bob.client.decide(purge!, "approve");
  assert.deepEqual([purged.requested_by, purged.approved_by, purged.result] as unknown[], [
    "ann",
    "bob",
    { cancelled: 2 },
  ]);
  assert.equal(await statusOf(bob.client.decide(purge!, "approve")), 409, "once");
  await desk.control("OB_LAB", "start");
  const replayed = await bob.client.decide(replay!, "approve");
  assert.deepEqual(replayed.result, { requeued: 1 });
  await walk.disposition("B2", "processed");
  assert.equal((await desk.deadLetters()).total as unknown, 0);
  assert.ok(Number((await desk.resetStatistics({ all: true })).reset) > 0);
  assert.equal(await refusalOf(desk.users()), "403 permission");

  // Bob brings a changed bundle in. His window closed long ago, his code was given at the sign-in.
  const before = (await bob.client.provenance()).fingerprint;
  const module = "graph/walk.ts";
  const text = await Deno.readTextFile(`${walk.dir}/${module}`);
  await walk.bundle.write(module, text.replace('outbound("OB_IDLE"', 'outbound("OB_NEXT"'));
  assert.equal((await bob.client.provenance()).drift as unknown, true);
  clock.pass({ minutes: 6 });
  assert.equal((await bob.client.reload(null)).outbound as unknown, 3);
  // The first time was for the way to his factor: with one to come, a sign-in covers nothing.
  assert.deepEqual(bob.client.prompted, ["password", "password"]);
  assert.notEqual((await bob.client.provenance()).fingerprint, before);
  assert.equal(await statusOf(bob.client.reload("/etc")), 403);

  // The administrator signs in anew: the code is asked for when it is needed, and once.
  clock.pass({ minutes: 2 });
  assert.equal((await admin.signIn()).mfa_required as unknown, true);
  const role = { display_name: "Night", description: null, permissions: ["monitoring:read"] };
  const night = await admin.client.createRole(role);
  assert.deepEqual(admin.client.prompted, ["code", "password", "code"]);
  const roleId = String(night.id);
  await admin.client.updateRole(roleId, { ...role, permissions: ["audit:read"] });
  assert.equal((await admin.client.roles()).length, 7);
  const annId = ids.get("ann")!;
  await admin.client.setRoles(annId, ["operator", roleId]);
  assert.equal(await statusOf(desk.connections()), 401, "her session is over");
  await ann.signIn();
  assert.ok((await desk.audit()).entries!.length > 20, "and her next one has the role");
  await admin.client.setChannelScope(annId, ["IB_ADT", "IB_ADT"]);
  assert.deepEqual([...(await admin.client.channelScope(annId)).channels!].map(String), ["IB_ADT"]);
  await ann.signIn();
  assert.deepEqual([...(await desk.connections())].map(({ role }) => String(role)), ["source"]);
  assert.equal(await statusOf(desk.control("OB_LAB", "stop")), 403, "it is shared");
  await admin.client.setChannelScope(annId, null);
  await admin.client.deleteRole(roleId);
  assert.equal((await admin.client.customRoles()).length, 0);
  assert.deepEqual(await admin.client.groupMap(), { entries: [] });
  await admin.client.resetMfa(ids.get("bob")!);
  assert.equal(await statusOf(bob.client.me()), 401);

  // Sign-ins elsewhere are seen and ended; a recovery code stands in for the lost authenticator.
  clock.pass({ minutes: 2 });
  using elsewhere = new Person("admin", admin.password, at);
  await elsewhere.signIn();
  assert.equal(await statusOf(elsewhere.client.mfaVerify("ABCDE-FGHJK-MNPQR")), 401);
  await elsewhere.client.mfaVerify(recovery[0]!.toLowerCase());
  assert.equal(await statusOf(elsewhere.client.mfaVerify(recovery[0]!)), 401, "used");
  assert.equal((await admin.client.mfaStatus()).recovery_codes_remaining as unknown, 9);
  const sessions = [...(await admin.client.sessions()).sessions!];
  // This one, the one elsewhere, and the one of the morning.
  assert.deepEqual(sessions.map(({ current }) => current as unknown).toSorted(), [
    false,
    false,
    true,
  ]);
  await admin.client.endOtherSessions();
  assert.equal(await statusOf(elsewhere.client.me()), 401);
  await admin.client.deleteUser(ids.get("bob")!);
  assert.equal((await admin.client.users()).length, 2);
  const record = await admin.client.audit() as unknown as { readonly entries: readonly Json[] };
  await admin.client.logout();
  assert.equal(await statusOf(admin.client.me()), 401);

  checkRecord(record.entries);
  using log = openAuditRows(walk.storePath, undefined);
  const verdict = verifyAudit(log.rows(), log.key);
  assert.ok(verdict.ok && verdict.rows > record.entries.length, "the chain holds");
});

/** Who did what, by the audit log, newest first. */
function checkRecord(entries: readonly Json[]): void {
  const acts = entries.map(({ actor, action }) => `${actor} ${action}`);
  for (
    const act of [
      "bootstrap auth.bootstrap_admin_created",
      "admin auth.password_changed",
      "admin auth.mfa_enrolled",
      "admin user.created",
      "ann alert_ack",
      "ann alert_resolve",
      "ann message_search",
      "ann message_view",
      "ann message_replay",
      "ann approval.requested",
      "bob approval.approved",
      "ann connection_purge",
      "ann dead_letter_replay",
      "ann auth.permission_denied",
      "bob config_reload",
      "bob config_reload_denied",
      "admin user.roles_changed",
      "admin user.channel_scope_changed",
      "ann auth.channel_denied",
      "admin role.created",
      "admin role.updated",
      "admin role.deleted",
      "admin auth.mfa_reset",
      "admin auth.mfa_verified",
      "admin auth.mfa_failed",
      "admin auth.session_revoked",
      "admin user.deleted",
    ]
  ) assert.ok(acts.includes(act), `${act} is not in the audit log`);
  assert.doesNotMatch(JSON.stringify(entries), /SAMPLE|PERSON|owls|ships|clocks|MSH/);
}
