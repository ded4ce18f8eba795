import assert from "node:assert/strict";
import { buildMessage, runHandler, runInbound } from "messagefoundry/testing";
import "./results.ts";

const codeSets = { facilities: { NORTH: "NORTHHOSP" } };

const result = buildMessage({
  type: "ORU^R01",
  controlId: "7",
  parties: ["LAB", "NORTH", "EHR", "HOSP"],
  segments: [
    "PID|1|OLD|900001^^^NORTH^MR||TESTER^TESSA||19700203|F|||1 TEST ST||555-0100",
    "NTE|1||said to be unwell",
    "OBR|1|P1|F1|NA^Sodium",
    "OBX|1|NM|NA^Sodium||140|mmol/L",
    "OBR|2|P2|F2|K^Potassium",
    "OBX|1|NM|K^Potassium||4.1|mmol/L",
  ],
});

Deno.test("the health record gets one message for each order", async () => {
  const { sends, error } = await runHandler("results_per_order", result, { codeSets });
  assert.equal(error, undefined);
  assert.deepEqual(sends.map(({ to, message }) => [to, message.controlId]), [
    ["OB_EHR_ORU", "7-1"],
    ["OB_EHR_ORU", "7-2"],
  ]);
  assert.deepEqual(sends.map(({ message }) => message.get("OBX-3.1")), ["NA", "K"]);
  assert.ok(sends.every(({ message }) => message.get("PID-3.1") === "900001"));
  assert.ok(sends.every(({ message }) => message.get("MSH-4") === "NORTHHOSP"));
});

Deno.test("research learns nobody's name, and the values", async () => {
  const { sends, state, error } = await runHandler("results_for_research", result);
  assert.equal(error, undefined);
  const [copy] = sends;
  assert.equal(copy?.to, "FILE-OUT_RESEARCH_ORU");
  const [write] = state;
  // The alias is drawn by chance, and may look like anything.
  const payload = copy?.payload.replaceAll(String(write?.value), "ALIAS") ?? "";
  for (const trace of ["900001", "OLD", "TESTER", "TESSA", "0203", "TEST ST", "555", "unwell"]) {
    assert.ok(!payload.includes(trace), trace);
  }
  assert.equal(copy?.message.get("PID-7"), "1970");
  assert.deepEqual(copy?.message.segments("OBX").map((obx) => obx.get("5")), ["140", "4.1"]);
  assert.deepEqual([write?.namespace, write?.key], ["research_alias", "900001"]);
  assert.equal(copy?.message.get("PID-3.1"), write?.value);
});

Deno.test("a patient research knows keeps the alias", async () => {
  const options = { state: { research_alias: { "900001": "R-known" } } };
  const { sends, state } = await runHandler("results_for_research", result, options);
  assert.equal(sends[0]?.message.get("PID-3.1"), "R-known");
  assert.deepEqual(state, []);
});

Deno.test("a result of nobody is an error that names the field only", async () => {
  const nobody = buildMessage({ type: "ORU^R01", segments: ["PID|1", "OBR|1"] });
  const { sends, error } = await runHandler("results_for_research", nobody);
  assert.deepEqual(sends, []);
  assert.equal(error, "Error: PID-3.1 is empty");
});

Deno.test("a result goes both ways, anything else nowhere", async () => {
  const both = await runInbound("IB_LAB_ORU", result, { codeSets });
  assert.deepEqual(both.handlers, ["results_per_order", "results_for_research"]);
  const other = buildMessage({ type: "ADT^A01", segments: ["PID|1||1"] });
  assert.deepEqual((await runInbound("IB_LAB_ORU", other, { codeSets })).handlers, []);
});
