import assert from "node:assert/strict";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { eventually, freePort, until } from "../connectors/waiting.ts";
import { admission, timeline, Walk } from "./bench.ts";

// Goal: what partners answer is kept with the delivery, and comes back in as a message of its own.

/** An inbound whose message goes to the lab; the lab's answer goes back in and on to the ward. */
function graph(
  { port, lab, ward, loop = "", settings = 'reingressTo: "IB-LOOP_LAB_ACK"' }: {
    readonly port: number;
    readonly lab: number;
    readonly ward: number;
    readonly loop?: string;
    readonly settings?: string;
  },
): string {
  return `
    import {
      currentCorrelation, handler, inbound, loopback, mllp, outbound, response, router, send,
      setState, state,
    } from "messagefoundry";
    const retry = { backoffSeconds: 0.05, backoffMultiplier: 1 };
    const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${lab}, ${settings} }), { retry });
    const ward = outbound("OB_WARD", mllp({ host: "127.0.0.1", port: ${ward} }), { retry });
    const toLab = handler("to_lab", (msg) => send(lab, msg));
    const answered = handler("answered", (ack) => {
      const from = currentCorrelation();
      const captured = response(lab);
      ack.set("MSH-3", from?.outbound ?? "nobody");
      ack.set("MSH-4", from?.rootId === from?.id ? "first hop" : "further");
      ack.set("MSH-5", captured?.outcome ?? "none");
      ack.set("MSH-6", captured?.body?.startsWith("MSH") ? "its body" : "no body");
      return send(ward, ack);
    });
    const route = router("route", () => toLab);
    const answers = router("answers", () => answered);
    inbound("IB_ADT", mllp({ port: ${port} }), { router: route });
    inbound("IB-LOOP_LAB_ACK", loopback(), { router: answers });
    ${loop}
  `;
}

Deno.test("a partner's answer is kept, comes back in, and is told what it answers", async () => {
  await using lab = await ScriptedPartner.start();
  await using ward = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({ graph: graph({ port, lab: lab.port, ward: ward.port }) });
  await walk.exchange(port, admission("R1"));
  await until(() => ward.received.length === 1, "the answer to reach the ward");
  await walk.drained();

  const [origin] = (await walk.summaries()).filter(({ channel }) => channel === "IB_ADT");
  const [answer] = await walk.engine.store.responsesOf(origin!.id);
  assert.deepEqual(
    [answer?.destination, answer?.responseSeq, answer?.outcome],
    ["OB_LAB", 1, "accepted"],
  );
  assert.match(answer?.body ?? "", /^MSH.*\rMSA\|AA\|R1/);
  const detail = await walk.engine.store.message(origin!.id);
  assert.equal(detail?.status, "processed");
  assert.deepEqual(timeline(detail!).toSorted(), [
    ...["delivered", "received", "reingressed", "routed", "transformed"],
  ]);

  const [child] = (await walk.summaries()).filter(({ channel }) => channel === "IB-LOOP_LAB_ACK");
  assert.deepEqual(JSON.parse(child?.metadata ?? "null"), {
    correlation_id: origin!.id,
    correlation_root_id: origin!.id,
    correlation_depth: 1,
    reingress_from: "OB_LAB",
    reingress_of_seq: 1,
    reingress_outcome: "accepted",
  });
  assert.equal((await walk.engine.store.message(child!.id))?.raw, answer?.body);
  assert.equal(child?.status, "processed");
  const fields = ward.received[0]!.text.split("|").slice(2, 6);
  assert.deepEqual(fields, ["OB_LAB", "first hop", "accepted", "its body"]);
  assert.equal(walk.engine.pipeline.statistics.inbound("IB-LOOP_LAB_ACK").read, 1);
});

Deno.test("an answer that is only kept comes back to nobody", async () => {
  await using lab = await ScriptedPartner.start();
  await using ward = await ScriptedPartner.start();
  const port = await freePort();
  const settings = "captureResponse: true";
  await using walk = await Walk.open({
    graph: graph({ port, lab: lab.port, ward: ward.port, settings }),
  });
  await walk.exchange(port, admission("K1"));
  const { id } = await walk.disposition("K1", "processed");
  assert.equal((await walk.engine.store.responsesOf(id)).length, 1);
  assert.equal((await walk.summaries()).length, 1);
  await walk.logged("graph.warning");
});

