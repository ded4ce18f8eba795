import assert from "node:assert/strict";
import { Engine } from "../../src/engine.ts";
import * as operations from "../../src/operations/mod.ts";
import {
  type Act,
  type Actor,
  isPermitted,
  localOperator,
  type Operation,
  OperationError,
  type Permission,
} from "../../src/operations/mod.ts";
import { operation } from "../../src/operations/operation.ts";
import { StoreError } from "../../src/store/errors.ts";
import type { Intent } from "../../src/store/intents.ts";
import { ApiBench } from "../api/bench.ts";
import { until } from "../connectors/waiting.ts";
import { admission } from "../walk/bench.ts";

// Goal: one gate for every act; without its permission nothing happens and nothing is told.

/** Every operation with what it is asked for: a new one must be named here. */
const INPUTS: Readonly<Record<string, unknown>> = {
  acknowledgeAlert: { id: 1 },
  checkIntegrity: undefined,
  createRole: { displayName: "r", description: null, permissions: ["monitoring:read"] },
  createUser: { username: "u", password: "p", displayName: null, email: null, roles: [] },
  deleteRole: { id: "x" },
  deleteUser: { id: "x" },
  endUserSessions: { id: "x" },
  listDeadLetters: { filter: {}, page: { limit: 1, offset: 0 } },
  listMessages: { filter: {}, page: { limit: 1, offset: 0 } },
  purgeConnection: { name: "OB_LAB", scope: "all" },
  reloadConfig: { dir: undefined, dryRun: false },
  replayDeadLetters: {},
  replayMessage: { id: "x" },
  resetStatistics: { all: true, targets: [] },
  resetUserFactor: { id: "x" },
  resetUserPassword: { id: "x" },
  resolveAlert: { id: 1 },
  restartConnection: { name: "OB_LAB" },
  searchMessages: {
    filter: {},
    needle: { content: "x" },
    target: "both",
    limit: 1,
    scanLimit: 1,
  },
  setChannelScope: { id: "x", channels: null },
  setGroupRoles: [],
  setGroupScopes: [],
  setUserRoles: { id: "x", roles: [] },
  startConnection: { name: "OB_LAB" },
  stopConnection: { name: "IB_ADT" },
  testConnection: { name: "OB_LAB" },
  unlockUser: { id: "x" },
  updateRole: { id: "x", draft: { displayName: "r", description: null, permissions: [] } },
  updateUser: { id: "x", edit: {} },
  viewMessage: { id: "x" },
  viewOutbound: { id: "x" },
  viewPosture: undefined,
  viewResponses: { id: "x" },
};

function all(): Map<string, Operation<unknown, unknown>> {
  const found = Object.entries(operations)
    .filter(([, value]) => typeof value === "object" && "perform" in value);
  return new Map(found as unknown as [string, Operation<unknown, unknown>][]);
}

Deno.test("permissions and approvals are those of the contract", () => {
  const carried = Object.fromEntries(
    [...all()].map(([name, { permission, approval }]) => [name, [permission, approval]]),
  );
  assert.deepEqual(carried, {
    acknowledgeAlert: ["monitoring:diagnose", undefined],
    checkIntegrity: ["monitoring:diagnose", undefined],
    createRole: ["users:manage", undefined],
    createUser: ["users:manage", undefined],
    deleteRole: ["users:manage", undefined],
    deleteUser: ["users:manage", undefined],
    endUserSessions: ["users:manage", undefined],
    listDeadLetters: ["messages:read", undefined],
    listMessages: ["messages:read", undefined],
    purgeConnection: ["messages:purge", "connection_purge"],
    reloadConfig: ["config:deploy", "config_reload"],
    replayDeadLetters: ["messages:replay", "dead_letter_replay"],
    replayMessage: ["messages:replay", undefined],
    resetStatistics: ["monitoring:diagnose", undefined],
    resetUserFactor: ["users:manage", undefined],
    resetUserPassword: ["users:manage", undefined],
    resolveAlert: ["monitoring:diagnose", undefined],
    restartConnection: ["connections:control", undefined],
    searchMessages: ["messages:read", undefined],
    setChannelScope: ["users:manage", undefined],
    setGroupRoles: ["users:manage", undefined],
    setGroupScopes: ["users:manage", undefined],
    setUserRoles: ["users:manage", undefined],
    startConnection: ["connections:control", undefined],
    stopConnection: ["connections:control", undefined],
    testConnection: ["connections:test", undefined],
    unlockUser: ["users:manage", undefined],
    updateRole: ["users:manage", undefined],
    updateUser: ["users:manage", undefined],
    viewMessage: ["messages:view_raw", undefined],
    viewOutbound: ["messages:view_raw", undefined],
    viewPosture: ["monitoring:read", undefined],
    viewResponses: ["messages:read", undefined],
  });
  assert.deepEqual([...all().keys()].sort(), Object.keys(INPUTS));
});

