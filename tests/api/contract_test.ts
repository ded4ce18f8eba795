// Goal: clients written for the contract meet exactly its routes and its answers, and what the engine
// says of itself (OpenAPI) is the same.
// Method: the contract's own tables as data; every route declared, and every route called with
// success on a real engine.
import assert from "node:assert/strict";
import { accessTable, declareRoutes } from "../../src/api/app.ts";
import type { ApiContext } from "../../src/api/env.ts";
import { describedOf } from "../../src/api/openapi.ts";
import { type ContractRoute, contractRoutes, NEEDS_ACCOUNTS } from "./contract.ts";
import { OPEN_WHILE_PASSWORD_IS_DUE } from "./contract.ts";
import { contractAnswer, differences, emptyLists } from "./contract_answers.ts";
import { type Visit, visitEveryRoute } from "./every_route.ts";

const { routes } = declareRoutes({ engine: {} } as ApiContext);

/** Routes that are served beside the contract's, each with its reason. */
const EXTRA_ROUTES: Readonly<Record<string, string>> = {
  "GET /ready": "load balancers ask it, and sign in nowhere",
};

/** Routes that cannot succeed here, and what they answer. Source: spec api §1.6, §8 D10. */
const NEVER_SUCCEEDS: Readonly<Record<string, number>> = {
  "POST /dr/activate": 503,
  "POST /dr/release": 503,
  "POST /auth/negotiate": 401,
};

/** Keys that are there beside the contract's, each with its reason. Clients ignore them. */
const EXTRA_KEYS: Readonly<Record<string, string>> = {
  "GET /messages: .messages[].purged_at is more": "why the body of a message is empty",
  "GET /messages/search: .messages[].purged_at is more": "the same",
  "GET /messages/{message_id}: .purged_at is more": "the same",
  "GET /stats: .diagnostics is more": "what the store did, for tests of load",
};

/** What differs otherwise, each with its reason: contract rows that are not met. */
const NOT_MET: Readonly<Record<string, string>> = {
  "GET /status: .db.disk_free_bytes is no int":
    "null: the runtime tells free space with --allow-sys=statfs only, and the engine never has sys",
};

/** Lists of the contract that stay empty here, so that no entry of them is shown. */
const NOTHING_TO_SHOW: Readonly<Record<string, string>> = {
  "GET /security/posture: .plaintext_columns": "every column with patient data is sealed",
  "GET /channels: [].destinations": "constant by the contract",
  "GET /messages/{message_id}/responses: .responses": "no transport captures answers yet",
};

const keyOf = ({ method, path }: { method: string; path: string }) =>
  `${method} ${path.replace(/:(\w+)/g, "{$1}")}`;

Deno.test("every route of the contract is served for whom it says, and no other", () => {
  const served = new Map(accessTable(routes).map((route) => [keyOf(route), route.access]));
  const missing = contractRoutes.map(keyOf).filter((key) => !served.has(key));
  assert.deepEqual(missing, []);
  const known = new Set(contractRoutes.map(keyOf));
  const extra = [...served.keys()].filter((key) => !known.has(key));
  assert.deepEqual(extra, Object.keys(EXTRA_ROUTES));
  assert.equal(contractRoutes.length, 78);
  for (const route of contractRoutes) {
    const { mode, permissions, isLimited = false, ...rest } = served.get(keyOf(route))!;
    assert.deepEqual(
      { mode, permissions: [...permissions], isLimited, ...flagsOf(rest) },
      {
        mode: route.mode,
        permissions: [...route.permissions],
        isLimited: route.isLimited,
        needsAccounts: NEEDS_ACCOUNTS.test(route.path),
        isOpenWhilePasswordIsDue: OPEN_WHILE_PASSWORD_IS_DUE.includes(keyOf(route)),
      },
      keyOf(route),
    );
  }
});

function flagsOf(
  { needsAccounts = false, isOpenWhilePasswordIsDue = false }: {
    readonly needsAccounts?: boolean;
    readonly isOpenWhilePasswordIsDue?: boolean;
  },
) {
  return { needsAccounts, isOpenWhilePasswordIsDue };
}

Deno.test("routes with a name go before routes with a part in its place", () => {
  const order = routes.map(({ method, path }) => `${method} ${path}`);
  for (
    const [first, second] of [
      ["GET /messages/search", "GET /messages/:message_id"],
      ["PUT /roles/custom/:role_id", "PUT /roles/:role_id"],
    ] as const
  ) {
    assert.ok(order.includes(first));
    const after = order.indexOf(second);
    assert.ok(after < 0 || order.indexOf(first) < after, `${first} is shadowed`);
  }
});

