import assert from "node:assert/strict";
import { sizedTemplate } from "../../src/synthetic/mod.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, until } from "../connectors/waiting.ts";
import { admission, answered, Walk } from "./bench.ts";

// Goal: under load nothing is lost, nothing is doubled and nothing overtakes.

const LONG_MS = 60_000;

interface PassOptions {
  readonly handler?: string;
  readonly settings?: string;
}

function pass(port: number, partner: { readonly port: number }, options: PassOptions = {}): string {
  return `
    import {
      handler, inbound, mllp, outbound, router, send, setState, state,
    } from "messagefoundry";
    const lab = outbound(
      "OB_LAB",
      mllp({ host: "127.0.0.1", port: ${partner.port}${options.settings ?? ""} }),
      { retry: { backoffSeconds: 0.05, backoffMultiplier: 1 } },
    );
    const pass = handler("pass", (msg) => {
      ${options.handler ?? "return send(lab, msg);"}
    });
    const route = router("route", () => pass);
    inbound("IB_ADT", mllp({ port: ${port} }), { router: route });
  `;
}

function ids(count: number, prefix = "L"): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

/** Sends everything over one connection, at most 256 frames ahead of the answers. */
async function stream(walk: Walk, port: number, bodies: readonly string[]): Promise<void> {
  using sender = await walk.sender(port);
  for (let at = 0; at < bodies.length; at += 256) {
    const part = bodies.slice(at, at + 256);
    sender.send(...part);
    const replies = await sender.waitForReplies(at + part.length, LONG_MS);
    for (const reply of replies.slice(at)) assert.equal(answered(reply).code, "AA");
  }
}

Deno.test("64 frames written at once are answered one by one, in their order", async () => {
  await using partner = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({ graph: pass(port, partner) });
  const sent = ids(64);
  using sender = await walk.sender(port);
  sender.send(...sent.map((id) => admission(id)));
  const replies = await sender.waitForReplies(sent.length);
  assert.deepEqual(replies.map((reply) => answered(reply).controlId), sent);
  await walk.drained();
  assert.deepEqual(partner.controlIds, sent);
});

Deno.test("messages beyond what memory may hold wait in the store and leave in order", async () => {
  const [port, away] = [await freePort(), await freePort()];
  await using walk = await Walk.open({ graph: pass(port, { port: away }) });
  const template = sizedTemplate({ seed: "walk", bytes: 2_000 });
  const sent = ids(3_000, "S");
  await stream(walk, port, sent.map((controlId, sequence) => template({ controlId, sequence })));
  const lane = walk.engine.pipeline.outbounds.get("OB_LAB")!;
  await until(() => lane.depth === sent.length, "every row", LONG_MS);
  assert.ok(lane.memory.rows <= 512, `${lane.memory.rows} rows in memory`);
  assert.ok(lane.memory.spilled >= sent.length - 512);

  await using partner = await ScriptedPartner.start({ port: away });
  await partner.waitForFrames(sent.length, LONG_MS);
  await walk.drained();
  assert.deepEqual(partner.controlIds, sent);
  assert.equal((await walk.rowsByStatus()).done, sent.length);
});

Deno.test("rows that arrive while a spilled lane drains keep their place", async () => {
  const [port, away] = [await freePort(), await freePort()];
  await using walk = await Walk.open({ graph: pass(port, { port: away }) });
  const early = ids(900, "E");
  await stream(walk, port, early.map((id) => admission(id)));
  await using partner = await ScriptedPartner.start({ port: away });
  const late = ids(1_500, "T");
  await stream(walk, port, late.map((id) => admission(id)));
  await partner.waitForFrames(early.length + late.length, LONG_MS);
  await walk.drained();
  assert.deepEqual(partner.controlIds, [...early, ...late]);
});

Deno.test("a counter in state loses no update at full speed, and survives a restart", async () => {
  await using partner = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({
    graph: pass(port, partner, {
      handler: `
        const count = (state<number>("count", "all") ?? 0) + 1;
        return [send(lab, msg.set("MSH-3", String(count))), setState("count", "all", count)];
      `,
    }),
  });
  await stream(walk, port, ids(1_000).map((id) => admission(id)));
  await walk.drained();
  await walk.stop();
  await walk.start();
  await stream(walk, port, ids(200, "M").map((id) => admission(id)));
  await walk.drained();
  const counts = partner.received.map(({ text }) => Number(text.split("|")[2]));
  assert.deepEqual(counts, Array.from({ length: 1_200 }, (_, index) => index + 1));
  const [entry] = await walk.engine.store.state();
  assert.equal(entry?.value, "1200");
});

Deno.test("an inbound whose handlers are slow routes first, and keeps its order", async () => {
  await using partner = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({
    graph: pass(port, partner, {
      handler: `
        let work = 0;
        for (let step = 0; step < 8_000_000; step += 1) work = (work + step * 7) % 1_000_003;
        const count = (state<number>("count", "all") ?? 0) + 1;
        const sent = msg.set("MSH-3", String(count)).set("MSH-4", work > 0 ? "DONE" : "");
        return [send(lab, sent), setState("count", "all", count)];
      `,
    }),
  });
  const sent = ids(100);
  await stream(walk, port, sent.map((id) => admission(id)));
  await walk.drained(LONG_MS);
  assert.deepEqual(partner.controlIds, sent);
  assert.deepEqual(
    partner.received.map(({ text }) => Number(text.split("|")[2])),
    sent.map((_, index) => index + 1),
  );
  const last = await walk.message("L99");
  const at = (event: string) => last.events.find((entry) => entry.event === event)!.at;
  assert.ok(at("transformed") > at("routed"), "routed and transformed in two commits");
  const first = await walk.message("L0");
  assert.equal(first.events[1]?.at, first.events[2]?.at, "fused while nothing was known");
});

