// Goal: what `[approvals]` lists happens only when a second person lets it, once, and both names
// stand in the audit log.
import assert from "node:assert/strict";
import type { Engine } from "../../src/engine.ts";
import {
  type Actor,
  approve,
  listApprovals,
  purgeConnection,
  reject,
  reloadConfig,
  replayDeadLetters,
} from "../../src/operations/mod.ts";
import { ApiBench } from "../api/bench.ts";
import { until } from "../connectors/waiting.ts";

const ann: Actor = { name: "ann", permissions: "all" };
const bob: Actor = { name: "bob", permissions: "all" };
const viewer: Actor = { name: "eve", permissions: new Set(["monitoring:read"]) };

const SETTINGS = `[approvals]
enabled = true
operations = ["connection_purge", "dead_letter_replay", "config_reload"]
`;

/** A bench whose lab is stopped, with `ids` waiting for it. */
async function waiting(ids: readonly string[], settings = SETTINGS): Promise<ApiBench> {
  const bench = await ApiBench.open({ settings });
  const lab = bench.walk.engine.pipeline.outbounds.get("OB_LAB")!;
  await lab.pause();
  await bench.send(...ids);
  await until(() => lab.depth === ids.length, "rows of the lab");
  return bench;
}

async function actions(bench: ApiBench): Promise<string[]> {
  const rows = await bench.walk.engine.store.register("auditNewest", 100);
  return rows.toReversed().map(({ actor, action }) => `${actor} ${action}`);
}

Deno.test("a purge waits for another person, and happens once", async () => {
  await using bench = await waiting(["L1", "L2"]);
  const { engine } = bench.walk;
  const lab = engine.pipeline.outbounds.get("OB_LAB")!;
  const answer = await bench.post("/connections/OB_LAB/purge");
  assert.equal(answer.status, 202);
  const { approval_id, ...rest } = answer.json as unknown as Record<string, string>;
  assert.deepEqual(rest, {
    operation: "connection_purge",
    status: "pending_approval",
    detail: "held until another person approves it",
  });
  assert.equal(lab.depth, 2);
  const [listed] = await listApprovals({ engine, actor: bob });
  assert.deepEqual([listed?.id, listed?.label, listed?.requester], [
    approval_id,
    "Purge OB_LAB (all that waits)",
    "system",
  ]);
  // Over the API everybody is the same person as long as nobody signs in.
  const own = await bench.post(`/approvals/${approval_id}/approve`);
  assert.equal(own.status, 403);
  await assert.rejects(approve({ engine, actor: viewer }, approval_id!), {
    code: "operation.forbidden",
  });
  const decisions = await Promise.allSettled([
    approve({ engine, actor: bob }, approval_id!),
    approve({ engine, actor: ann }, approval_id!),
  ]);
  const done = decisions.filter(({ status }) => status === "fulfilled");
  assert.equal(done.length, 1, "one of two approvers wins");
  assert.deepEqual(await bench.get("/approvals"), { approvals: [] });
  await until(() => lab.depth === 0, "the purge");
  assert.deepEqual((await actions(bench)).map((text) => text.replace(/^(ann|bob) /, "X ")), [
    "system approval.requested",
    "X approval.approved",
    "system connection_purge",
  ]);
  await assert.rejects(approve({ engine, actor: bob }, approval_id!), {
    code: "approval.decided",
  });
});

Deno.test("checks of the act come before it is held, and what runs meanwhile is skipped", async () => {
  await using bench = await waiting(["L1"]);
  const { engine } = bench.walk;
  assert.equal((await bench.post("/connections/OB_NONE/purge")).status, 404);
  assert.equal((await bench.post("/connections/OB_IDLE/purge")).status, 409);
  const { held } = await purgeConnection.request({ engine, actor: ann }, {
    name: "OB_LAB",
    scope: "top",
  });
  engine.pipeline.outbounds.get("OB_LAB")!.resume();
  const { result } = await approve({ engine, actor: bob }, held!.id);
  assert.deepEqual(result, { cancelled: 0, skipped: "outbound running" });
  await bench.walk.disposition("L1", "processed");
});

