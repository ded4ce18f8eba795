import assert from "node:assert/strict";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort } from "../connectors/waiting.ts";
import { admission, timeline, Walk } from "./bench.ts";

// Goal: an outbound that only pretends opens no socket, and everything else is as if it had (I36).

function graph({ port, lab, options }: { port: number; lab: number; options: string }): string {
  return `
    import { handler, inbound, loopback, mllp, outbound, router, send, setState } from "messagefoundry";
    const lab = outbound("OB_LAB", mllp({
      host: "127.0.0.1", port: ${lab}, reingressTo: "IB_LOOP",
    })${options});
    const toLab = handler("to_lab", (msg) => [
      send(lab, msg.set("MSH-3", "sent")), setState("seen", msg.controlId ?? "", true),
    ]);
    const nothing = handler("nothing", () => null);
    inbound("IB_ADT", mllp({ port: ${port} }), { router: router("route", () => toLab) });
    inbound("IB_LOOP", loopback(), { router: router("none", () => nothing) });
  `;
}

const ways = [
  { name: "simulate of an outbound", options: ", { simulate: true }", settings: "" },
  {
    name: "[shadow].simulate_all_egress",
    options: ", { simulate: false }",
    settings: "[shadow]\nsimulate_all_egress = true\n",
  },
];

for (const { name, options, settings } of ways) {
  Deno.test(`${name} sends nothing and keeps what would have been sent`, async () => {
    await using partner = await ScriptedPartner.start();
    const port = await freePort();
    await using walk = await Walk.open({
      graph: graph({ port, lab: partner.port, options }),
      settings,
    });
    await walk.exchange(port, admission("V1"));
    const message = await walk.disposition("V1", "processed");
    await walk.drained();
    assert.equal(partner.connections, 0);
    assert.deepEqual(message.rows.map(({ status }) => status), ["done"]);
    const [row] = (await walk.engine.store.outboundOf(message.id))!;
    assert.match(row?.payload ?? "", /^MSH\|\^~\\&\|sent\|/);
    assert.equal(timeline(message).at(-1), "simulated");
    assert.ok(!timeline(message).includes("delivered"));
    assert.deepEqual(await walk.engine.store.responsesOf(message.id), []);
    assert.equal((await walk.summaries()).length, 1, "nothing comes back in");
    assert.deepEqual((await walk.engine.store.state()).map(({ key }) => key), ["V1"]);
    const told = walk.log.filter((line) => line.includes("delivery.simulated"));
    assert.equal(told.length, 1);
  });
}

Deno.test("without either the outbound delivers", async () => {
  await using partner = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({ graph: graph({ port, lab: partner.port, options: "" }) });
  await walk.exchange(port, admission("V2"));
  await walk.disposition("V2", "processed");
  assert.equal(partner.received.length, 1);
  assert.ok(!walk.log.some((line) => line.includes("delivery.simulated")));
});