Deno.test("stopping in order under load loses nothing and doubles nothing", async () => {
  await using partner = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({ graph: pass(port, partner) });
  const acknowledged = new Set<string>();
  let sequence = 0;
  let isOver = false;
  const feed = async (lane: number) => {
    while (!isOver) {
      try {
        using sender = await walk.sender(port);
        while (!isOver) {
          const batch = Array.from({ length: 8 }, () => `G${lane}_${sequence++}`);
          const before = sender.replies.length;
          sender.send(...batch.map((id) => admission(id)));
          await sender.waitForReplies(before + batch.length).finally(() => {
            for (const reply of sender.replies.slice(before)) {
              const { code, controlId } = answered(reply);
              if (code === "AA") acknowledged.add(controlId);
            }
          });
        }
      } catch {
        // Refused or closed by the stop; what was not answered is sent anew under another name.
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  };
  const feeds = [feed(0), feed(1), feed(2)];
  for (let round = 0; round < 3; round += 1) {
    const goal = acknowledged.size + 300;
    await until(() => acknowledged.size >= goal, "traffic", LONG_MS);
    await walk.stop();
    await walk.start();
  }
  isOver = true;
  await Promise.all(feeds);
  await walk.drained(LONG_MS);
  const arrived = partner.controlIds;
  assert.equal(new Set(arrived).size, arrived.length, "nothing twice");
  for (const id of acknowledged) assert.ok(arrived.includes(id), `${id} was acknowledged`);
  const stored = (await walk.summaries()).map(({ controlId }) => controlId);
  assert.deepEqual(stored.toReversed(), arrived, "and in the order of their arrival");
});

Deno.test("restarts in order use up no attempt of messages that wait to be routed", async () => {
  await using partner = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({
    graph: pass(port, partner, {
      handler: `
        let work = 0;
        for (let step = 0; step < 6_000_000; step += 1) work = (work + step * 7) % 1_000_003;
        return send(lab, msg.set("MSH-4", work > 0 ? "DONE" : ""));
      `,
    }),
  });
  const sent = ids(60);
  await stream(walk, port, sent.map((id) => admission(id)));
  for (let round = 0; round < 7; round += 1) {
    await walk.stop();
    await walk.start();
  }
  await walk.drained(LONG_MS);
  assert.equal((await walk.engine.store.deadLetters({}, { limit: 1, offset: 0 })).total, 0);
  assert.deepEqual((await walk.summaries()).filter(({ status }) => status !== "processed"), []);
  assert.deepEqual(partner.controlIds, sent);
});

Deno.test("handlers that become quick again do not overtake what was routed meanwhile", async () => {
  await using partner = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({
    graph: pass(port, partner, {
      handler: `
        let work = 0;
        const steps = Number(msg.get("PID-2")) < 60 ? 4_000_000 : 1;
        for (let step = 0; step < steps; step += 1) work = (work + step * 7) % 1_000_003;
        return send(lab, msg.set("MSH-4", work > 0 ? "DONE" : ""));
      `,
    }),
  });
  const sent = ids(600);
  await stream(walk, port, sent.map((id, sequence) => admission(id, { sequence })));
  using sender = await walk.sender(port);
  while (partner.received.length < 600) {
    const id = `L${sent.length}`;
    sent.push(id);
    sender.send(admission(id, { sequence: sent.length }));
    await sender.waitForReplies(sent.length - 600, LONG_MS);
  }
  await walk.drained(LONG_MS);
  assert.deepEqual(partner.controlIds, sent);
});

Deno.test("an inbound with slow handlers holds up no other", async () => {
  await using slow = await ScriptedPartner.start();
  await using quick = await ScriptedPartner.start();
  const [slowPort, quickPort] = [await freePort(), await freePort()];
  await using walk = await Walk.open({
    graph: `
      import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
      const a = outbound("OB_SLOW", mllp({ host: "127.0.0.1", port: ${slow.port} }));
      const b = outbound("OB_QUICK", mllp({ host: "127.0.0.1", port: ${quick.port} }));
      const labour = handler("labour", (msg) => {
        let work = 0;
        for (let step = 0; step < 4_000_000; step += 1) work = (work + step * 7) % 1_000_003;
        return send(a, msg.set("MSH-4", work > 0 ? "DONE" : ""));
      });
      const pass = handler("pass", (msg) => send(b, msg));
      const slowly = router("slowly", () => labour);
      const quickly = router("quickly", () => pass);
      inbound("IB_SLOW", mllp({ port: ${slowPort} }), { router: slowly });
      inbound("IB_QUICK", mllp({ port: ${quickPort} }), { router: quickly });
    `,
  });
  // The slow ones never run out while the quick ones are timed, however fast the machine is.
  const load: string[] = [];
  using sender = await walk.sender(slowPort);
  const fill = async () => {
    while (load.length - slow.received.length < 60) {
      const id = `L${load.length}`;
      load.push(id);
      sender.send(admission(id));
    }
    await sender.waitForReplies(load.length, LONG_MS);
  };
  await fill();
  await slow.waitForFrames(1, LONG_MS);
  const took: number[] = [];
  for (let index = 0; index < 10; index += 1) {
    await fill();
    const before = performance.now();
    await walk.exchange(quickPort, admission(`Q${index}`));
    await quick.waitForFrames(index + 1, LONG_MS);
    took.push(performance.now() - before);
  }
  assert.ok(slow.received.length < load.length, "the slow ones are not through");
  const [middle] = took.toSorted((a, b) => a - b).slice(5);
  assert.ok(middle! < 500, `${Math.round(middle!)} ms from sender to partner`);
  await walk.drained(LONG_MS);
  assert.deepEqual(slow.controlIds, load);
});
