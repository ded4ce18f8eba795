import assert from "node:assert/strict";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, until } from "../connectors/waiting.ts";
import { admission, answered, timeline, Walk } from "./bench.ts";

// Goal: a message goes from the sender's socket to every partner it is meant for, transformed.

Deno.test("an ADT reaches its MLLP partner and a file, transformed", async () => {
  await using partner = await ScriptedPartner.start();
  const [port, out] = [await freePort(), await Deno.makeTempDir({ prefix: "mefor_out_" })];
  await using walk = await Walk.open({
    graph: `
      import { file, handler, inbound, mllp, outbound, router, send } from "messagefoundry";
      const epic = outbound("OB_EPIC", mllp({ host: "127.0.0.1", port: ${partner.port} }));
      const archive = outbound("FILE_ARCHIVE", file({ directory: ${JSON.stringify(out)} }));
      const admit = handler("admit", (msg) => {
        msg.set("MSH-4", "ACMEHOSP");
        return [send(epic, msg), send(archive, "kept: " + msg.get("MSH-10"))];
      });
      const route = router("route", (msg) => msg.messageCode === "ADT" ? admit : null);
      inbound("IB_ADT", mllp({ port: ${port} }), { router: route });
    `,
  });

  const sent = admission("A1");
  assert.deepEqual(answered(await walk.exchange(port, sent)), {
    code: "AA",
    controlId: "A1",
    reason: "",
  });

  const message = await walk.disposition("A1", "processed");
  assert.equal(partner.received[0]?.text, sent.replace("|ACME|ENGINE", "|ACMEHOSP|ENGINE"));
  assert.equal(message.raw, sent, "what came in is kept as it came");
  const files = [...Deno.readDirSync(out)].map(({ name }) => name);
  assert.deepEqual(files.length, 1);
  assert.equal(await Deno.readTextFile(`${out}/${files[0]}`), "kept: A1");
  assert.deepEqual(timeline(message).toSorted(), [
    "delivered",
    "delivered",
    "received",
    "routed",
    "transformed",
  ]);
  assert.deepEqual(
    message.rows.map(({ stage, destination, status, attempts }) => [
      stage,
      destination,
      status,
      attempts,
    ]),
    [["outbound", "OB_EPIC", "done", 1], ["outbound", "FILE_ARCHIVE", "done", 1]],
  );
  await Deno.remove(out, { recursive: true });
});

/** One inbound, one handler, one MLLP outbound with these options. */
function pass(
  port: number,
  partner: ScriptedPartner,
  { settings = "", options = "" } = {},
): string {
  return `
    import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
    const lab = outbound(
      "OB_LAB",
      mllp({ host: "127.0.0.1", port: ${partner.port}${settings} }),
      { retry: { backoffSeconds: 0.05, backoffMultiplier: 1 }${options} },
    );
    const pass = handler("pass", (msg) => send(lab, msg));
    const route = router("route", () => pass);
    inbound("IB_ADT", mllp({ port: ${port} }), { router: route });
  `;
}

Deno.test("one message fans out to several handlers and partners, each with its own copy", async () => {
  await using lab = await ScriptedPartner.start();
  await using ward = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({
    graph: `
      import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
      const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${lab.port} }));
      const ward = outbound("OB_WARD", mllp({ host: "127.0.0.1", port: ${ward.port} }));
      const one = handler("one", (msg) => {
        const first = send(lab, msg.set("MSH-3", "ONE"));
        return [first, send(ward, msg.set("MSH-3", "LATER")), send(lab, msg)];
      });
      const two = handler("two", (msg) => send(ward, msg));
      const route = router("route", () => [one, two]);
      inbound("IB_ADT", mllp({ port: ${port} }), { router: route });
    `,
  });
  await walk.exchange(port, admission("F1"));
  const message = await walk.disposition("F1", "processed");
  const senders = ({ received }: ScriptedPartner) => received.map(({ text }) => text.split("|")[2]);
  assert.deepEqual(senders(lab), ["ONE", "LATER"]);
  assert.deepEqual(senders(ward), ["LATER", "REG"]);
  assert.deepEqual(
    message.rows.map(({ destination, handler, status }) => [
      destination,
      handler,
      status,
    ]),
    [
      ["OB_LAB", "one", "done"],
      ["OB_WARD", "one", "done"],
      ["OB_LAB", "one", "done"],
      ["OB_WARD", "two", "done"],
    ],
  );
});

