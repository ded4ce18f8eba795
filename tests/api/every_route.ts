/**
 * One good request to every route of a real engine, in an order in which each can succeed: what the
 * answers are held against stands elsewhere.
 */
import assert from "node:assert/strict";
import type { Clock } from "../../src/clock.ts";
import { PASSWORD } from "../auth/bench.ts";
import { ShiftedClock } from "../auth/shifted_clock.ts";
import { pause } from "../connectors/waiting.ts";
import { type Answer, ApiBench } from "./bench.ts";
import { ApiClient, unlimited } from "./client.ts";

export interface Visit {
  /** `GET /messages/{message_id}`. */
  readonly route: string;
  readonly answer: Answer;
}

const SETTINGS = `${unlimited}
[alerts]
webhook_url = "https://hooks.invalid/in"
webhook_allowed_hosts = ["hooks.invalid"]
smtp_allowed_hosts = ["mail.invalid"]

[[alerts.rules]]
event_type = "storage_threshold"
transports = ["webhook"]
`;

const HELD = `[approvals]
enabled = true
operations = ["connection_purge", "dead_letter_replay", "config_reload"]
`;

/** Rows of the audit log that the visits left. */
export interface AuditedVisit {
  readonly action: string;
  readonly actor: string;
  readonly channel: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface Visits {
  readonly visits: readonly Visit[];
  readonly audited: readonly AuditedVisit[];
}

let visited: Promise<Visits> | undefined;

/** Calls every route, once for all tests; the acts that can be held are answered both ways. */
export function visitEveryRoute(): Promise<Visits> {
  return visited ??= (async () => {
    const [plain, held] = [await visitPlain(), await visitHeld()];
    return {
      visits: [...plain.visits, ...held.visits],
      audited: [...plain.audited, ...held.audited],
    };
  })();
}

async function auditedOf({ walk: { engine } }: ApiBench): Promise<readonly AuditedVisit[]> {
  await engine.summaryAccess.flush();
  const rows = await engine.store.register("auditNewest", 1_000);
  return rows.map(({ action, actor, channel_id, detail }) => ({
    action: String(action),
    actor: String(actor),
    channel: channel_id as string | null,
    detail: detail === null ? {} : JSON.parse(String(detail)),
  }));
}

async function visitPlain(): Promise<Visits> {
  const clock = new ShiftedClock();
  await using bench = await ApiBench.open({ settings: SETTINGS, clock });
  const root = await ApiClient.of(bench, "root", {
    roles: ["administrator"],
    email: "root@example.invalid",
  });
  const tour = new Tour(bench, root);
  await visitMessages(tour, bench);
  await visitConnections(tour);
  await visitMonitoring(tour);
  await visitAccounts(tour);
  await visitOwnAccount(tour, clock);
  return { visits: tour.visits, audited: await auditedOf(bench) };
}

class Tour {
  readonly visits: Visit[] = [];
  readonly bench: ApiBench;
  readonly client: ApiClient;

  constructor(bench: ApiBench, client: ApiClient) {
    this.bench = bench;
    this.client = client;
  }