Deno.test("a negative answer is no delivery, so nothing is kept of it", async () => {
  await using lab = await ScriptedPartner.start();
  await using ward = await ScriptedPartner.start();
  lab.script({ do: "ack", code: "AE" }, { do: "close" });
  const port = await freePort();
  await using walk = await Walk.open({ graph: graph({ port, lab: lab.port, ward: ward.port }) });
  await walk.exchange(port, admission("N1"));
  await until(() => ward.received.length === 1, "the answer to reach the ward");
  await walk.drained();
  assert.equal(lab.received.length, 3);
  const [origin] = (await walk.summaries()).filter(({ channel }) => channel === "IB_ADT");
  assert.equal((await walk.engine.store.responsesOf(origin!.id)).length, 1);
});

Deno.test("answers wait while the loopback is stopped, over a restart and a reload without it", async () => {
  await using lab = await ScriptedPartner.start();
  await using ward = await ScriptedPartner.start();
  const port = await freePort();
  const whole = graph({ port, lab: lab.port, ward: ward.port });
  await using walk = await Walk.open({ graph: whole });
  await walk.engine.pipeline.inbounds.get("IB-LOOP_LAB_ACK")!.stop();
  await walk.exchange(port, admission("S1"));
  await until(() => lab.received.length === 1, "the delivery");
  await walk.exchange(port, admission("S2"));
  await until(() => lab.received.length === 2, "the second delivery");
  // A delivery that is not settled is an open row as well: only what is done tells them apart.
  const settled = async (count: number) => (await walk.rowsByStatus()).done === count;
  await eventually(() => settled(2), "both deliveries to be settled");
  await until(() => walk.engine.pipeline.openRows === 2, "both answers to wait");
  assert.equal((await walk.message("S1")).status, "routed", "it is not over yet");
  const answers = { stage: "response", lane: "IB-LOOP_LAB_ACK" } as const;
  assert.deepEqual(walk.engine.pipeline.overlooked([answers]), [], "memory knows of them");

  await walk.stop();
  await walk.start();
  await until(() => ward.received.length === 2, "both answers, after the restart");
  await walk.drained();

  // Without the loopback rows stay where they are; with it they go on.
  await walk.engine.pipeline.inbounds.get("IB-LOOP_LAB_ACK")!.stop();
  await walk.exchange(port, admission("S3"));
  await until(() => lab.received.length === 3, "the third delivery");
  await eventually(() => settled(5), "the third delivery to be settled");
  await until(() => walk.engine.pipeline.openRows === 1, "its answer to wait");
  await walk.stop();
  const without = whole.replace(', reingressTo: "IB-LOOP_LAB_ACK"', "")
    .replace(/^.*inbound\("IB-LOOP_LAB_ACK".*$/m, "");
  await walk.bundle.write("graph/walk.ts", without);
  await walk.start();
  await walk.bundle.write("graph/walk.ts", whole);
  await walk.engine.reload({ bundleDir: walk.dir, dryRun: false });
  await until(() => ward.received.length === 3, "the answer, after the reload");
  await walk.drained();
  const kinds = (await walk.summaries()).map(({ channel }) => channel).toSorted();
  assert.deepEqual(kinds, [
    ...["IB-LOOP_LAB_ACK", "IB-LOOP_LAB_ACK", "IB-LOOP_LAB_ACK", "IB_ADT", "IB_ADT", "IB_ADT"],
  ]);
});

for (const cap of [1, 2, 8]) {
  // I21: messages in all are the cap and one, and the last of them is an error.
  Deno.test(`a chain that turns in a circle ends after ${cap} hops`, async () => {
    await using lab = await ScriptedPartner.start();
    const port = await freePort();
    await using walk = await Walk.open({
      graph: `
        import { handler, inbound, loopback, mllp, outbound, router, send } from "messagefoundry";
        const lab = outbound("OB_LAB", mllp({
          host: "127.0.0.1", port: ${lab.port}, reingressTo: "IB_LOOP",
        }));
        const again = handler("again", (msg) => send(lab, msg));
        const route = router("route", () => again);
        inbound("IB_ADT", mllp({ port: ${port} }), { router: route });
        inbound("IB_LOOP", loopback(), { router: route });
      `,
      settings: `[pipeline]\nmax_correlation_depth = ${cap}\n`,
    });
    await walk.exchange(port, admission("C1"));
    await walk.logged("reingress.too_deep");
    await walk.drained();
    const found = await walk.summaries();
    assert.equal(found.length, cap + 1);
    const statuses = found.map(({ status }) => status);
    assert.deepEqual(statuses, ["error", ...new Array(cap).fill("processed")], "newest first");
    assert.match(found[0]?.error ?? "", new RegExp(`deeper than ${cap} hops`));
    const depths = found.map(({ metadata }) =>
      metadata === null ? 0 : JSON.parse(metadata).correlation_depth
    );
    assert.deepEqual(depths, Array.from({ length: cap + 1 }, (_, index) => cap - index));
  });
}

Deno.test("a handler sends to a loopback, in order, and its message goes on by itself", async () => {
  await using ward = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({
    graph: `
      import {
        currentCorrelation, handler, inbound, loopback, mllp, outbound, router, send,
      } from "messagefoundry";
      const ward = outbound("OB_WARD", mllp({ host: "127.0.0.1", port: ${ward.port} }));
      const second = handler("second", (msg) => {
        msg.set("MSH-3", currentCorrelation()?.handler ?? "nobody");
        return send(ward, msg);
      });
      const later = router("later", () => second);
      const loop = inbound("IB_LOOP", loopback(), { router: later });
      const first = handler("first", (msg) => [
        send(loop, msg.set("PID-2", "1")),
        send("IB_LOOP", msg.set("PID-2", "2")),
      ]);
      const route = router("route", () => first);
      inbound("IB_ADT", mllp({ port: ${port} }), { router: route });
    `,
  });
  const count = 20;
  using sender = await walk.sender(port);
  for (let index = 0; index < count; index += 1) sender.send(admission(`P${index}`));
  await sender.waitForReplies(count);
  await until(() => ward.received.length === 2 * count, "all to reach the ward");
  await walk.drained();
  const order = ward.received.map(({ text, controlId }) =>
    `${controlId} ${/PID\|1\|(\d)/.exec(text)?.[1]}`
  );
  const wanted = Array.from({ length: count }, (_, index) => [`P${index} 1`, `P${index} 2`]);
  assert.deepEqual(order, wanted.flat());
  assert.ok(ward.received.every(({ text }) => text.split("|")[2] === "first"));
  const messages = await walk.summaries();
  assert.equal(messages.length, 3 * count);
  assert.ok(messages.every(({ status }) => status === "processed"));
  assert.deepEqual(
    JSON.parse(messages.find(({ channel }) => channel === "IB_LOOP")!.metadata!).passthrough_from,
    "first",
  );
});

Deno.test("an answer that is no message for its loopback is stored as an error", async () => {
  await using lab = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({
    graph: `
      import { handler, inbound, loopback, mllp, outbound, RawMessage, router, send } from "messagefoundry";
      const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${lab.port} }));
      const nothing = handler("nothing", () => null);
      const toLoop = handler("to_loop", () => [send("IB_LOOP", "no header"), send("IB_RAW", { a: 1 })]);
      const raw = handler("raw", (msg: RawMessage) => send(lab, msg.json<{ a: number }>().a + ""));
      inbound("IB_LOOP", loopback(), { router: router("none", () => nothing) });
      inbound("IB_RAW", loopback(), { router: router("raw", () => raw), contentType: "json" });
      inbound("IB_ADT", mllp({ port: ${port} }), { router: router("route", () => toLoop) });
    `,
  });
  await walk.exchange(port, admission("E1"));
  await until(() => lab.received.length === 1, "the JSON to come through");
  await walk.disposition("E1", "processed");
  await walk.drained();
  assert.equal(lab.received[0]?.text, "1");
  const [refused] = (await walk.summaries()).filter(({ channel }) => channel === "IB_LOOP");
  assert.deepEqual([refused?.status, refused?.controlId], ["error", null]);
});
