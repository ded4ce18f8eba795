import assert from "node:assert/strict";
import { buildMessage, runInbound } from "messagefoundry/testing";
import "./admissions.ts";

const codeSets = {
  adt_events: { A01: "admit", A08: "update" },
  facilities: { NORTH: "NORTHHOSP" },
};
const segments = ["PID|1||900001^^^NORTH^MR||TESTER^TESSA", "PV1|1|I"];

function admit(facility: string, event = "A01") {
  return buildMessage({
    type: `ADT^${event}`,
    parties: ["REG", facility, "EHR", "HOSP"],
    segments,
  });
}

Deno.test("an admission goes to the health record and the archive, alike", async () => {
  const { outcomes, error } = await runInbound("IB_HOSPITAL_ADT", admit("NORTH"), { codeSets });
  assert.equal(error, undefined);
  const sends = outcomes[0]?.sends ?? [];
  assert.deepEqual(sends.map(({ to }) => to), ["OB_EHR_ADT", "FILE-OUT_ARCHIVE_ADT"]);
  assert.equal(sends[0]?.payload, sends[1]?.payload);
  assert.equal(sends[0]?.message.get("MSH-4"), "NORTHHOSP");
  assert.equal(sends[0]?.message.get("PID-5"), "TESTER^TESSA");
});

Deno.test("a facility we do not know keeps its name", async () => {
  const { outcomes } = await runInbound("IB_HOSPITAL_ADT", admit("EAST"), { codeSets });
  assert.equal(outcomes[0]?.sends[0]?.message.get("MSH-4"), "EAST");
});

Deno.test("only production sends production messages", async () => {
  for (const [environment, expected] of [["dev", "T"], ["prod", "P"], [undefined, "T"]] as const) {
    const options = { codeSets, environment };
    const { outcomes } = await runInbound("IB_HOSPITAL_ADT", admit("NORTH"), options);
    assert.equal(outcomes[0]?.sends[0]?.message.get("MSH-11.1"), expected);
  }
});

Deno.test("events the health record does not keep stop here", async () => {
  const { outcomes } = await runInbound("IB_HOSPITAL_ADT", admit("NORTH", "A21"), { codeSets });
  assert.deepEqual(outcomes[0]?.sends, []);
  assert.equal(outcomes[0]?.error, undefined);
});

Deno.test("anything but ADT is not for us", async () => {
  const result = buildMessage({ type: "ORU^R01", segments });
  assert.deepEqual((await runInbound("IB_HOSPITAL_ADT", result, { codeSets })).handlers, []);
});