Deno.test("asked of a standby a purge is refused and waits on, for the leader", async () => {
  await using bench = await waiting(["L1"]);
  const { engine } = bench.walk;
  const { store, clock, logger } = engine;
  const standby = { store, clock, logger, cluster: { isServing: false } } as unknown as Engine;
  const { held } = await purgeConnection.request({ engine, actor: ann }, {
    name: "OB_LAB",
    scope: "all",
  });
  await assert.rejects(approve({ engine: standby, actor: bob }, held!.id), {
    code: "cluster.standby",
  });
  assert.equal((await listApprovals({ engine: standby, actor: bob })).length, 1);
  assert.deepEqual(await actions(bench), ["ann approval.requested"]);
  const { result } = await approve({ engine, actor: bob }, held!.id);
  assert.deepEqual(result, { cancelled: 1 });
});

Deno.test("a purge of what a reload took away is skipped, and says so", async () => {
  await using bench = await waiting([]);
  const { engine, bundle, dir } = bench.walk;
  const purge = { name: "OB_LAB", scope: "all" } as const;
  const { held } = await purgeConnection.request({ engine, actor: ann }, purge);
  const text = await Deno.readTextFile(`${dir}/graph/walk.ts`);
  await bundle.write("graph/walk.ts", text.replaceAll('"OB_LAB"', '"OB_NEW"'));
  await reloadConfig.perform({ engine, actor: ann }, { dir: undefined, dryRun: false });
  const { result } = await approve({ engine, actor: bob }, held!.id);
  assert.deepEqual(result, { cancelled: 0, skipped: "outbound gone" });
});

Deno.test("a request may be turned down by anybody who may approve, and then stays so", async () => {
  await using bench = await waiting([]);
  const { engine } = bench.walk;
  const { held } = await replayDeadLetters.request({ engine, actor: ann }, {
    channel: "IB_ADT",
    destination: undefined,
  });
  const [listed] = await listApprovals({ engine, actor: ann });
  assert.equal(listed?.label, "Replay dead letters from IB_ADT to every outbound");
  const { decidedBy, result } = await reject({ engine, actor: ann }, held!.id);
  assert.deepEqual([decidedBy, result], ["ann", undefined]);
  for (const decide of [approve, reject]) {
    await assert.rejects(decide({ engine, actor: bob }, held!.id), { code: "approval.decided" });
  }
  assert.equal((await bench.post("/approvals/nobody/approve")).status, 404);
});

Deno.test("a dry run is not held, a reload is, and one that fails is marked", async () => {
  await using bench = await waiting([]);
  const { engine, bundle, dir } = bench.walk;
  assert.equal((await bench.post("/config/reload", { dry_run: true })).status, 200);
  const sound = await Deno.readTextFile(`${dir}/graph/walk.ts`);
  assert.equal((await bench.post("/config/reload", {})).status, 202);
  const [first] = await listApprovals({ engine, actor: bob });
  const { result } = await approve({ engine, actor: bob }, first!.id);
  assert.deepEqual(result, { inbound: 1, outbound: 3 });
  const { held } = await reloadConfig.request({ engine, actor: ann }, {
    dir: undefined,
    dryRun: false,
  });
  await bundle.write("graph/walk.ts", "import {");
  await assert.rejects(approve({ engine, actor: bob }, held!.id), { code: "config.invalid" });
  await bundle.write("graph/walk.ts", sound);
  await assert.rejects(approve({ engine, actor: bob }, held!.id), { code: "approval.decided" });
  assert.deepEqual((await actions(bench)).slice(-4), [
    "ann approval.requested",
    "bob approval.approved",
    "ann config_reload_failed",
    "bob approval.failed",
  ]);
});

