// Goal: the answers that docs/reference/api.md shows have the fields that a running engine gives.
import assert from "node:assert/strict";
import { startApi } from "../../src/api/mod.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, pause } from "../connectors/waiting.ts";
import { admission, Walk } from "../walk/bench.ts";
import { blocksOf, root } from "./pages.ts";

/** The JSON blocks of the page by the route named last before each. */
async function shownShapes(): Promise<ReadonlyMap<string, unknown>> {
  const path = "docs/reference/api.md";
  const text = await Deno.readTextFile(root + path);
  const lines = text.split("\n");
  const shapes = new Map<string, unknown>();
  for (const { language, line, text: json } of blocksOf({ path, text })) {
    if (language !== "json") continue;
    const before = lines.slice(0, line).join("\n");
    const route = [...before.matchAll(/^`(GET [^`]+)`/gm)].at(-1)?.[1];
    shapes.set(route!, JSON.parse(json));
  }
  return shapes;
}

/** Names and kinds of everything in a value; null goes with anything. */
function agrees(shown: unknown, given: unknown, at: string): void {
  if (shown === null || given === null) return;
  assert.equal(kindOf(shown), kindOf(given), at);
  if (Array.isArray(shown) && Array.isArray(given)) {
    const [first] = shown as unknown[];
    const [firstGiven] = given as unknown[];
    if (first !== undefined && firstGiven !== undefined) agrees(first, firstGiven, `${at}[0]`);
  } else if (kindOf(shown) === "object") {
    const [left, right] = [shown as Record<string, unknown>, given as Record<string, unknown>];
    if (/outbox_by_status/.test(at)) return;
    assert.deepEqual(Object.keys(left).sort(), Object.keys(right).sort(), at);
    for (const key of Object.keys(left)) agrees(left[key], right[key], `${at}.${key}`);
  }
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? "array" : typeof value;
}

Deno.test("docs/reference/api.md shows the answers as they are", async () => {
  await using partner = await ScriptedPartner.start();
  const port = await freePort();
  await using walk = await Walk.open({
    settings: '[[alerts.rules]]\nseverity = "critical"\n',
    graph: `
      import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
      const out = outbound("OB_EHR_ORU", mllp({ host: "127.0.0.1", port: ${partner.port} }));
      const pass = handler("pass", (message) => send(out, message));
      inbound("IB_LAB_ORU", mllp({ port: ${port} }), { router: router("route", () => pass) });
    `,
  });
  await using api = await startApi(walk.engine, { host: "127.0.0.1", port: 0 });
  await walk.exchange(port, admission("S1"));
  await walk.disposition("S1", "processed");
  walk.engine.alerts.raise({
    type: "connection_stopped",
    connection: "OB_EHR_ORU",
    code: "TypeError",
    row: 7,
  });
  const { store } = walk.engine;
  const deadline = performance.now() + 10_000;
  while ((await store.register("alertsOpen")).length === 0) {
    assert.ok(performance.now() < deadline, "the alert is written");
    await pause(5);
  }
  const shapes = await shownShapes();
  assert.deepEqual([...shapes.keys()], [
    "GET /connections",
    "GET /ai/policy",
    "GET /alerts/active",
    "GET /alerts/rules",
    "GET /config/provenance",
    "GET /messages",
    "GET /stats",
  ]);
  for (const [route, shown] of shapes) {
    const response = await fetch(`http://127.0.0.1:${api.port}${route.slice(4)}`);
    const given = await response.json();
    if (route === "GET /connections") {
      // One row of each role stands on the page.
      for (const role of ["source", "destination"]) {
        const of = (rows: unknown) => (rows as { role: string }[]).find((row) => row.role === role);
        agrees(of(shown), of(given), `${route} ${role}`);
      }
    } else agrees(shown, given, route);
  }
});
