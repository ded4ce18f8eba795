import assert from "node:assert/strict";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort } from "../connectors/waiting.ts";
import { admission, answered, timeline, Walk } from "./bench.ts";

// Goal: what routers, handlers and partners do with a message decides its disposition, and never
// the answer its sender got.

async function openDeciding(handlers: string, options = "") {
  const partner = await ScriptedPartner.start();
  const port = await freePort();
  const walk = await Walk.open({
    graph: `
      import { handler, inbound, mllp, outbound, router, send, setState, state } from "messagefoundry";
      const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${partner.port} })${options});
      ${handlers}
      inbound("IB_ADT", mllp({ port: ${port} }), { router: route });
    `,
  });
  return {
    walk,
    port,
    partner,
    async [Symbol.asyncDispose]() {
      await walk[Symbol.asyncDispose]();
      await partner[Symbol.asyncDispose]();
    },
  };
}

/** MSH-3 of what arrived. */
function senders({ received }: ScriptedPartner): (string | undefined)[] {
  return received.map(({ text }) => text.split("|")[2]);
}

async function replay(walk: Walk, controlId: string): Promise<number> {
  const { id } = await walk.message(controlId);
  const at = Math.round(walk.engine.clock.now() * 1000);
  const { requeued, lanes } = await walk.engine.store.submit({ kind: "replay", id, at });
  walk.engine.pipeline.touched(lanes);
  return requeued;
}

Deno.test("no handler is UNROUTED; handlers without a delivery are FILTERED, state applied", async () => {
  await using bench = await openDeciding(`
    const nothing = handler("nothing", () => null);
    const remember = handler("remember", (msg) => setState("seen", msg.get("MSH-10")!, 1));
    const told = handler("told", (msg) => state("seen", "R1") === 1 ? send(lab, msg) : null);
    const route = router("route", (msg) => {
      switch (msg.get("MSH-10")![0]) {
        case "N": return nothing;
        case "R": return [nothing, remember];
        case "T": return told;
        default: return null;
      }
    });
  `);
  const { walk, port, partner } = bench;
  for (const id of ["U1", "N1", "R1", "T1"]) {
    assert.equal(answered(await walk.exchange(port, admission(id))).code, "AA");
  }
  assert.deepEqual(timeline(await walk.disposition("U1", "unrouted")), ["received", "unrouted"]);
  assert.deepEqual(timeline(await walk.disposition("N1", "filtered")), [
    "received",
    "routed",
    "transformed",
  ]);
  await walk.disposition("R1", "filtered");
  await walk.disposition("T1", "processed");
  assert.deepEqual(partner.controlIds, ["T1"]);
  assert.deepEqual(
    (await walk.engine.store.state()).map(({ namespace, key, value }) => ({
      namespace,
      key,
      value,
    })),
    [{ namespace: "seen", key: "R1", value: "1" }],
  );
});

Deno.test("a handler that throws is answered AA, ends as ERROR, and a replay runs it alone", async () => {
  await using bench = await openDeciding(`
    const good = handler("good", (msg) => send(lab, msg.set("MSH-3", "good")));
    const bad = handler("bad", (msg) => {
      if (state("fixed", "bad") === undefined) throw new TypeError("no such luck for SAMPLE");
      return send(lab, msg.set("MSH-3", "bad"));
    });
    const fix = handler("fix", () => setState("fixed", "bad", true));
    const route = router("route", (msg) => msg.get("MSH-10") === "FIX" ? fix : [bad, good]);
  `);
  const { walk, port, partner } = bench;
  assert.equal(answered(await walk.exchange(port, admission("H1"))).code, "AA");
  const failed = await walk.disposition("H1", "error");
  assert.deepEqual(
    failed.rows.map(({ stage, handler, status }) => [stage, handler, status]),
    [["outbound", "good", "done"], ["routed", "bad", "dead"]],
  );
  assert.match(failed.rows[1]!.lastError ?? "", /^TypeError/);
  assert.deepEqual(senders(partner), ["good"]);

  await walk.exchange(port, admission("FIX"));
  await walk.disposition("FIX", "filtered");
  assert.equal(await replay(walk, "H1"), 1);
  const healed = await walk.disposition("H1", "processed");
  assert.deepEqual(senders(partner), ["good", "bad"]);
  assert.equal(healed.error, null);
  assert.ok(timeline(healed).includes("replayed"));
});

Deno.test("a replayed handler that now filters leaves no message unfinished", async () => {
  await using bench = await openDeciding(`
    const bad = handler("bad", () => {
      if (state("fixed", "bad") === undefined) throw new Error("not yet");
      return null;
    });
    const fix = handler("fix", () => setState("fixed", "bad", true));
    const route = router("route", (msg) => msg.get("MSH-10") === "FIX" ? fix : bad);
  `);
  const { walk, port } = bench;
  await walk.exchange(port, admission("H1"));
  await walk.disposition("H1", "error");
  await walk.exchange(port, admission("FIX"));
  await walk.disposition("FIX", "filtered");
  assert.equal(await replay(walk, "H1"), 1);
  assert.deepEqual((await walk.disposition("H1", "filtered")).rows, []);
});

