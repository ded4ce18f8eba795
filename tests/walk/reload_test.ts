// Goal: another graph takes the place of the running one without an acknowledged message lost, a
// connection dropped that did not change, or a lane's order turned; a graph that cannot be used
// changes nothing.
import assert from "node:assert/strict";
import { rowFigures } from "../../src/api/outbox.ts";
import { localOperator, reloadConfig } from "../../src/operations/mod.ts";
import { MllpSender } from "../connectors/mllp_sender.ts";
import { type PartnerFrame, ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, pause, until } from "../connectors/waiting.ts";
import { admission, answered, Walk } from "./bench.ts";

interface GraphOptions {
  readonly port: number;
  readonly lab: number;
  readonly inbound?: string;
  readonly outbound?: string;
  /** Of the handler. */
  readonly body?: string;
  readonly options?: string;
  readonly more?: string;
}

function graph(
  {
    port,
    lab,
    inbound = "IB_ADT",
    outbound = "OB_LAB",
    body = "return send(lab, msg);",
    options = "",
    more = "",
  }: GraphOptions,
): string {
  return `
    import {
      codeSet, env, handler, inbound, mllp, outbound, router, send, setState, state,
    } from "messagefoundry";
    const lab = outbound("${outbound}", mllp({ host: "127.0.0.1", port: ${lab} }), {
      retry: { backoffSeconds: 0.05, backoffMultiplier: 1 }, ${options}
    });
    const pass = handler("pass", (msg) => { ${body} });
    const route = router("route", () => pass);
    inbound("${inbound}", mllp({ port: ${port} }), { router: route });
    ${more}
  `;
}

/** PV1-50, where these graphs say who made the message. */
function tagOf(frame: PartnerFrame | undefined): string {
  return /^PV1.*\|(\w+)$/m.exec(frame?.text ?? "")?.[1] ?? "";
}

const module = "graph/walk.ts";

function reload(walk: Walk, { dir, dryRun = false }: { dir?: string; dryRun?: boolean } = {}) {
  return reloadConfig.perform({ engine: walk.engine, actor: localOperator }, { dir, dryRun });
}

async function refused(walk: Walk, reason: RegExp): Promise<void> {
  await assert.rejects(reload(walk), { code: "config.invalid", message: "invalid" });
  assert.match(await walk.logged("config.reload_failed"), reason);
}

Deno.test("a connection that did not change keeps its partner while handlers change", async () => {
  await using lab = await ScriptedPartner.start();
  const port = await freePort();
  const tagged = (tag: string) =>
    graph({ port, lab: lab.port, body: `msg.set("PV1-50", "${tag}"); return send(lab, msg);` });
  await using walk = await Walk.open({ graph: tagged("v0") });
  using sender = await MllpSender.connect(port);
  let sent = 0;
  let isOver = false;
  const traffic = (async () => {
    while (!isOver) {
      sender.send(admission(`T${sent++}`));
      await sender.waitForReplies(sent);
    }
  })();
  for (let version = 1; version <= 5; version++) {
    await walk.bundle.write(module, tagged(`v${version}`));
    const { handlers } = await reload(walk);
    assert.equal(handlers, 1);
    await until(() => tagOf(lab.received.at(-1)) === `v${version}`, "messages of the new graph");
  }
  isOver = true;
  await traffic;
  await walk.drained();
  assert.deepEqual(
    lab.received.map(({ controlId }) => controlId),
    Array.from({ length: sent }, (_, index) => `T${index}`),
  );
  const tags = lab.received.map(tagOf);
  assert.deepEqual([...new Set(tags)], ["v0", "v1", "v2", "v3", "v4", "v5"], "in this order");
  assert.deepEqual(tags, tags.toSorted());
  assert.equal(lab.connections, 1);
  assert.ok(sender.replies.every((reply) => answered(reply).code === "AA"));
});