Deno.test("without its permission an operation touches nothing, whatever else is granted", async () => {
  const untouchable = new Proxy({}, {
    get: (_target, key) => {
      throw new Error(`The engine was asked for "${String(key)}"`);
    },
  }) as Engine;
  const everything = new Set([...all().values()].map(({ permission }) => permission));
  for (const [name, { permission, perform }] of all()) {
    const others = new Set<Permission>(everything);
    others.delete(permission);
    const actor: Actor = { name: "somebody", permissions: others };
    await assert.rejects(
      perform({ engine: untouchable, actor }, INPUTS[name]),
      (thrown: OperationError) => {
        assert.equal(thrown.code, "operation.forbidden", name);
        assert.match(thrown.message, /permission/);
        return true;
      },
      name,
    );
  }
});

Deno.test("the local operator may do everything, somebody only what is granted", () => {
  assert.equal(isPermitted(localOperator, "users:manage"), true);
  const viewer: Actor = { name: "v", permissions: new Set(["monitoring:read"]) };
  assert.equal(isPermitted(viewer, "monitoring:read"), true);
  assert.equal(isPermitted(viewer, "messages:read"), false);
  assert.equal(isPermitted({ name: "n", permissions: new Set() }, "monitoring:read"), false);
});

Deno.test("an audit fact is told after the act, with who did it, and never for an act that failed", async () => {
  await using bench = await ApiBench.open();
  const act: Act = { engine: bench.walk.engine, actor: { name: "ann", permissions: "all" } };
  const order: string[] = [];
  const good = operation({
    permission: "monitoring:read",
    run: () => {
      assert.deepEqual(bench.walk.auditLines("good"), []);
      order.push("run");
      return Promise.resolve(3);
    },
    audit: (_input: undefined, count) => ({ action: "good", fields: { count } }),
  });
  assert.equal(await good.perform(act, undefined), 3);
  const { actor, detail } = await bench.walk.audited("good");
  assert.deepEqual([actor, detail], ["ann", { count: 3 }]);
  const bad = operation({
    permission: "monitoring:read",
    run: (): Promise<number> => Promise.reject(new OperationError("message.not_found", "No")),
    audit: () => ({ action: "bad", fields: {} }),
  });
  await assert.rejects(bad.perform(act, undefined), OperationError);
  const silent = operation({
    permission: "monitoring:read",
    run: () => Promise.resolve(0),
    audit: () => undefined,
  });
  assert.equal(await silent.perform(act, undefined), 0);
  assert.deepEqual(bench.walk.auditLines("bad"), []);
  assert.deepEqual(order, ["run"]);
});

