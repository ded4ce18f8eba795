// Goal: an operator finds the message about a value, and the audit log learns what kind of value was
// looked for and never which.
import assert from "node:assert/strict";
import { ApiBench, type Json } from "./bench.ts";

const found = (answer: Json) =>
  [...answer.messages!].map(({ control_id }) => control_id as unknown);

Deno.test("/messages/search finds texts and values at paths, newest first", async () => {
  await using bench = await ApiBench.open();
  await bench.send("L1", "F2", "U3", "L4");
  await bench.walk.drained();
  const search = (query: string) => bench.get(`/messages/search?${query}`);
  const all = await search("content=sample^person");
  assert.deepEqual(found(all), ["L4", "U3", "F2", "L1"]);
  const { scanned, matched, truncated, limit, scan_limit } = all as unknown as Record<
    string,
    unknown
  >;
  assert.deepEqual([scanned, matched, truncated, limit, scan_limit], [4, 4, false, 50, 2_000]);
  assert.equal((all.messages![0] as unknown as { raw?: string }).raw, undefined, "no bodies");
  assert.deepEqual(found(await search("field_path=PID-3.1&field_value=l1")), ["L1"]);
  assert.deepEqual(found(await search("field_path=PID-3.1&field_value=l1&channel_id=IB_NONE")), []);
  assert.deepEqual(found(await search("field_path=PID-19")), []);
  assert.deepEqual(found(await search("content=person&status=filtered")), ["F2"]);
  assert.deepEqual(found(await search("content=mrn%20l1&target=summary")), ["L1"]);
  assert.deepEqual(found(await search("content=mrn%20l1&target=raw")), []);
  assert.deepEqual(found(await search("content=mrn%20l1")), ["L1"]);
  assert.equal(all.messages![0]!.summary as unknown, "MRN L4 · SAMPLE^PERSON");
  const two = await search("content=person&limit=2");
  assert.deepEqual([found(two), two.matched, two.truncated], [["L4", "U3"], 4, true] as unknown);
  const few = await search("content=person&scan_limit=3");
  assert.deepEqual([few.scanned, few.truncated], [3, true] as unknown);
  const exact = await search("content=person&scan_limit=4");
  assert.deepEqual([exact.scanned, exact.truncated], [4, false] as unknown);
});

Deno.test("/messages/search looks through more than one page", async () => {
  await using bench = await ApiBench.open();
  using sender = await bench.walk.sender(bench.inboundPort);
  const ids = Array.from({ length: 230 }, (_, n) => `U${n}`);
  await bench.send("L0");
  for (const id of ids) sender.send(`MSH|^~\\&|A|||||||ADT^A01|${id}|P|2.5\rPID|1||${id}\r`);
  await sender.waitForReplies(ids.length);
  const { json } = await bench.request("/messages/search?field_path=MSH-10&field_value=L0");
  assert.deepEqual([found(json), json.scanned], [["L0"], 231] as unknown);
});

Deno.test("/messages/search refuses what is no search", async () => {
  await using bench = await ApiBench.open();
  for (
    const [query, status] of [
      ["", 400],
      ["content=", 400],
      ["content=a&field_path=PID-3", 400],
      ["field_path=PID3", 400],
      ["field_path=PID-0", 400],
      [`content=${"x".repeat(513)}`, 422],
      ["content=a&target=body", 422],
      ["content=a&limit=0", 422],
      ["content=a&scan_limit=10001", 422],
    ] as const
  ) {
    assert.equal((await bench.request(`/messages/search?${query}`)).status, status, query);
  }
});

Deno.test("a search is audited by the shape of what was looked for", async () => {
  await using bench = await ApiBench.open();
  await bench.send("L1");
  await bench.get("/messages/search?field_path=PID-3.1&field_value=1234567&channel_id=IB_ADT");
  await bench.get("/messages/search?content=Mustermann");
  const rows = await bench.walk.engine.store.register("auditNewest", 10);
  const [second, first] = rows.map(({ action, channel_id, detail }) => ({
    action,
    channel_id,
    detail: JSON.parse(String(detail)) as Record<string, unknown>,
  }));
  assert.deepEqual([first?.action, first?.channel_id, first?.detail.needle], [
    "message_search",
    "IB_ADT",
    "digits 7",
  ]);
  assert.equal(second?.detail.needle, "alnum 10");
  assert.doesNotMatch(JSON.stringify(rows), /1234567|Mustermann/);
  assert.doesNotMatch(bench.walk.log.join(), /1234567|Mustermann/);
});

Deno.test("/messages/{id}/responses is empty, and 404 for a message that is not there", async () => {
  await using bench = await ApiBench.open();
  await bench.send("L1");
  const { id } = (await bench.get("/messages")).messages![0]!;
  assert.deepEqual(await bench.get(`/messages/${id}/responses`), { message_id: id, responses: [] });
  assert.equal((await bench.request("/messages/none/responses")).status, 404);
});
