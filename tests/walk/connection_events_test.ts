// Goal: connection events are written where `[diagnostics]` or the inbound itself asks for them, and
// nowhere else; what is not written changes no answer and no message.
import assert from "node:assert/strict";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort } from "../connectors/waiting.ts";
import { admission, Walk } from "./bench.ts";

async function eventsWith(
  settings: string,
  own: string,
): Promise<{ readonly seen: readonly string[]; readonly dispositions: readonly string[] }> {
  await using lab = await ScriptedPartner.start();
  lab.otherwise = { do: "ack" };
  const [one, two] = [await freePort(), await freePort()];
  const graph = `
    import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
    const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${lab.port} }));
    const route = router("route", () => handler_);
    const handler_ = handler("pass", (msg) => send(lab, msg));
    inbound("IB_ONE", mllp({ port: ${one} }), { router: route, ${own} });
    inbound("IB_TWO", mllp({ port: ${two} }), { router: route });
  `;
  await using walk = await Walk.open({ graph, settings });
  await walk.exchange(one, admission("A1"));
  await walk.exchange(two, admission("A2"));
  await walk.drained();
  await walk.engine.pipeline.events.flush();
  const events = await walk.engine.store.connectionEvents({ limit: 100 });
  const dispositions = (await walk.summaries()).map(({ status }) => status);
  return {
    seen: [...new Set(events.map(({ connection }) => connection))].toSorted(),
    dispositions,
  };
}

Deno.test("connection events are written as the settings and the inbound say", async () => {
  const off = "[diagnostics]\nconnection_events = false\n";
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    ["", "", ["IB_ONE", "IB_TWO"]],
    ["", "captureConnectionErrors: false", ["IB_TWO"]],
    [off, "", []],
    [off, "captureConnectionErrors: true", ["IB_ONE"]],
  ];
  for (const [settings, own, expected] of cases) {
    const { seen, dispositions } = await eventsWith(settings, own);
    assert.deepEqual(seen, expected, `${settings} ${own}`);
    assert.deepEqual(dispositions, ["processed", "processed"]);
  }
});
