// Goal: every act leaves the row that readers of the audit log know, with exactly its details.
// Method: the contract's table as text; every route called with success, and what fails beside it.
import assert from "node:assert/strict";
import { ApiBench } from "./bench.ts";
import { ApiClient, unlimited } from "./client.ts";
import { type AuditedVisit, visitEveryRoute } from "./every_route.ts";

/**
 * Source: spec api §2.12, §1.3, §6.3. `action: keys`; a key in brackets can be absent, one with `+` is
 * ours beside the contract's.
 */
const CONTRACT = `
auth.login_success: provider mfa_required +client
auth.login_failed: provider reason +client
auth.login_locked: +provider +client
auth.logout:
auth.password_changed:
auth.bootstrap_admin_created:
auth.bootstrap_admin_retired: reason
auth.reauth: ok provider
auth.mfa_enroll_started:
auth.mfa_enrolled:
auth.mfa_verified:
auth.mfa_failed: [phase] [reason]
auth.mfa_disabled: scope
auth.mfa_reset: user_id username webauthn_credentials_removed
auth.password_reset: user_id username
auth.session_revoked: scope [session] [count] [user_id]
auth.permission_denied: permission path
auth.channel_denied: channel
auth.admin_action_new_ip: path known_ip seen_ip
user.created: username roles
user.updated: user_id
user.deleted: user_id +username
user.roles_changed: user_id roles
user.channel_scope_changed: user_id channels
role.created: role_id permissions
role.updated: role_id permissions
role.deleted: role_id permissions
ad_group_map.updated: count
ad_group_scope_map.updated: count
message_view: message_id
message_replay: message_id requeued
message_search: [status] [message_type] by_control_id target [field_path] [needle] scanned matched
response.read: message_id count body
outbound.read: message_id count
summary_access: count window_start
dead_letter_replay: destination_name requeued
connection_test: connection direction supported success [detail]
stats_reset: all reset
config_reload: dir inbound outbound dry_run fingerprint files [git_head]
config_reload_check: dir inbound outbound dry_run fingerprint files [git_head]
config_reload_denied: requested dry_run
config_reload_failed: requested dry_run reason
approval.requested: approval_id operation
approval.approved: approval_id operation requester
approval.rejected: approval_id operation requester
alert_ack: alert_id
alert_resolve: alert_id
security.posture_view:
`;

/** Rows of ours that the contract does not have: acts it leaves unwritten. */
const OURS = `
connection_start: connection direction running
connection_stop: connection direction running
connection_restart: connection direction running
connection_purge: connection scope cancelled
integrity_check: ok
`;

function tableOf(text: string): ReadonlyMap<string, readonly string[]> {
  return new Map(
    text.trim().split("\n").map((line) => {
      const [action = "", keys = ""] = line.split(":");
      return [action, keys.split(" ").filter((key) => key !== "")];
    }),
  );
}

/** What differs between a row and its line. */
function differenceOf({ action, detail }: AuditedVisit): string | undefined {
  const line = table.get(action);
  if (line === undefined) return `${action} is in no table`;
  const known = line.map((key) => key.replace(/[[\]+]/g, ""));
  const needed = line.filter((key) => !key.startsWith("[")).map((key) => key.replace("+", ""));
  const keys = Object.keys(detail);
  const extra = keys.filter((key) => !known.includes(key));
  const missing = needed.filter((key) => !keys.includes(key));
  if (extra.length + missing.length === 0) return undefined;
  return `${action}: more ${extra.join(" ")}, missing ${missing.join(" ")}`;
}

const table = new Map([...tableOf(CONTRACT), ...tableOf(OURS)]);

/** Rows of what fails: too many passwords, no permission, a wrong code, a foreign channel. */
async function failures(): Promise<readonly AuditedVisit[]> {
  await using bench = await ApiBench.open({
    settings: `${unlimited}lockout_threshold = 1\nadmin_new_ip_step_up = true\n`,
  });
  const root = await ApiClient.of(bench, "root", { roles: ["administrator"] });
  const scoped = await ApiClient.of(bench, "scoped", { roles: ["operator"], scope: '["IB_X"]' });
  const login = (username: string) => bench.post("/auth/login", { username, password: "wrong" });
  await login("nobody");
  await login("scoped");
  await login("scoped");
  assert.equal((await scoped.get("/users")).status, 403);
  assert.equal((await scoped.post("/connections/IB_ADT/stop")).status, 403);
  await root.post("/me/reauth", { password: "wrong" });
  await root.post("/me/mfa/enroll");
  await root.post("/me/mfa/confirm", { code: "000000" });
  await root.post("/auth/mfa-verify", { code: "000000" });
  await root.post("/auth/mfa-verify", { code: "000000" });
  await root.post("/config/reload", { config_dir: "/etc" });
  await root.post("/config/reload", { config_dir: `${bench.walk.dir}/missing` });
  const rows = await bench.walk.engine.store.register("auditNewest", 1_000);
  return rows.map(({ action, actor, channel_id, detail }) => ({
    action: String(action),
    actor: String(actor),
    channel: channel_id as string | null,
    detail: detail === null ? {} : JSON.parse(String(detail)),
  }));
}

Deno.test("every audited act has the details of the contract, and all of them are seen", async () => {
  const rows = [...(await visitEveryRoute()).audited, ...await failures()];
  assert.deepEqual(
    [...new Set(rows.map(differenceOf).filter((text) => text !== undefined))],
    [],
  );
  const seen = new Set(rows.map(({ action }) => action));
  // It needs another address: second_factor_test.ts.
  const elsewhere = ["auth.admin_action_new_ip"];
  const unseen = [...table.keys()].filter((action) => !seen.has(action));
  assert.deepEqual(unseen, elsewhere);
});

Deno.test("rows name the inbound they are about where they are about one", async () => {
  const { audited } = await visitEveryRoute();
  const channelOf = (
    action: string,
  ) => [...new Set(audited.filter((row) => row.action === action).map(({ channel }) => channel))];
  assert.deepEqual(channelOf("dead_letter_replay"), ["IB_ADT"]);
  assert.deepEqual(channelOf("user.created"), [null]);
});