Deno.test("a router that throws or names nobody known is ERROR with a dead ingress row; replay reroutes", async () => {
  await using bench = await openDeciding(`
    const pass = handler("pass", (msg) => send(lab, msg));
    const fix = handler("fix", () => setState("fixed", "route", true));
    const route = router("route", (msg) => {
      const id = msg.get("MSH-10");
      if (id === "FIX") return fix;
      if (state("fixed", "route") === undefined) throw new RangeError("lost");
      return pass;
    });
  `);
  const { walk, port, partner } = bench;
  assert.equal(answered(await walk.exchange(port, admission("R1"))).code, "AA");
  const failed = await walk.disposition("R1", "error");
  assert.deepEqual(failed.rows.map(({ stage, status }) => [stage, status]), [["ingress", "dead"]]);
  await walk.exchange(port, admission("FIX"));
  await walk.disposition("FIX", "filtered");
  assert.equal(await replay(walk, "R1"), 1);
  await walk.disposition("R1", "processed");
  assert.deepEqual(partner.controlIds, ["R1"]);
});

Deno.test("AR is a dead letter at once and its lane goes on; a replay sends it again", async () => {
  await using bench = await openDeciding(`
    const pass = handler("pass", (msg) => send(lab, msg));
    const route = router("route", () => pass);
  `);
  const { walk, port, partner } = bench;
  partner.script({ do: "ack", code: "AR" });
  await walk.exchange(port, admission("D1"));
  await walk.exchange(port, admission("D2"));
  const dead = await walk.disposition("D1", "error");
  assert.deepEqual(
    dead.rows.map(({ status, attempts, lastError }) => [
      status,
      attempts,
      lastError,
    ]),
    [["dead", 1, "partner answered AR"]],
  );
  await walk.disposition("D2", "processed");
  assert.deepEqual(partner.controlIds, ["D1", "D2"]);

  const { total, deadLetters } = await walk.engine.store.deadLetters({}, { limit: 5, offset: 0 });
  assert.deepEqual([total, deadLetters[0]?.controlId], [1, "D1"]);
  assert.equal(await replay(walk, "D1"), 1);
  const done = await walk.disposition("D1", "processed");
  assert.deepEqual(partner.controlIds, ["D1", "D2", "D1"]);
  assert.deepEqual(timeline(done), [
    "received",
    "routed",
    "transformed",
    "dead",
    "replayed",
    "delivered",
  ]);
});

Deno.test("why a partner refuses stands redacted at its row, and in no log", async () => {
  await using bench = await openDeciding(`
    const pass = handler("pass", (msg) => send(lab, msg));
    const route = router("route", () => pass);
  `);
  const { walk, port, partner } = bench;
  const answer = (code: string, words: string) => ({
    do: "raw" as const,
    bytes: `\x0bMSH|^~\\&|L|X|E|Y|||ACK|1|P|2.5\rMSA|${code}|D1|${words}\r\x1c\r`,
  });
  partner.script(
    answer("AE", "Unknown ward, born 1980-02-03"),
    answer("AR", `No bed for JANE DOE ${"in any ward at all ".repeat(40)}`),
  );
  await walk.exchange(port, admission("D1"));
  const { rows: [row] } = await walk.disposition("D1", "error");
  const error = row!.lastError!;
  assert.match(error, /^partner answered AR: No bed for \[redacted\]/);
  assert.ok(error.length <= 300, error);
  assert.match(await walk.logged("delivery.retried"), /partner answered AE/);
  const log = await walk.logged("delivery.dead_lettered");
  for (const words of ["ward", "JANE", "1980", "bed"]) {
    assert.ok(!log.includes(words), `${words} in ${log}`);
    assert.ok(!(await walk.logged("delivery.retried")).includes(words), words);
  }
});

Deno.test("a finite number of attempts ends as a dead letter exactly then", async () => {
  await using bench = await openDeciding(
    `
    const pass = handler("pass", (msg) => send(lab, msg));
    const route = router("route", () => pass);
  `,
    ", { retry: { maxAttempts: 3, backoffSeconds: 0.02, backoffMultiplier: 1 } }",
  );
  const { walk, port, partner } = bench;
  partner.script({ do: "ack", code: "AE" }, { do: "close" }, {
    do: "raw",
    bytes: "\x0bnoise\x1c\r",
  });
  await walk.exchange(port, admission("F1"));
  await walk.exchange(port, admission("F2"));
  const dead = await walk.disposition("F1", "error");
  assert.equal(dead.rows[0]?.attempts, 3);
  await walk.disposition("F2", "processed");
  assert.deepEqual(partner.controlIds, ["F1", "F1", "F1", "F2"]);
  assert.deepEqual(timeline(dead), [
    "received",
    "routed",
    "transformed",
    "failed",
    "failed",
    "dead",
  ]);
});