Deno.test("a graph that cannot be used changes nothing", async () => {
  await using lab = await ScriptedPartner.start();
  const port = await freePort();
  const sound = graph({ port, lab: lab.port });
  await using walk = await Walk.open({ graph: sound });
  using sender = await MllpSender.connect(port);
  const broken: readonly (readonly [string, RegExp])[] = [
    ["import {", /syntax error/],
    [`throw new Error("not today");`, /not today/],
    [sound.replace("router: route", 'router: "nobody"'), /nobody/],
    [sound.replace('host: "127.0.0.1"', 'host: env("NO_SUCH_HOST")'), /NO_SUCH_HOST/],
    [
      graph({
        port,
        lab: lab.port,
        more: `inbound("IB_B", mllp({ port: ${port} }), { router: route });`,
      }),
      /port/,
    ],
    ["export {};", /declares no connection/],
  ];
  for (const [index, [text, reason]] of broken.entries()) {
    await walk.bundle.write(module, text);
    walk.log.length = 0;

    await refused(walk, reason);
    const [failure] = walk.auditLines("config_reload_failed");
    assert.equal(failure?.detail.reason, "invalid_config");
    sender.send(admission(`N${index}`));
    await sender.waitForReplies(index + 1);
    await walk.disposition(`N${index}`, "processed");
  }
  assert.equal(lab.connections, 1);
  await walk.bundle.write(module, sound);
  await reload(walk);
});

Deno.test("a dry run says what would run, and runs none of it", async () => {
  await using lab = await ScriptedPartner.start();
  const [port, other] = [await freePort(), await freePort()];
  await using walk = await Walk.open({ graph: graph({ port, lab: lab.port }) });
  const before = walk.engine.graph;
  await walk.bundle.write(module, graph({ port: other, lab: lab.port, inbound: "IB_OTHER" }));
  const { inbound, outbound, routers, handlers, dryRun, fingerprint } = await reload(walk, {
    dryRun: true,
  });
  assert.deepEqual([inbound, outbound, routers, handlers, dryRun], [1, 1, 1, 1, true]);
  assert.notEqual(fingerprint, before.fingerprint);
  assert.equal(walk.engine.graph, before);
  assert.equal(walk.auditLines("config_reload_check").length, 1);
  assert.equal(answered(await walk.exchange(port, admission("D1"))).code, "AA");
  await assert.rejects(MllpSender.connect(other));
});

Deno.test("rows of connections that are gone wait until they are back, in order", async () => {
  await using lab = await ScriptedPartner.start();
  const [port, away, spare] = [await freePort(), await freePort(), await freePort()];
  await using walk = await Walk.open({ graph: graph({ port, lab: away }) });
  for (const id of ["G1", "G2"]) await walk.exchange(port, admission(id));
  await walk.logged("delivery.retried");
  await walk.bundle.write(
    module,
    graph({ port: spare, lab: lab.port, inbound: "IB_SPARE", outbound: "OB_SPARE" }),
  );
  await reload(walk);
  await assert.rejects(MllpSender.connect(port));
  await walk.exchange(spare, admission("S1"));
  await walk.disposition("S1", "processed");
  for (const id of ["G1", "G2"]) {
    const { status, rows } = await walk.message(id);
    assert.deepEqual([status, rows.at(-1)?.status], ["routed", "pending"], id);
  }
  // Its partner has moved, too.
  await walk.bundle.write(module, graph({ port, lab: lab.port }));
  await reload(walk);
  await walk.exchange(port, admission("G3"));
  await walk.drained();
  assert.deepEqual(lab.controlIds, ["S1", "G1", "G2", "G3"]);
});

Deno.test("messages of an inbound the engine did not start with are found", async () => {
  await using lab = await ScriptedPartner.start();
  const port = await freePort();
  const options = { port, lab: lab.port };
  await using walk = await Walk.open({
    graph: graph({ ...options, body: `throw new Error("not today");` }),
    settings: `[delivery]\ninternal_error = "stop"\n`,
  });
  await walk.exchange(port, admission("W1"));
  await walk.logged("connection.stopped");
  await walk.exchange(port, admission("W2"));
  await walk.stop();
  await walk.bundle.write(module, graph({ ...options, inbound: "IB_OTHER" }));
  await walk.start();
  await walk.bundle.write(module, graph(options));
  await reload(walk);
  await walk.exchange(port, admission("W3"));
  await walk.disposition("W3", "processed");
  assert.deepEqual(lab.controlIds, ["W1", "W2", "W3"]);
});