/** The audit log of the store and what the log told of it, each oldest first and as one text a row. */
async function bothLogs({ walk }: ApiBench): Promise<{ stored: string[]; told: string[] }> {
  const rows = await walk.engine.store.register("auditNewest", 100);
  const stored = rows.toReversed().map(({ at, action, actor, detail }) =>
    `${Number(at) / 1e6} ${actor} ${action} ${detail}`
  );
  const told = walk.log.flatMap((line) => {
    const [, text] = / messagefoundry\.audit: (\{.*\})$/.exec(line) ?? [];
    if (text === undefined) return [];
    const { ts, action, actor, detail } = JSON.parse(text);
    return [`${ts} ${actor} ${action} ${detail}`];
  });
  return { stored, told };
}

// Goal: a collector of the log has the audit log's own rows, each as it is chained.
Deno.test("each row that stands in the commit of its act is told as it stands", async () => {
  await using bench = await ApiBench.open();
  bench.lab.otherwise = { do: "ack", code: "AR" };
  await bench.send("L1", "L2");
  await bench.walk.disposition("L2", "error");
  bench.lab.otherwise = { do: "ack" };
  const act: Act = { engine: bench.walk.engine, actor: { name: "ann", permissions: "all" } };
  const { id } = await bench.walk.message("L1");
  await operations.viewMessage.perform(act, { id });
  await operations.replayMessage.perform(act, { id });
  await operations.replayDeadLetters.perform(act, { channel: undefined, destination: undefined });
  await bench.walk.drained();
  await operations.stopConnection.perform(act, { name: "OB_LAB" });
  await operations.purgeConnection.perform(act, { name: "OB_LAB", scope: "all" });
  await bench.send("L3");
  await until(() => act.engine.pipeline.outbounds.get("OB_LAB")!.depth === 1, "a row of the lab");
  await operations.purgeConnection.perform(act, { name: "OB_LAB", scope: "all" });
  const { stored, told } = await bothLogs(bench);
  assert.deepEqual(told, stored);
  assert.equal(stored.length, 6);
});

/** A bench whose lab is stopped, with so many rows that wait for it. */
async function waiting(count: number): Promise<ApiBench> {
  await using stack = new AsyncDisposableStack();
  const bench = stack.use(await ApiBench.open());
  await operations.stopConnection.perform(actOn(bench), { name: "OB_LAB" });
  await sendAtOnce(bench, Array.from({ length: count }, (_, index) => `L${index}`));
  await until(() => lab(bench).depth === count, "rows of the lab", 30_000);
  stack.move();
  return bench;
}

async function sendAtOnce({ walk, inboundPort }: ApiBench, ids: readonly string[]): Promise<void> {
  const sender = await walk.sender(inboundPort);
  sender.send(...ids.map((id) => admission(id)));
  await sender.waitForReplies(ids.length, 30_000);
}

function lab({ walk }: ApiBench) {
  return walk.engine.pipeline.outbounds.get("OB_LAB")!;
}

function actOn({ walk }: ApiBench): Act {
  return { engine: walk.engine, actor: { name: "ann", permissions: "all" } };
}

/** Has something happen before a commit of a purge, the first being 1. */
function beforeCancel({ walk: { engine } }: ApiBench, act: (commit: number) => Promise<unknown>) {
  const { store } = engine;
  const submit = store.submit.bind(store);
  let commits = 0;
  store.submit = (async (intent: Intent) => {
    if (intent.kind === "cancel") await act(commits += 1);
    return submit(intent);
  }) as typeof store.submit;
}

const purge = { name: "OB_LAB", scope: "all" } as const;

// Method: a purge of many rows is many commits; the third of them fails.
Deno.test("a purge in many commits tells of each, also when one of them fails", async () => {
  await using bench = await waiting(1_100);
  beforeCancel(bench, (commit) => {
    const failed = () => Promise.reject(new StoreError("store.busy", "Cannot write"));
    return commit === 3 ? failed() : Promise.resolve();
  });
  await assert.rejects(operations.purgeConnection.perform(actOn(bench), purge), StoreError);
  const { stored, told } = await bothLogs(bench);
  assert.deepEqual(told, stored);
  assert.equal(stored.filter((row) => row.endsWith('"cancelled":500}')).length, 2);
  assert.equal(lab(bench).depth, 100);
});

