import assert from "node:assert/strict";
import { consistency, Message } from "../../src/hl7/mod.ts";
import { code, lines } from "./samples.ts";

const message = Message.parse(lines(
  "MSH|^~\\&|A",
  'PID|1||SECRET||""||19800230',
  "PV1|1|I|||||||||||||||||||||||||||||||||||||||||20260105|||||VN1",
  "OBX|1|NM|||5||||||20260102",
  "OBX|2|NM||||||||F|20269999",
  "OBX|3|ST|||x",
));

Deno.test("consistency.required() names every place without a value", () => {
  assert.deepEqual(
    consistency.required(message, ["PID-3", "OBX-5", "PID-5", "NK1-2", "OBX[1]-5"]),
    [
      { rule: "required", path: "OBX[2]-5" },
      { rule: "required", path: "PID-5" },
      { rule: "required", path: "NK1-2" },
    ],
  );
  assert.deepEqual(consistency.required(message, ["OBX[9]-5"]), [{
    rule: "required",
    path: "OBX[9]-5",
  }]);
  assert.deepEqual(consistency.required(message, []), []);
});

Deno.test("consistency.sameAcross() compares everything that is there", () => {
  const same = Message.parse(lines("MSH|^~\\&|A", "PID|1||7", "OBR|1||7", "OBR|2||8", "OBR|3"));
  assert.deepEqual(consistency.sameAcross(same, ["PID-3", "OBR-3"]), [{
    rule: "same_across",
    path: "OBR[2]-3",
  }]);
  assert.deepEqual(consistency.sameAcross(same, ["PID-3", "OBR[1]-3", "NK1-1"]), []);
});

Deno.test("consistency.validDate() finds dates that do not exist", () => {
  assert.deepEqual(consistency.validDate(message, ["PID-7", "OBX-11", "PID-9"]), [
    { rule: "valid_date", path: "PID-7" },
    { rule: "valid_date", path: "OBX[2]-11" },
  ]);
});

Deno.test("consistency.datesInOrder() names the one that came too early", () => {
  const visit = Message.parse(
    lines("MSH|^~\\&|A", "EVN|A03|20260104|20260101|bad", "PV1|1|20260103|20260105"),
  );
  assert.deepEqual(
    consistency.datesInOrder(visit, ["EVN-3", "PV1-2", "EVN-2", "PV1-3", "PV1-9"]),
    [],
  );
  assert.deepEqual(consistency.datesInOrder(visit, ["PV1-2", "EVN-3", "EVN-4", "EVN-2", "EVN-3"]), [
    { rule: "dates_in_order", path: "EVN-3" },
    { rule: "valid_date", path: "EVN-4" },
    { rule: "dates_in_order", path: "EVN-3" },
  ]);
});

Deno.test("consistency.matches() tests every value, whatever the flags of the pattern", () => {
  assert.deepEqual(consistency.matches(message, "OBX-2", /^NM$/gy), [{
    rule: "matches",
    path: "OBX[3]-2",
  }]);
  assert.deepEqual(consistency.matches(message, "NK1-2", /^x$/), []);
  assert.throws(
    () => consistency.matches(message, "PID-3", "x" as unknown as RegExp),
    code("hl7.path_unsuitable"),
  );
});

Deno.test("violations never carry a value", () => {
  const all = [
    ...consistency.required(message, ["PID-5", "OBX-5"]),
    ...consistency.validDate(message, ["PID-7"]),
    ...consistency.matches(message, "PID-3", /^\d+$/),
    ...consistency.sameAcross(message, ["PID-3", "PV1-50", "OBX-2"]),
  ];
  assert.ok(all.length >= 4);
  assert.ok(!JSON.stringify(all).includes("SECRET"));
});