// Goal: in_pipeline counts every open row (I75), also those that wait for a connection to come back.
Deno.test("what waits for a connection that is gone still counts", async () => {
  await using lab = await ScriptedPartner.start();
  const [port, away, spare] = [await freePort(), await freePort(), await freePort()];
  const failing = graph({
    port,
    lab: away,
    body: `if (msg.get("PID-3.1") === "Q2") throw new Error("not today"); return send(lab, msg);`,
  });
  const other = graph({ port: spare, lab: lab.port, inbound: "IB_SPARE", outbound: "OB_SPARE" });
  await using walk = await Walk.open({
    graph: failing,
    settings: `[delivery]\ninternal_error = "stop"\n`,
  });
  const figures = async () => {
    const { inPipeline, outboxByStatus } = await rowFigures(walk.engine);
    const stored = await walk.engine.store.openRows();
    assert.deepEqual(
      [inPipeline, outboxByStatus.pending ?? 0],
      [stored.inPipeline, stored.pending],
    );
    return inPipeline;
  };
  for (const id of ["Q1", "Q2", "Q3"]) await walk.exchange(port, admission(id));
  await walk.logged("connection.stopped");
  await walk.logged("delivery.retried");
  await walk.bundle.write(module, other);
  await reload(walk);
  assert.equal(await figures(), 3);
  await walk.exchange(spare, admission("S1"));
  await walk.disposition("S1", "processed");
  assert.equal(await figures(), 3);

  // A restart gives up what waits for a partner that is gone; the inbound may come back.
  await walk.stop();
  await walk.start();
  assert.equal(await figures(), 2);
  await walk.bundle.write(module, graph({ port, lab: lab.port }));
  await reload(walk);
  await walk.disposition("Q3", "processed");
  await walk.drained();
  assert.equal(await figures(), 0);
  assert.deepEqual(lab.controlIds, ["S1", "Q2", "Q3"]);
});

Deno.test("what an error halted goes on with the same head, what an operator stopped does not", async () => {
  await using lab = await ScriptedPartner.start();
  const port = await freePort();
  const options = { port, lab: lab.port };
  await using walk = await Walk.open({
    graph: graph({ ...options, body: `throw new Error("not today");` }),
    settings: `[delivery]\ninternal_error = "stop"\n`,
  });
  await walk.exchange(port, admission("H1"));
  await walk.logged("connection.stopped");
  await walk.exchange(port, admission("H2"));
  await walk.bundle.write(module, graph(options));
  await reload(walk);
  const head = await walk.disposition("H1", "processed");
  assert.equal(head.rows[0]?.attempts, 1);
  await walk.disposition("H2", "processed");
  assert.deepEqual(lab.controlIds, ["H1", "H2"]);

  const { pipeline } = walk.engine;
  await pipeline.inbounds.get("IB_ADT")!.stop();
  await pipeline.outbounds.get("OB_LAB")!.pause();
  // Both are others now, for a setting of each has changed.
  await walk.bundle.write(
    module,
    graph({ ...options, options: 'ordering: "unordered",' }).replace(
      `mllp({ port: ${port} })`,
      `mllp({ port: ${port}, maxConnections: 5 })`,
    ),
  );
  await reload(walk);
  assert.equal(pipeline.inbounds.get("IB_ADT")!.state, "stopped");
  assert.equal(pipeline.outbounds.get("OB_LAB")!.isPaused, true);
  await assert.rejects(MllpSender.connect(port));
  await pipeline.inbounds.get("IB_ADT")!.start();
  await walk.exchange(port, admission("H3"));
  await pause(50);
  assert.equal(lab.received.length, 2);
  pipeline.outbounds.get("OB_LAB")!.resume();
  await walk.disposition("H3", "processed");
});

Deno.test("two inbounds may exchange their ports", async () => {
  await using lab = await ScriptedPartner.start();
  const [a, b] = [await freePort(), await freePort()];
  const swapped = (first: number, second: number) =>
    graph({
      port: first,
      lab: lab.port,
      more: `inbound("IB_B", mllp({ port: ${second} }), { router: route });`,
    });
  await using walk = await Walk.open({ graph: swapped(a, b) });
  using open = await MllpSender.connect(a);
  open.send(admission("P0"));
  await open.waitForReplies(1);
  await walk.bundle.write(module, swapped(b, a));
  await reload(walk);
  await open.closed;
  await walk.exchange(a, admission("P1"));
  await walk.exchange(b, admission("P2"));
  const channels = await Promise.all(
    ["P0", "P1", "P2"].map(async (id) => (await walk.summaries(id))[0]?.channel),
  );
  assert.deepEqual(channels, ["IB_ADT", "IB_B", "IB_ADT"]);
});