Deno.test("attempts count sends: pauses and restarts use up none of a finite number", async () => {
  await using bench = await openDeciding(
    `
    const pass = handler("pass", (msg) => send(lab, msg));
    const route = router("route", () => pass);
  `,
    ", { retry: { maxAttempts: 3, backoffSeconds: 0.01, backoffMultiplier: 1 } }",
  );
  const { walk, port, partner } = bench;
  const held = Promise.withResolvers<void>();
  partner.script({ do: "ack", when: held.promise });
  await walk.exchange(port, admission("P0"));
  await partner.waitForFrames(1);
  await walk.exchange(port, admission("P1"));
  const lane = () => walk.engine.pipeline.outbounds.get("OB_LAB")!;
  const paused = lane().pause();
  held.resolve();
  await paused;
  for (let round = 0; round < 10; round += 1) {
    lane().resume();
    await lane().pause();
  }
  for (let round = 0; round < 5; round += 1) {
    await walk.stop();
    await walk.start();
    await lane().pause();
  }
  lane().resume();
  const done = await walk.disposition("P1", "processed");
  const sends = partner.controlIds.filter((id) => id === "P1").length;
  assert.equal(done.rows[0]?.attempts, sends, "each attempt was a send");
  assert.deepEqual(partner.controlIds.slice(0, 2), ["P0", "P1"]);
});

Deno.test("after an error of our own a lane set to stop keeps its row and its budget", async () => {
  await using bench = await openDeciding(
    `
    const pass = handler("pass", (msg) => send(lab, msg));
    const route = router("route", () => pass);
  `,
    ', { internalError: "stop", retry: { maxAttempts: 1 } }',
  );
  const { walk, port, partner } = bench;
  const lane = walk.engine.pipeline.outbounds.get("OB_LAB")!;
  const real = lane.destination;
  lane.destination = {
    counters: real.counters,
    send: () => Promise.reject(new TypeError("a defect")),
    probe: (signal) => real.probe(signal),
    close: () => real.close(),
  };
  await walk.exchange(port, admission("I1"));
  await walk.logged("connection.stopped");
  await walk.exchange(port, admission("I2"));
  const kept = await walk.message("I1");
  assert.deepEqual(kept.rows.map(({ status, attempts }) => [status, attempts]), [["pending", 0]]);
  assert.equal(partner.received.length, 0);
  assert.equal(walk.log.filter((line) => line.includes("connection.stopped")).length, 1);

  lane.destination = real;
  lane.resume();
  await walk.disposition("I2", "processed");
  assert.deepEqual(partner.controlIds, ["I1", "I2"]);
  await walk.disposition("I1", "processed");
});

Deno.test("a stage set to stop halts its inbound at the message, and goes on with it when resumed", async () => {
  const partner = await ScriptedPartner.start();
  const [port, other] = [await freePort(), await freePort()];
  const walk = await Walk.open({
    settings: `[delivery]\ninternal_error = "stop"\n`,
    graph: `
      import { handler, inbound, mllp, outbound, router, send, setState, state } from "messagefoundry";
      const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${partner.port} }));
      const pass = handler("pass", (msg) => {
        if (msg.get("MSH-10") === "BAD" && state("fixed", "it") === undefined) throw new Error("x");
        return send(lab, msg);
      });
      const fix = handler("fix", () => setState("fixed", "it", true));
      const route = router("route", () => pass);
      const mend = router("mend", () => fix);
      inbound("IB_ADT", mllp({ port: ${port} }), { router: route });
      inbound("IB_FIX", mllp({ port: ${other} }), { router: mend });
    `,
  });
  await using _both = {
    async [Symbol.asyncDispose]() {
      await walk[Symbol.asyncDispose]();
      await partner[Symbol.asyncDispose]();
    },
  };
  using sender = await walk.sender(port);
  sender.send(admission("A"), admission("BAD"), admission("C"));
  const replies = await sender.waitForReplies(3);
  assert.deepEqual(replies.map((reply) => answered(reply).code), ["AA", "AA", "AA"]);
  await walk.logged("connection.stopped");
  await walk.disposition("A", "processed");
  await walk.exchange(other, admission("FIX"));
  await walk.disposition("FIX", "filtered");
  assert.equal((await walk.message("C")).status, "received", "nothing overtakes it");
  assert.deepEqual(
    (await walk.message("BAD")).rows.map((
      { stage, status, attempts },
    ) => [stage, status, attempts]),
    [["ingress", "pending", 0]],
  );

  walk.engine.pipeline.inbounds.get("IB_ADT")!.lane.resume();
  await walk.disposition("C", "processed");
  assert.deepEqual(partner.controlIds, ["A", "BAD", "C"]);
});
