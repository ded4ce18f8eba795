import assert from "node:assert/strict";
import type { DueDelivery } from "../../../src/cli/demo/expectation.ts";
import { type Observation, reconcile } from "../../../src/cli/demo/reconcile.ts";

const due = (outbound: string, controlId: string, inbound = "IB_A"): DueDelivery => ({
  outbound,
  inbound,
  controlId,
  from: controlId,
});

const sound = {
  expectation: {
    dispositions: { processed: 3, filtered: 1, unrouted: 0, error: 1 },
    due: [due("OB", "1"), due("OB", "2"), due("OB", "2"), due("OB", "3"), due("FILE", "1")],
  },
  sent: { messages: 5, answers: { AA: 4, AR: 1 } },
  refusals: 1,
  stored: { messages: 5, dispositions: { processed: 3, filtered: 1, unrouted: 0, error: 1 } },
  observed: new Map<string, Observation>([
    ["OB", { kind: "mllp", to: "the lab", controlIds: ["1", "2", "2", "3"] }],
    ["FILE", { kind: "file", to: "archive", controlIds: ["1"] }],
  ]),
};

/** The same with other arrivals at OB. */
function arrivals(...controlIds: string[]) {
  return {
    ...sound,
    observed: new Map(sound.observed).set("OB", { kind: "mllp", to: "the lab", controlIds }),
  };
}

Deno.test("reconcile() finds nothing wrong when everything is there once and in order", () => {
  const { lanes, problems } = reconcile(sound);
  assert.deepEqual(problems, []);
  assert.deepEqual(
    lanes.map(({ outbound, due, arrived, isInOrder }) => [
      outbound,
      due,
      arrived,
      isInOrder,
    ]),
    [["FILE", 1, 1, undefined], ["OB", 4, 4, true]],
  );
});

Deno.test("reconcile() tells a loss, a double and a wrong order from each other", () => {
  assert.deepEqual(reconcile(arrivals("1", "2", "3")).problems, [
    "OB: 1 of 4 deliveries are missing",
  ]);
  assert.deepEqual(reconcile(arrivals("1", "2", "2", "3", "3")).problems, [
    "OB: 1 deliveries arrived twice",
  ]);
  assert.deepEqual(reconcile(arrivals("1", "2", "3", "2")).problems, [
    "OB: deliveries arrived out of order",
  ]);
  assert.deepEqual(reconcile(arrivals()).problems, ["OB: 4 of 4 deliveries are missing"]);
});

Deno.test("reconcile() lets inbounds interleave on one lane, never messages of one inbound", () => {
  const expectation = {
    ...sound.expectation,
    due: [due("OB", "a1"), due("OB", "b1", "IB_B"), due("OB", "a2"), due("OB", "b2", "IB_B")],
  };
  const check = (...controlIds: string[]) =>
    reconcile({
      ...sound,
      expectation,
      observed: new Map([["OB", { kind: "mllp", to: "", controlIds }]]),
    }).problems;
  assert.deepEqual(check("b1", "b2", "a1", "a2"), []);
  assert.deepEqual(check("a2", "a1", "b1", "b2"), ["OB: deliveries arrived out of order"]);
});

Deno.test("reconcile() compares answers and dispositions", () => {
  assert.deepEqual(
    reconcile({ ...sound, sent: { messages: 5, answers: { AA: 3, AE: 1 } } }).problems,
    [
      "3 of 4 messages were acknowledged with AA",
      "0 messages were refused with AR, not 1",
      '1 messages were answered "AE"',
    ],
  );
  const dispositions = { ...sound.stored.dispositions, processed: 2, unrouted: 1 };
  assert.deepEqual(reconcile({ ...sound, stored: { messages: 4, dispositions } }).problems, [
    "5 messages were sent and 4 are in the store",
    "2 messages are PROCESSED, not 3",
    "1 messages are UNROUTED, not 0",
  ]);
});

Deno.test("reconcile() says of an outbound it cannot see that it did not look", () => {
  const { lanes, problems } = reconcile({
    ...sound,
    observed: new Map(sound.observed).set("OB", { kind: "elsewhere", to: "lab.example.org" }),
  });
  assert.deepEqual(problems, []);
  const lane = lanes.find(({ outbound }) => outbound === "OB");
  assert.equal(lane?.arrived, undefined);
  assert.equal(lane?.to, "lab.example.org");
});