Deno.test("AE is tried again, blocks its lane and no other", async () => {
  await using lab = await ScriptedPartner.start();
  await using ward = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({
    graph: `
      import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
      const retry = { backoffSeconds: 0.3, backoffMultiplier: 1 };
      const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${lab.port} }), { retry });
      const ward = outbound("OB_WARD", mllp({ host: "127.0.0.1", port: ${ward.port} }));
      const both = handler("both", (msg) => [send(lab, msg), send(ward, msg)]);
      const route = router("route", () => both);
      inbound("IB_ADT", mllp({ port: ${port} }), { router: route });
    `,
  });
  let ill = true;
  lab.otherwise = ({ controlId }) => ({ do: "ack", code: ill && controlId === "M0" ? "AE" : "AA" });
  const ids = Array.from({ length: 50 }, (_, index) => `M${index}`);
  using sender = await walk.sender(port);
  sender.send(...ids.map((id) => admission(id)));
  await sender.waitForReplies(ids.length);
  await ward.waitForFrames(ids.length);
  await lab.waitForFrames(3);
  assert.deepEqual(ward.controlIds, ids, "the other lane is done");
  assert.deepEqual([...new Set(lab.controlIds)], ["M0"], "nothing overtakes the head");
  ill = false;
  await walk.disposition("M49", "processed");
  assert.deepEqual(lab.controlIds.filter((id, index) => lab.controlIds[index - 1] !== id), ids);
  const head = await walk.message("M0");
  const [row] = head.rows;
  assert.equal(row?.attempts, lab.controlIds.filter((id) => id === "M0").length);
  assert.equal(
    timeline(head).filter((event) => event === "failed").length,
    row!.attempts - 1,
    "every refused attempt is in the timeline",
  );
});

Deno.test("a partner that is away gets everything in order once it is back", async () => {
  const [port, away] = [await freePort(), await freePort()];
  await using walk = await Walk.open({
    graph: pass(port, { port: away } as ScriptedPartner),
  });
  const ids = Array.from({ length: 20 }, (_, index) => `W${index}`);
  using sender = await walk.sender(port);
  sender.send(...ids.map((id) => admission(id)));
  await sender.waitForReplies(ids.length);
  await walk.logged("delivery.retried");
  await using partner = await ScriptedPartner.start({ port: away });
  await walk.disposition("W19", "processed");
  assert.deepEqual(partner.controlIds, ids);
  await walk.engine.pipeline.events.flush();
  const events = await walk.engine.store.connectionEvents({ connection: "OB_LAB", limit: 50 });
  const told = events.map(({ event }) => event).toReversed();
  assert.deepEqual(told.filter((event) => event.startsWith("connection_")), [
    "connection_lost",
    "connection_restored",
  ]);
});

Deno.test("silence, hang-ups and answers to other messages are no deliveries", async () => {
  await using partner = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({
    graph: pass(port, partner, { settings: ", timeoutSeconds: 0.2" }),
  });
  partner.script(
    { do: "silence" },
    { do: "close" },
    { do: "reset" },
    { do: "close_mid_frame" },
    { do: "raw", bytes: "\x0bhello\x1c\r" },
    { do: "ack", controlId: "SOMEBODY_ELSE" },
    { do: "ack", msa: false },
    { do: "ack", code: "XX" },
  );
  await walk.exchange(port, admission("S1"));
  await walk.exchange(port, admission("S2"));
  await walk.disposition("S2", "processed");
  assert.deepEqual(partner.controlIds, [...new Array(9).fill("S1"), "S2"]);
  const message = await walk.message("S1");
  assert.deepEqual(message.rows.map(({ status, attempts }) => [status, attempts]), [["done", 9]]);
});

Deno.test("an acknowledgement that names no message delivers unless the partner is held to it", async () => {
  for (const verify of ["lenient", "strict"]) {
    await using partner = await ScriptedPartner.start({
      otherwise: { do: "ack", controlId: null },
    });
    const port = await freePort();
    await using walk = await Walk.open({
      graph: pass(port, partner, { settings: `, verifyAckControlId: "${verify}"` }),
    });
    await walk.exchange(port, admission("V1"));
    if (verify === "strict") {
      await partner.waitForFrames(3);
      assert.equal((await walk.message("V1")).status, "routed");
      partner.otherwise = { do: "ack" };
    }
    await walk.disposition("V1", "processed");
    assert.ok(verify === "strict" || partner.received.length === 1);
    await walk.engine.pipeline.events.flush();
    const events = await walk.engine.store.connectionEvents({
      kinds: ["ack_id_absent"],
      limit: 20,
    });
    assert.ok(events.length >= 1, verify);
  }
});