Deno.test("every route declares the status the contract has for it", () => {
  const declared = new Map(describedOf(routes).map((route) => [keyOf(route), route.gives]));
  for (const route of contractRoutes) {
    const { status, canBeHeld } = declared.get(keyOf(route))!;
    assert.deepEqual([status, canBeHeld], [
      NEVER_SUCCEEDS[keyOf(route)] === 503 ? 503 : route.status,
      route.canBeHeld,
    ], keyOf(route));
  }
});

Deno.test("every route answers with exactly the keys of the contract", async () => {
  const { visits } = await visitEveryRoute();
  const found: string[] = [];
  const empty = new Set<string>();
  for (const route of contractRoutes) {
    // A WebSocket has no answer of its own; live_stats_test.ts sees its frames.
    if (route.answer === "frames") continue;
    const ofRoute = visits.filter((visit) => visit.route === keyOf(route));
    assert.ok(ofRoute.length > 0, `${keyOf(route)} was not called`);
    for (const visit of ofRoute) found.push(...problemsOf(route, visit, empty));
    if (route.canBeHeld) {
      assert.deepEqual([...new Set(ofRoute.map(({ answer }) => answer.status))].sort(), [200, 202]);
    }
  }
  const isExpected = (problem: string) => problem in EXTRA_KEYS || problem in NOT_MET;
  assert.deepEqual(found.filter((problem) => !isExpected(problem)), []);
  // What is listed as different has to be.
  const listed = [...Object.keys(EXTRA_KEYS), ...Object.keys(NOT_MET)];
  assert.deepEqual(listed.filter((problem) => !found.includes(problem)), []);
  assert.deepEqual([...empty].toSorted(), Object.keys(NOTHING_TO_SHOW).toSorted());
});

function problemsOf(route: ContractRoute, { answer }: Visit, empty: Set<string>): string[] {
  const key = keyOf(route);
  const never = NEVER_SUCCEEDS[key];
  const wanted = never ?? (answer.status === 202 && route.canBeHeld ? 202 : route.status);
  if (answer.status !== wanted) return [`${key}: ${answer.status} ${answer.text}`];
  const type = answer.headers.get("content-type");
  if (route.answer === "text") {
    return type === "text/plain; version=0.0.4; charset=utf-8" ? [] : [`${key}: is ${type}`];
  }
  if (type !== "application/json") return [`${key}: is ${type}`];
  const shape = contractAnswer(
    never !== undefined ? "SimpleMessage" : wanted === 202 ? "Pending" : route.answer,
  );
  for (const place of emptyLists(answer.json, shape)) empty.add(`${key}: ${place}`);
  // The same of the second entry of a list is the same difference.
  return differences(answer.json, shape)
    .map((text) => `${key}: ${text.replaceAll(/\[\d+\]/g, "[]")}`);
}

Deno.test("every answer fits what its route says of it", async () => {
  const declared = new Map(describedOf(routes).map((route) => [keyOf(route), route]));
  const wrong: string[] = [];
  for (const { route, answer } of (await visitEveryRoute()).visits) {
    const { gives } = declared.get(route)!;
    if (gives.model === undefined || answer.status !== gives.status) continue;
    const { error } = gives.model.safeParse(answer.json);
    if (error) wrong.push(`${route}: ${error.message}`);
  }
  assert.deepEqual(wrong, []);
});

/** Metrics of the contract, each with its labels. Source: spec api §1.6. */
const METRICS = `
build_info gauge version
messages_received_total counter connection
messages_errored_total counter connection
deliveries_total counter connection destination
deliveries_dead_total counter connection destination
queue_depth gauge connection destination
oldest_pending_age_seconds gauge connection destination
outbox_status gauge status
in_pipeline gauge
delivery_latency_seconds histogram connection destination
`;

Deno.test("/metrics has every metric of the contract, with its type and labels", async () => {
  const { visits } = await visitEveryRoute();
  const { text } = visits.find(({ route }) => route === "GET /metrics")!.answer;
  for (const line of METRICS.trim().split("\n")) {
    const [name, type, ...labels] = line.split(" ");
    assert.ok(text.includes(`\n# TYPE messagefoundry_${name} ${type}\n`), line);
    const suffix = type === "histogram" ? "_bucket" : "";
    const pattern = new RegExp(`^messagefoundry_${name}${suffix}(?:\\{(.*)\\})? [0-9.e+-]+$`, "gm");
    const samples = [...text.matchAll(pattern)];
    assert.ok(samples.length > 0, line);
    const wanted = type === "histogram" ? [...labels, "le"] : labels;
    for (const [, given = ""] of samples) {
      const names = [...given.matchAll(/(\w+)="/g)].map(([, label]) => label!);
      assert.deepEqual(names, wanted, line);
    }
  }
  const bounds = [...text.matchAll(/OB_LAB",le="([^"]+)"/g)].map(([, bound]) => bound);
  assert.deepEqual(bounds, [
    ...["0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "60", "120", "300", "+Inf"],
  ]);
});