Deno.test("a purge goes no further once its connection is started again", async () => {
  await using bench = await waiting(600);
  const act = actOn(bench);
  beforeCancel(bench, async (commit) => {
    if (commit === 1) await operations.startConnection.perform(act, { name: "OB_LAB" });
  });
  const { cancelled } = await operations.purgeConnection.perform(act, purge);
  assert.ok(cancelled > 0 && cancelled <= 500, `${cancelled} cancelled`);
  await bench.walk.drained();
  assert.equal(bench.lab.received.length, 600 - cancelled);
});

Deno.test("a purge leaves what comes while it runs", async () => {
  await using bench = await waiting(600);
  beforeCancel(bench, async (commit) => {
    if (commit !== 2) return;
    await sendAtOnce(bench, Array.from({ length: 50 }, (_, index) => `L9${index}`));
    await until(() => lab(bench).depth === 650, "rows that came meanwhile");
  });
  const { cancelled } = await operations.purgeConnection.perform(actOn(bench), purge);
  assert.equal(cancelled, 600);
  assert.equal(lab(bench).depth, 50);
});

// What memory holds is in no commit: the connection is stopped, whatever becomes of the row.
Deno.test("an act whose row cannot be written is refused, and the log names it and who did it", async () => {
  await using bench = await ApiBench.open();
  const { store } = bench.walk.engine;
  const submit = store.submit.bind(store);
  store.submit =
    ((intent: Intent) =>
      intent.kind === "register" && intent.audit.length > 0
        ? Promise.reject(new StoreError("store.full", "Cannot write"))
        : submit(intent)) as typeof store.submit;
  const act = actOn(bench);
  await assert.rejects(operations.stopConnection.perform(act, { name: "OB_LAB" }), StoreError);
  assert.ok(lab(bench).isPaused);
  const line = bench.walk.log.find((one) => one.includes("operation.audit_failed"));
  assert.match(line ?? "", / act=connection_stop actor=ann error=StoreError/);
});

Deno.test("no audit line of any act holds a body, a name or an error's text", async () => {
  await using bench = await ApiBench.open();
  bench.lab.otherwise = { do: "ack", code: "AR" };
  await bench.send("B1", "X2");
  await bench.walk.disposition("B1", "error");
  const act: Act = { engine: bench.walk.engine, actor: localOperator };
  const { id } = await bench.walk.message("B1");
  const page = { limit: 50, offset: 0 };
  await operations.listMessages.perform(act, { filter: {}, page });
  await operations.viewMessage.perform(act, { id });
  await operations.viewOutbound.perform(act, { id });
  await operations.listDeadLetters.perform(act, { filter: {}, page });
  await operations.testConnection.perform(act, { name: "OB_LAB" });
  await operations.stopConnection.perform(act, { name: "IB_ADT" });
  await operations.startConnection.perform(act, { name: "IB_ADT" });
  await operations.restartConnection.perform(act, { name: "OB_ARCHIVE" });
  bench.lab.otherwise = { do: "ack" };
  await operations.replayMessage.perform(act, { id });
  await operations.resetStatistics.perform(act, { all: true, targets: [] });
  await bench.walk.disposition("B1", "processed");
  await bench.walk.engine.summaryAccess.flush();
  const audited = bench.walk.auditLines();
  assert.deepEqual(audited.map(({ action }) => action), [
    "message_view",
    "outbound.read",
    "connection_test",
    "connection_stop",
    "connection_start",
    "connection_restart",
    "message_replay",
    "stats_reset",
    "summary_access",
  ]);
  assert.ok(audited.every(({ actor }) => actor === "local"));
  assert.doesNotMatch(JSON.stringify(audited), /SAMPLE|PERSON|MSH|PID|B1|answered/, "no content");
});