  /** `route` with `{parts}`; `parts` takes their place in order. */
  async visit(
    route: string,
    { parts = [], query = "", body }: {
      parts?: readonly (string | number)[];
      query?: string;
      body?: unknown;
    } = {},
  ): Promise<Answer> {
    const [method = "", pattern = ""] = route.split(" ");
    const left = [...parts];
    const path = pattern.replace(/\{\w+\}/g, () => encodeURIComponent(String(left.shift())));
    const answer = await this.client.request(method, `${path}${query}`, body);
    this.visits.push({ route, answer });
    return answer;
  }
}

async function visitMessages(tour: Tour, bench: ApiBench): Promise<void> {
  const { walk, lab } = bench;
  lab.otherwise = { do: "ack", code: "AR" };
  await bench.send("L1", "B2");
  await walk.disposition("L1", "error");
  await walk.disposition("B2", "error");
  await tour.visit("GET /dead-letters");
  lab.otherwise = { do: "ack" };
  const body = { channel_id: "IB_ADT" };
  await tour.visit("POST /dead-letters/replay", { body });
  await walk.disposition("L1", "processed");
  await walk.disposition("B2", "processed");
  const { id } = await walk.message("B2");
  await tour.visit("GET /messages");
  await tour.visit("GET /messages/search", { query: "?content=SAMPLE" });
  await tour.visit("GET /messages/{message_id}", { parts: [id] });
  await tour.visit("GET /messages/{message_id}/outbound", { parts: [id] });
  await tour.visit("GET /messages/{message_id}/responses", { parts: [id] });
  await tour.visit("POST /messages/{message_id}/replay", { parts: [id] });
  await walk.drained();
}

async function visitConnections(tour: Tour): Promise<void> {
  await tour.visit("GET /channels");
  await tour.visit("GET /connections");
  await recorded(tour.bench);
  await tour.visit("GET /events");
  const inbound = { parts: ["IB_ADT"] };
  await tour.visit("GET /connections/{name}/events", inbound);
  await tour.visit("GET /connections/{name}/metadata", { parts: ["OB_LAB"] });
  await tour.visit("POST /connections/{name}/test", { parts: ["OB_LAB"] });
  await tour.visit("POST /connections/{name}/stop", inbound);
  await tour.visit("POST /connections/{name}/start", inbound);
  await tour.visit("POST /connections/{name}/restart", inbound);
  await tour.bench.walk.engine.pipeline.outbounds.get("OB_LAB")!.pause();
  await tour.visit("POST /connections/{name}/purge", { parts: ["OB_LAB"], query: "?scope=top" });
  await tour.visit("POST /statistics/reset", { body: { all: true } });
  await tour.visit("POST /config/reload", { body: { config_dir: null, dry_run: true } });
  await tour.visit("POST /config/reload", { body: {} });
  await tour.visit("GET /config/provenance");
}

/** Events of connections are written a moment after they happen. */
async function recorded({ walk }: ApiBench): Promise<void> {
  const deadline = performance.now() + 10_000;
  while ((await walk.engine.store.connectionEvents({ limit: 1, kinds: [] })).length === 0) {
    assert.ok(performance.now() < deadline, "waited for an event of a connection");
    await pause(20);
  }
}

async function visitMonitoring(tour: Tour): Promise<void> {
  const { store } = tour.bench.walk.engine;
  const values = ["queue_buildup", "OB_LAB", "warning", 1e15, 1e15 + 1, 2, "2 rows wait"];
  await store.submit({
    kind: "register",
    changes: [{ name: "alertRaise", values, expect: 1 }],
    audit: [],
  });
  const { json } = await tour.visit("GET /alerts/active");
  const parts = [String(json.alerts![0]!.id)];
  await tour.visit("POST /alerts/{alert_id}/ack", { parts });
  await tour.visit("POST /alerts/{alert_id}/resolve", { parts });
  for (
    const route of [
      "GET /alerts/rules",
      "GET /health",
      "GET /ai/policy",
      "GET /security/posture",
      "GET /stats",
      "GET /metrics",
      "GET /status",
      "POST /status/integrity-check",
      "GET /cluster/status",
      "GET /cluster/nodes",
      "GET /dr/status",
      "POST /dr/activate",
      "POST /dr/release",
      "GET /service/status",
      "GET /audit",
    ]
  ) await tour.visit(route);
}

async function visitAccounts(tour: Tour): Promise<void> {
  const role = { display_name: "Watch", description: null, permissions: ["monitoring:read"] };
  const made = await tour.visit("POST /roles/custom", { body: role });
  const roleId = String(made.json.id);
  await tour.visit("PUT /roles/custom/{role_id}", { parts: [roleId], body: role });
  await tour.visit("GET /roles");
  await tour.visit("GET /roles/custom");
  const body = { username: "newcomer", password: "nine grey owls on a fence", roles: [roleId] };
  const created = await tour.visit("POST /users", { body });
  const parts = [String(created.json.id)];
  await tour.visit("GET /users");
  await tour.visit("PATCH /users/{user_id}", { parts, body: { display_name: "New" } });
  await tour.visit("PUT /users/{user_id}/roles", { parts, body: { roles: ["viewer"] } });
  await tour.visit("PUT /users/{user_id}/channel-scope", { parts, body: { channels: ["IB_ADT"] } });
  await tour.visit("GET /users/{user_id}/channel-scope", { parts });
  await tour.visit("POST /users/{user_id}/reset-password", { parts });
  await tour.visit("POST /users/{user_id}/reset-mfa", { parts });
  await tour.visit("DELETE /users/{user_id}/sessions", { parts });
  await tour.visit("DELETE /users/{user_id}", { parts });
  await tour.visit("PUT /ad-group-map", { body: { entries: [{ ad_group: "Ops", role: roleId }] } });
  await tour.visit("GET /ad-group-map");
  const scopes = { entries: [{ ad_group: "Ops", channel: "*" }] };
  await tour.visit("PUT /ad-group-scope-map", { body: scopes });
  await tour.visit("GET /ad-group-scope-map");
  await tour.visit("DELETE /roles/custom/{role_id}", { parts: [roleId] });
}

async function visitOwnAccount(tour: Tour, clock: Clock & ShiftedClock): Promise<void> {
  const { client, bench } = tour;
  await tour.visit("GET /auth/providers");
  await tour.visit("GET /auth/me");
  await tour.visit("GET /me/mfa");
  await tour.visit("POST /me/reauth", { body: { password: PASSWORD } });
  const { json } = await tour.visit("POST /me/mfa/enroll");
  client.secret = String(json.secret);
  await tour.visit("POST /me/mfa/confirm", { body: { code: client.code() } });
  clock.pass({ seconds: 60 });
  await tour.visit("POST /auth/mfa-verify", { body: { code: client.code() } });
  await tour.visit("DELETE /me/mfa");
  const other = new ApiClient(bench, "root");
  await other.signIn();
  const listed = await tour.visit("GET /me/sessions");
  const { id } = [...listed.json.sessions!].find(({ current }) => !current)!;
  await tour.visit("DELETE /me/sessions/{session_id}", { parts: [String(id)] });
  await tour.visit("DELETE /me/sessions");
  await tour.visit("GET /me/security-events");
  const next = "a slow train over the frozen river";
  const body = { current_password: PASSWORD, new_password: next };
  await tour.visit("POST /me/password", { body });
  const login = { username: "root", password: next, provider: "local" };
  const answer = await tour.visit("POST /auth/login", { body: login });
  client.token = String(answer.json.token);
  await tour.visit("POST /auth/logout", { body: {} });
  const negotiation = await bench.request("/auth/negotiate", {
    method: "POST",
    headers: { authorization: "Negotiate YII=" },
  });
  tour.visits.push({ route: "POST /auth/negotiate", answer: negotiation });
}

/** The acts that wait for a second person, and that person's part. */
async function visitHeld(): Promise<Visits> {
  await using bench = await ApiBench.open({ settings: `${unlimited}${HELD}` });
  const asking = new Tour(bench, await ApiClient.of(bench, "ann", { roles: ["administrator"] }));
  const deciding = new Tour(bench, await ApiClient.of(bench, "bob", { roles: ["administrator"] }));
  await bench.walk.engine.pipeline.outbounds.get("OB_LAB")!.pause();
  const held = [
    await asking.visit("POST /connections/{name}/purge", { parts: ["OB_LAB"] }),
    await asking.visit("POST /dead-letters/replay", { body: {} }),
    await asking.visit("POST /config/reload", { body: { config_dir: null } }),
  ];
  await deciding.visit("GET /approvals");
  const [purge, replay, reload] = held.map(({ json }) => String(json.approval_id));
  await deciding.visit("POST /approvals/{approval_id}/approve", { parts: [purge!] });
  await deciding.visit("POST /approvals/{approval_id}/approve", { parts: [replay!] });
  await deciding.visit("POST /approvals/{approval_id}/reject", { parts: [reload!] });
  for (const { status, text } of held) assert.equal(status, 202, text);
  const visits = [...asking.visits, ...deciding.visits];
  return { visits, audited: await auditedOf(bench) };
}
