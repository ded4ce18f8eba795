import assert from "node:assert/strict";
import { planTraffic } from "../../../src/cli/demo/traffic.ts";
import { Message } from "../../../src/hl7/mod.ts";

Deno.test("planTraffic() repeats itself under the same seed, control IDs are unique", () => {
  const plan = planTraffic({ count: 300, seed: "7" });
  assert.deepEqual(plan, planTraffic({ count: 300, seed: "7" }));
  assert.equal(plan.length, 300);
  assert.equal(new Set(plan.map(({ controlId }) => controlId)).size, 300);
  assert.notDeepEqual(plan[0], planTraffic({ count: 1, seed: "8" })[0]);
});

Deno.test("planTraffic() feeds every inbound with its own kind, and the odd ones among them", () => {
  const plan = planTraffic({ count: 200, seed: "demo" });
  const kinds = new Map<string, Set<string>>();
  for (const { inbound, controlId, text } of plan) {
    const message = Message.parse(text);
    assert.equal(message.controlId, controlId);
    const seen = kinds.get(inbound) ?? new Set();
    kinds.set(inbound, seen.add(message.messageCode ?? ""));
  }
  assert.deepEqual(kinds.get("IB_WARD_ORM"), new Set(["ORM"]));
  assert.deepEqual(kinds.get("IB_LAB_ORU"), new Set(["ORU"]));
  assert.deepEqual(kinds.get("IB_HOSPITAL_ADT"), new Set(["ADT", "MDM"]));

  const nameless = plan.filter(({ inbound, text }) =>
    inbound === "IB_LAB_ORU" && !Message.parse(text).has("PID-3.1")
  );
  assert.equal(nameless.length, 2, "one result in a hundred says of nobody");
});

Deno.test("planTraffic() makes unreadable bytes of one message in a hundred, and of no other", () => {
  const plan = planTraffic({ count: 200, seed: "demo" });
  const isUtf8 = (bytes: Uint8Array) => {
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(bytes);
      return true;
    } catch {
      return false;
    }
  };
  assert.equal(plan.filter(({ isUnreadable }) => isUnreadable).length, 2);
  for (const { isUnreadable, bytes } of plan) assert.equal(isUtf8(bytes), !isUnreadable);
});
