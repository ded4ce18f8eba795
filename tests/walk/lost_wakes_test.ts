import assert from "node:assert/strict";
import { BACKSTOP_MS } from "../../src/pipeline/backstop.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, pause } from "../connectors/waiting.ts";
import { loseWakes } from "../pipeline/lost_wakes.ts";
import { admission, answered, Walk } from "./bench.ts";

// Goal: I71 in a whole engine: a message whose every wake-up is lost moves on with the next look.
Deno.test("a message that nobody was woken for is delivered by the backstop", async () => {
  await using partner = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({
    graph: `
      import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
      const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${partner.port} }));
      const pass = handler("pass", (msg) => send(lab, msg));
      inbound("IB_ADT", mllp({ port: ${port} }), { router: router("route", () => pass) });
    `,
  });
  {
    using _deaf = loseWakes(() => true);
    assert.equal(answered(await walk.exchange(port, admission("A1"))).code, "AA");
    await pause(200);
    assert.equal(partner.received.length, 0);
  }
  await partner.waitForFrames(1, BACKSTOP_MS + 2_000);
  await walk.disposition("A1", "processed");
});