Deno.test("a delivery on the wire ends with the connection it was sent over", async () => {
  const answer = Promise.withResolvers<void>();
  await using old = await ScriptedPartner.start({
    otherwise: { do: "ack", when: answer.promise },
  });
  await using lab = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({ graph: graph({ port, lab: old.port }) });
  await walk.exchange(port, admission("R1"));
  await until(() => old.received.length === 1, "the first message at the old partner");
  await walk.bundle.write(module, graph({ port, lab: lab.port }));
  const reloaded = reload(walk);
  await until(() => walk.engine.graph.outbounds.get("OB_LAB")?.settings.port === lab.port, "swap");
  await walk.exchange(port, admission("R2"));
  await pause(100);
  assert.equal(lab.received.length, 0, "order: the first is not answered yet");
  answer.resolve();
  await reloaded;
  await walk.drained();
  assert.deepEqual([old.controlIds, lab.controlIds], [["R1"], ["R2"]]);
});

Deno.test("state goes over to the new graph, whatever is written while it loads", async () => {
  await using lab = await ScriptedPartner.start();
  const port = await freePort();
  const counting = (tag: string) =>
    graph({
      port,
      lab: lab.port,
      body: `
        const count = (state("walk", "count") ?? 0) + 1;
        msg.set("PV1-50", String(count) + "${tag}");
        return [setState("walk", "count", count), send(lab, msg)];
      `,
    });
  await using walk = await Walk.open({ graph: counting("a") });
  using sender = await MllpSender.connect(port);
  let sent = 0;
  let isOver = false;
  const traffic = (async () => {
    while (!isOver) {
      sender.send(admission(`C${sent++}`), admission(`C${sent++}`));
      await sender.waitForReplies(sent);
    }
  })();
  for (const tag of ["b", "c", "d", "e"]) {
    await walk.bundle.write(module, counting(tag));
    await reload(walk);
    await until(() => tagOf(lab.received.at(-1)).endsWith(tag), "messages of the new graph");
  }
  isOver = true;
  await traffic;
  await walk.drained();
  const counts = lab.received.map((frame) => parseInt(tagOf(frame)));
  assert.deepEqual(counts, Array.from({ length: sent }, (_, index) => index + 1));
});

Deno.test("code sets and values of the environment are read again", async () => {
  await using lab = await ScriptedPartner.start();
  await using other = await ScriptedPartner.start();
  const port = await freePort();
  const values = await Deno.makeTempDir({ prefix: "mefor_values_" });
  await using stack = new AsyncDisposableStack();
  stack.defer(() => Deno.remove(values, { recursive: true }));
  const say = (lab: number) => Deno.writeTextFile(`${values}/dev.toml`, `lab_port = ${lab}\n`);
  await say(lab.port);
  const text = graph({
    port,
    lab: lab.port,
    body: `msg.set("PV1-50", wards.get("W")); return send(lab, msg);`,
    more: `const wards = codeSet("wards");`,
  }).replace(`port: ${lab.port}`, `port: env("lab_port")`);
  await using walk = await Walk.open({
    graph: text.replace(/const wards.*/, "").replace(
      "const lab",
      'const wards = codeSet("wards"); const lab',
    ),
    settings: `[environments]\nbase_dir = "${values}"\ndir = "."\n`,
    files: { "codesets/wards.csv": "code,name\nW,West\n" },
  });
  await walk.exchange(port, admission("E1"));
  await walk.disposition("E1", "processed");
  await walk.bundle.write("codesets/wards.csv", "code,name\nW,East\n");
  await say(other.port);
  assert.equal(await walk.engine.hasDrifted(), true);
  await reload(walk);
  assert.equal(await walk.engine.hasDrifted(), false);
  await walk.exchange(port, admission("E2"));
  await walk.disposition("E2", "processed");
  assert.deepEqual([tagOf(lab.received[0]), tagOf(other.received[0])], ["West", "East"]);
});

Deno.test("reloads run one after the other, and none begins once the engine stops", async () => {
  await using lab = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({ graph: graph({ port, lab: lab.port }) });
  const { engine } = walk;
  const all = await Promise.allSettled([reload(walk), reload(walk), reload(walk)]);
  assert.deepEqual(all.map(({ status }) => status), ["fulfilled", "fulfilled", "fulfilled"]);
  // Whichever comes first: nothing of it outlives the engine.
  await Promise.allSettled([reload(walk), walk.stop()]);
  await assert.rejects(
    reloadConfig.perform({ engine, actor: localOperator }, { dir: undefined, dryRun: false }),
    { code: "config.invalid" },
  );
});