Deno.test("a paused outbound sends nothing, its inbound goes on, and resuming keeps the order", async () => {
  await using partner = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({ graph: pass(port, partner) });
  const lane = walk.engine.pipeline.outbounds.get("OB_LAB")!;
  const held = Promise.withResolvers<void>();
  partner.script({ do: "ack", when: held.promise });
  await walk.exchange(port, admission("Q0"));
  await partner.waitForFrames(1);
  const paused = lane.pause();
  // New rows arrive while the last delivery is still on the wire.
  for (const id of ["Q1", "Q2", "Q3"]) await walk.exchange(port, admission(id));
  await until(() => lane.depth === 4, "the rows");
  held.resolve();
  await paused;
  for (const id of ["Q4", "Q5"]) await walk.exchange(port, admission(id));
  // A row counts from before its commit on, beside the row it comes from.
  const { pipeline } = walk.engine;
  await until(() => lane.depth === 5 && pipeline.openRows === 5, "the rows of the pause");
  assert.deepEqual(partner.controlIds, ["Q0"]);
  for (const id of ["Q1", "Q5"]) {
    const { rows } = await walk.message(id);
    assert.deepEqual(rows.map(({ status, attempts }) => [status, attempts]), [["pending", 0]]);
  }
  lane.resume();
  await walk.disposition("Q5", "processed");
  assert.deepEqual(partner.controlIds, ["Q0", "Q1", "Q2", "Q3", "Q4", "Q5"]);
});

Deno.test("an unordered lane delivers past a row that fails for ever", async () => {
  await using partner = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({
    graph: pass(port, partner, { options: ', ordering: "unordered"' }),
  });
  partner.otherwise = ({ controlId }) => ({ do: "ack", code: controlId === "N7" ? "AE" : "AA" });
  const ids = Array.from({ length: 300 }, (_, index) => `N${index}`);
  using sender = await walk.sender(port);
  sender.send(...ids.map((id) => admission(id)));
  await sender.waitForReplies(ids.length, 15_000);
  await until(() => new Set(partner.controlIds).size === ids.length, "every message", 15_000);
  await until(() => walk.engine.pipeline.openRows === 1, "all but one to be done", 15_000);
  assert.equal((await walk.message("N7")).status, "routed");
  const good = partner.controlIds.filter((id) => id !== "N7");
  assert.equal(good.length, ids.length - 1, "each good one was sent once");
  partner.otherwise = { do: "ack" };
  await walk.disposition("N7", "processed");
  await walk.drained();
});

Deno.test("files of a directory become messages and reach a partner in order", async () => {
  await using partner = await ScriptedPartner.start();
  const incoming = await Deno.makeTempDir({ prefix: "mefor_in_" });
  await using walk = await Walk.open({
    graph: `
      import { file, handler, inbound, mllp, outbound, router, send } from "messagefoundry";
      const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${partner.port} }));
      const pass = handler("pass", (msg) => send(lab, msg));
      const route = router("route", () => pass);
      inbound("FILE_ADT", file({ directory: ${JSON.stringify(incoming)}, pollSeconds: 0.05 }), {
        router: route,
      });
    `,
  });
  for (const name of ["b", "a", "c"]) {
    await Deno.writeTextFile(`${incoming}/.${name}.part`, admission(`FILE_${name}`));
  }
  for (const name of ["a", "b", "c"]) {
    await Deno.rename(`${incoming}/.${name}.part`, `${incoming}/${name}.hl7`);
  }
  await partner.waitForFrames(3);
  await walk.drained();
  assert.deepEqual(partner.controlIds, ["FILE_a", "FILE_b", "FILE_c"]);
  await until(
    () => [...Deno.readDirSync(`${incoming}/.processed`)].length === 3,
    "the files to be put away",
  );
  await walk.stop();
  await Deno.remove(incoming, { recursive: true });
});
