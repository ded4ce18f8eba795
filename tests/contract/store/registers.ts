/**
 * Registers: changes whole or not at all, with their audit rows, apart from the messages (I53).
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type RegisterChangeName,
  registerChanges,
  registerQueries,
  type RegisterQueryName,
  type RegisterValue,
} from "../../../src/store/registers/mod.ts";
import type { Store } from "../../../src/store/store.ts";
import { delivery, type StoreBackend, StoreBench } from "./bench.ts";

interface Event {
  readonly type?: string;
  readonly connection?: string;
  readonly severity?: string;
  readonly first?: number;
  readonly last?: number;
  readonly count?: number;
  readonly reason?: string;
}

function raise(store: Store, event: Event = {}) {
  const { type = "queue_buildup", connection = "OB", severity = "warning" } = event;
  const { first = 1, last = first, count = 1, reason = "3 rows wait" } = event;
  const values = [type, connection, severity, first, last, count, reason];
  return store.submit({ kind: "register", changes: [{ name: "alertRaise", values }], audit: [] });
}

async function change(
  store: Store,
  name: "alertAcknowledge" | "alertResolve",
  values: readonly RegisterValue[],
): Promise<boolean> {
  const audit = [{ at: 1, actor: "ann", action: `test.${name}`, channel: null, detail: null }];
  const changes = [{ name, values, expect: 1 }];
  return (await store.submit({ kind: "register", changes, audit })).applied;
}

type Act = { readonly kind: "raise"; readonly type: string; readonly count: number } | {
  readonly kind: "alertAcknowledge" | "alertResolve";
  readonly id: number;
};

const act: fc.Arbitrary<Act> = fc.oneof(
  fc.record({
    kind: fc.constant("raise" as const),
    type: fc.constantFrom("queue_buildup", "cert_expiry"),
    count: fc.integer({ min: 1, max: 9 }),
  }),
  fc.record({
    kind: fc.constantFrom("alertAcknowledge" as const, "alertResolve" as const),
    id: fc.integer({ min: 1, max: 6 }),
  }),
);

function append(store: Store, action: string, actor = "ann") {
  const audit = [{ at: 1, actor, action, channel: null, detail: null }];
  return store.submit({ kind: "register", changes: [], audit });
}

export function testRegisters(backend: StoreBackend): void {
  const { name } = backend;

  Deno.test(`${name} alertRaise makes one live instance and adds to it until it is resolved`, async () => {
    await using bench = await StoreBench.open(backend);
    const { store } = bench;
    await raise(store, { first: 10, count: 2 });
    await raise(store, {
      first: 20,
      last: 30,
      count: 3,
      severity: "critical",
      reason: "9 rows wait",
    });
    await raise(store, { connection: "OB_2", first: 25 });
    await raise(store, { type: "connection_stopped", first: 5 });
    const live = await store.register("alertsLive", 10);
    assert.deepEqual(
      live.map((
        { event_type, connection, count, last_seen },
      ) => [event_type, connection, count, last_seen]),
      [
        ["queue_buildup", "OB", 5, 30],
        ["queue_buildup", "OB_2", 1, 25],
        ["connection_stopped", "OB", 1, 5],
      ],
    );
    assert.deepEqual((await store.register("alertsLive", 1)).length, 1);
    const [{ id, first_seen, severity, status, reason, acked_by }] = live as [
      Record<string, RegisterValue>,
    ];
    assert.deepEqual([first_seen, severity, status, reason, acked_by], [
      10,
      "critical",
      "open",
      "9 rows wait",
      null,
    ]);
    assert.ok(await change(store, "alertAcknowledge", ["ann", 40, id!]));
    assert.ok(await change(store, "alertAcknowledge", ["bob", 50, id!]));
    await raise(store, { first: 60 });
    const [acked] = await store.register("alertById", id!);
    assert.deepEqual(
      [acked?.status, acked?.acked_by, acked?.acked_at, acked?.count],
      ["acknowledged", "ann", 40, 6],
    );
    assert.deepEqual(await store.register("alertsOpen"), [
      { connection: "OB", open: 1 },
      { connection: "OB_2", open: 1 },
    ]);
    assert.ok(await change(store, "alertResolve", [70, id!]));
    await raise(store, { first: 80 });
    const again = (await store.register("alertsLive", 10))[0];
    assert.notEqual(again?.id, id);
    assert.deepEqual([again?.count, again?.first_seen, again?.status], [1, 80, "open"]);
    const [gone] = await store.register("alertById", id!);
    assert.deepEqual([gone?.status, gone?.resolved_at, gone?.count], ["resolved", 70, 6]);
  });

  Deno.test(`${name} what is resolved or was never there is neither acknowledged nor resolved, nor audited`, async () => {
    await using bench = await StoreBench.open(backend);
    const { store } = bench;
    await raise(store);
    assert.ok(await change(store, "alertResolve", [2, 1]));
    assert.ok(!await change(store, "alertResolve", [3, 1]));
    assert.ok(!await change(store, "alertAcknowledge", ["ann", 3, 1]));
    assert.ok(!await change(store, "alertResolve", [3, 99]));
    const actions = (await store.register("auditNewest", 10)).map(({ action }) => action);
    assert.deepEqual(actions, ["test.alertResolve"]);
  });

  Deno.test(`${name} in any order of acts, each event is counted in exactly one instance`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { maxLength: 30 }), async (acts) => {
        await using bench = await StoreBench.open(backend);
        const { store } = bench;
        const model: { id: number; type: string; status: string; count: number }[] = [];
        for (const [at, one] of acts.entries()) {
          if (one.kind === "raise") {
            await raise(store, { type: one.type, count: one.count, first: at });
            const live = model.find(({ type, status }) =>
              type === one.type && status !== "resolved"
            );
            if (live) live.count += one.count;
            else {
              const id = model.length + 1;
              model.push({ id, type: one.type, status: "open", count: one.count });
            }
            continue;
          }
          const found = model.find(({ id, status }) => id === one.id && status !== "resolved");
          const values = one.kind === "alertResolve" ? [at, one.id] : ["ann", at, one.id];
          assert.equal(await change(store, one.kind, values), found !== undefined);
          if (found) found.status = one.kind === "alertResolve" ? "resolved" : "acknowledged";
        }
        for (const { id, ...expected } of model) {
          const [row] = await store.register("alertById", id);
          const { event_type: type, status, count } = row ?? {};
          assert.deepEqual({ type, status, count }, expected);
        }
        assert.deepEqual(await store.register("alertById", model.length + 1), []);
      }),
      { numRuns: 10 },
    );
  });
  Deno.test(`${name} an act and its audit row are one commit, and what did nothing leaves none`, async () => {
    await using bench = await StoreBench.open(backend);
    const { store } = bench;
    const [at, actor, channel] = [1, "ann", null];
    const audit = (action: string) => ({ at, actor, channel, action, detail: { via: "test" } });
    const held = await bench.receive();
    await bench.handOff(held, { deliveries: [delivery("OB_A")] });
    await bench.bury(await bench.take("outbound", "OB_A"), "OB_A", "AR");
    await store.submit({ kind: "replay", id: "nobody", at: bench.now, audit: audit("none.found") });
    await store.submit({
      kind: "replay",
      id: held.id,
      at: bench.now,
      audit: audit("message_replay"),
    });
    await store.submit({
      kind: "cancel",
      destination: "OB_A",
      scope: "all",
      at: bench.now,
      audit: audit("connection_purge"),
    });
    await store.submit({
      kind: "cancel",
      destination: "OB_A",
      scope: "all",
      at: bench.now,
      audit: audit("nothing.left"),
    });
    await store.submit({
      kind: "replay_dead",
      channel: undefined,
      destination: undefined,
      at: bench.now,
      audit: audit("nothing.dead"),
    });
    await store.submit({
      kind: "note_event",
      id: held.id,
      event: "viewed",
      at: bench.now,
      audit: audit("message_view"),
    });
    const rows = await store.register("auditNewest", 10);
    assert.deepEqual(rows.map(({ action, detail }) => [action, detail]), [
      ["message_view", '{"via":"test"}'],
      ["connection_purge", '{"via":"test","cancelled":1}'],
      ["message_replay", '{"via":"test","requeued":1}'],
    ]);
  });

  Deno.test(`${name} register intents beside messages hold up neither, and their order is their own`, async () => {
    await using bench = await StoreBench.open(backend);
    const { store } = bench;
    const work = Array.from({ length: 50 }, async (_, n) => {
      const [held] = await Promise.all([bench.receive(), append(store, `n.${n}`)]);
      return held;
    });
    const all = await Promise.all(work);
    assert.equal(new Set(all.map(({ seq }) => seq)).size, 50);
    const [total] = await store.register("auditCount");
    assert.equal(total?.total, 50);
  });

  // Goal: nobody learns from their own events that a message exists which they may not see.
  Deno.test(`${name} what an account did about its sign-in is told without denied channels`, async () => {
    await using bench = await StoreBench.open(backend);
    const { store } = bench;
    await append(store, "auth.login_success");
    await append(store, "auth.channel_denied");
    await append(store, "message_view");
    await append(store, "auth.logout", "Ann");
    await append(store, "authority");
    await append(store, "auth.permission_denied");
    const rows = await store.register("auditOfActor", "ann", 9);
    const actions = rows.map(({ action }) => action);
    assert.deepEqual(actions, ["auth.permission_denied", "auth.login_success"]);
    assert.equal((await store.register("auditOfActor", "ann", 1)).length, 1);
  });

  Deno.test(`${name} a change of which one part loses is not made at all`, async () => {
    await using bench = await StoreBench.open(backend);
    const { store } = bench;
    const change = (id: string, expect: number) =>
      store.submit({
        kind: "register",
        changes: [
          { name: "createRole", values: [id, "Role", null, "[]", 1], expect: 1 },
          { name: "updateRole", values: ["Other", "told", "[]", "gone"], expect },
        ],
        audit: [{ at: 1, actor: "ann", action: `test.${id}`, channel: null, detail: null }],
      });
    const both = await Promise.all([change("a", 0), change("b", 1), change("c", 0)]);
    assert.deepEqual(both, [
      { applied: true, changed: [1, 0] },
      { applied: false, changed: [] },
      { applied: true, changed: [1, 0] },
    ]);
    await assert.rejects(change("a", 0), { code: "store.failed" });
    const roles = await store.register("customRoles");
    assert.deepEqual(roles.map(({ id, display_name }) => [id, display_name]), [
      ["a", "Role"],
      ["c", "Role"],
    ]);
    const rows = await store.register("auditNewest", 9);
    assert.deepEqual(rows.map(({ action }) => action), ["test.c", "test.a"]);
  });

  // Goal: no statement that a backend's own words make impossible waits for its first use.
  Deno.test(`${name} every statement of a register can be run`, async () => {
    await using bench = await StoreBench.open(backend);
    const { store } = bench;
    for (const changeName of registerChanges) {
      const values = changeValues[changeName];
      const changes = [{ name: changeName, values }];
      const { applied } = await store.submit({ kind: "register", changes, audit: [] });
      assert.ok(applied, changeName);
    }
    for (const query of registerQueries) {
      assert.ok(Array.isArray(await store.register(query, ...queryValues[query])), query);
    }
  });
}

/** What each statement takes, of the kinds it takes. */
export const changeValues: Readonly<Record<RegisterChangeName, readonly RegisterValue[]>> = {
  alertRaise: ["queue_buildup", "OB", "warning", 1, 2, 1, "reason"],
  alertAcknowledge: ["ann", 1, 1],
  alertResolve: [1, 1],
  insertApproval: ["id", "connection_purge", "{}", "ann", 1, null],
  decideApproval: ["approved", "bob", 2, "id", 2],
  failApproval: ["id"],
  createUser: ["u", "Ann", "ann", "local", null, null, 1, "hash", 0, 1],
  setDisplayName: ["Ann", 2, "u"],
  setEmail: ["a@example.org", 2, "u"],
  setDisabled: [0, 2, "u"],
  syncDirectoryUser: ["Ann", null, 2, "u"],
  deleteUser: ["nobody"],
  grantRole: ["u", "administrator"],
  dropRolesOfUser: ["nobody"],
  setChannelScope: ['["IB"]', 2, "u"],
  setPassword: ["hash", 2, 1, "u"],
  rehashPassword: ["hash2", "u", "hash"],
  requireSamePassword: ["u", "hash2"],
  noteFailure: [1, null, "u", 0],
  clearFailures: ["u"],
  retireUnclaimed: ["nobody"],
  stageTotp: ["secret", 2, "u"],
  enableTotp: ["secret", "[]", 2, 7, "u"],
  clearTotp: [2, "nobody"],
  useTotpStep: [8, "u"],
  replaceRecoveryCodes: ["[1]", "u", "[]"],
  openSession: ["token", "u", 1, 9, "cli", null, 1, null],
  touchSession: [3, "token"],
  verifySession: ["192.0.2.1", 3, null, "token"],
  revokeSession: [4, "token", "nobody"],
  revokeSessionsOfUser: [4, "nobody"],
  revokeOtherSessions: [4, "u", "token"],
  revokeOldestSessions: [4, "u", 1, "token"],
  revokeSessionsOfRole: [4, "viewer"],
  reapSessions: [0],
  createRole: ["r", "Role", null, "[]", 1],
  updateRole: ["Role", "told", "[]", "r"],
  deleteRole: ["nothing"],
  dropRoleFromUsers: ["nothing"],
  dropRoleFromGroups: ["nothing"],
  clearGroupRoles: [],
  mapGroupRole: ["CN=x", "viewer"],
  clearGroupScopes: [],
  mapGroupScope: ["CN=x", "*"],
  requireAdministrator: [],
  referenceClear: ["set"],
  referencePart: ["set", "v1", 0, "[]"],
  referenceFlip: ["set", "v1", 1, 0, "digest"],
  referenceTouch: [2, "set", "v1"],
};

export const queryValues: Readonly<Record<RegisterQueryName, readonly RegisterValue[]>> = {
  alertsLive: [9],
  alertById: [1],
  alertsOpen: [],
  pendingApprovals: [1, 9],
  approvalById: ["id"],
  auditNewest: [9],
  auditOfActor: ["ann", 9],
  auditCount: [],
  userByName: ["ann"],
  userById: ["u"],
  users: [],
  countUsers: [],
  session: ["token"],
  sessionsOfUser: ["u", 1],
  customRoles: [],
  otherAdministrators: ["u"],
  unclaimedUsers: [],
  groupRoles: [],
  groupScopes: [],
  references: [],
  referenceParts: ["set"],
};
