// Goal: an operator sees what partners answered, and nobody sees more of it than of the message.
import assert from "node:assert/strict";
import { ApiBench } from "./bench.ts";
import { ApiClient, unlimited } from "./client.ts";

const labSettings = "captureResponse: true";

Deno.test("/messages/{id}/responses shows each answer, oldest first", async () => {
  await using bench = await ApiBench.open({ labSettings });
  await bench.send("L1");
  const { id, receivedAt } = await bench.walk.disposition("L1", "processed");
  assert.equal((await bench.post(`/messages/${id}/replay`)).status, 200);
  await bench.walk.drained();
  const { message_id, responses } = await bench.get(`/messages/${id}/responses`);
  assert.equal(message_id as unknown, id);
  const seen = [...responses!] as unknown as readonly Record<string, unknown>[];
  assert.deepEqual(seen.map(({ body: _, captured_at: __, ...rest }) => rest), [
    { destination_name: "OB_LAB", response_seq: 1, outcome: "accepted", detail: null },
    { destination_name: "OB_LAB", response_seq: 2, outcome: "accepted", detail: null },
  ]);
  for (const { body, captured_at } of seen) {
    assert.match(String(body), /^MSH\|.*\rMSA\|AA\|L1/);
    assert.ok(
      Number(captured_at) >= receivedAt / 1e6 && Number(captured_at) < Date.now() / 1e3 + 1,
    );
  }
});

Deno.test("the body of an answer is shown with messages:view_raw only, and both are audited", async () => {
  await using bench = await ApiBench.open({ labSettings, settings: unlimited });
  await bench.send("L1");
  const { id } = await bench.walk.disposition("L1", "processed");
  const root = await ApiClient.of(bench, "root", { roles: ["administrator"] });
  const reader = { display_name: "Reader", permissions: ["messages:read"] };
  const role = (await root.post("/roles/custom", reader)).json;
  const clerk = await ApiClient.of(bench, "clerk", { roles: [String(role.id)] });
  const operator = await ApiClient.of(bench, "operator", { roles: ["operator"] });
  const stranger = await ApiClient.of(bench, "stranger", {
    roles: ["operator"],
    scope: '["IB_NONE"]',
  });
  const bodies = async (client: ApiClient) => {
    const { json } = await client.get(`/messages/${id}/responses`);
    return [...json.responses!].map(({ body }) => body as unknown);
  };
  assert.deepEqual(await bodies(clerk), [null]);
  assert.match(String((await bodies(operator))[0]), /^MSH/);
  assert.equal((await stranger.get(`/messages/${id}/responses`)).status, 404);
  const rows = await bench.walk.engine.store.register("auditNewest", 100);
  const read = rows.filter(({ action }) => action === "response.read")
    .map(({ actor, detail }) => [actor, JSON.parse(String(detail))]).reverse();
  assert.deepEqual(read, [
    ["clerk", { message_id: id, count: 1, body: false }],
    ["operator", { message_id: id, count: 1, body: true }],
  ]);
});