Deno.test("an expired request is neither listed nor approved; zero hours never expire", async () => {
  await using bench = await waiting([], `${SETTINGS}expiry_hours = 0.00001\n`);
  const { engine } = bench.walk;
  const { held } = await replayDeadLetters.request({ engine, actor: ann }, {});
  await new Promise((resolve) => setTimeout(resolve, 60));
  assert.deepEqual(await listApprovals({ engine, actor: bob }), []);
  await assert.rejects(approve({ engine, actor: bob }, held!.id), { code: "approval.decided" });
  await using forever = await waiting([], `${SETTINGS}expiry_hours = 0\n`);
  const { engine: other } = forever.walk;
  const kept = await replayDeadLetters.request({ engine: other, actor: ann }, {});
  const [listed] = await listApprovals({ engine: other, actor: bob });
  assert.equal(listed?.expiresAt, undefined);
  assert.deepEqual((await approve({ engine: other, actor: bob }, kept.held!.id)).result, {
    requeued: 0,
  });
});

Deno.test("a request that waits longer than a row can say is listed and approved", async () => {
  await using bench = await waiting([], `${SETTINGS}expiry_hours = 9999999\n`);
  const { engine } = bench.walk;
  const { held } = await replayDeadLetters.request({ engine, actor: ann }, {});
  const { approvals } = await bench.get("/approvals");
  assert.deepEqual((approvals as unknown as { id: string }[]).map(({ id }) => id), [held!.id]);
  assert.deepEqual((await approve({ engine, actor: bob }, held!.id)).result, { requeued: 0 });
});

Deno.test("what is not listed, and everything while approvals are off, happens at once", async () => {
  await using bench = await waiting(["L1"], "[approvals]\nenabled = true\noperations = []\n");
  const { status, json } = await bench.post("/connections/OB_LAB/purge");
  assert.deepEqual([status, json], [200, { cancelled: 1 }]);
});

// Goal: nobody is asked to agree to what could not be done anyway, and who asked for it is on record.
Deno.test("a reload that could not load is refused at once, as one that is not held", async () => {
  await using bench = await waiting([]);
  const ask = (config_dir: string | null) => bench.post("/config/reload", { config_dir });
  assert.deepEqual([(await ask("/etc")).status, (await ask(null)).status], [403, 202]);
  assert.equal((await ask(`${bench.walk.dir}/missing`)).status, 404);
  await bench.walk.bundle.write("graph/walk.ts", "throw new Error();");
  const broken = await ask(null);
  assert.deepEqual([broken.status, broken.json], [422, { detail: "invalid" }]);
  const [denied] = bench.walk.auditLines("config_reload_denied");
  assert.deepEqual(denied?.detail, { requested: "/etc", dry_run: false });
  const reasons = bench.walk.auditLines("config_reload_failed").map(({ detail }) => detail.reason);
  assert.deepEqual(reasons, ["not_found", "invalid_config"]);
  assert.equal(bench.walk.auditLines("approval.requested").length, 1);
});

Deno.test("what somebody asked who is disabled or gone by then is not approved", async () => {
  await using bench = await waiting(["L1"], `${SETTINGS}[auth]\nenabled = true\n`);
  const { engine } = bench.walk;
  const { accounts } = engine.auth!;
  const by = { name: "admin", userId: "0" };
  const password = "three calm lakes under snow";
  const newcomer = { displayName: null, email: null, roles: ["operator"], password };
  const account = await accounts.create(by, { ...newcomer, username: "ann" });
  const ask = async () => {
    const scope = "top" as const;
    const { held } = await purgeConnection.request({ engine, actor: ann }, {
      name: "OB_LAB",
      scope,
    });
    return held!.id;
  };
  const [first, second] = [await ask(), await ask()];
  const gone = { code: "approval.requester_gone" };
  await accounts.update(by, account.id, { isDisabled: true });
  await assert.rejects(approve({ engine, actor: bob }, first), gone);
  assert.equal((await listApprovals({ engine, actor: bob })).length, 2, "it can be turned down");
  await reject({ engine, actor: bob }, first);
  await accounts.update(by, account.id, { isDisabled: false });
  const { result } = await approve({ engine, actor: bob }, second);
  assert.deepEqual(result, { cancelled: 1 });
  const third = await ask();
  await accounts.delete(by, account.id);
  await assert.rejects(approve({ engine, actor: bob }, third), gone);
});
