import assert from "node:assert/strict";
import fc from "fast-check";
import { diffPayloads } from "../../src/graph/mod.ts";

const text = (...segments: string[]) => segments.map((segment) => `${segment}\r`).join("");
const msh = "MSH|^~\\&|A|B|C|D|20260102||ADT^A01|1|P|2.5.1";

Deno.test("diffPayloads() names fields, components, subcomponents and repetitions", () => {
  const before = text(msh, "PID|1||4711^^^ACME~0815||DOE^JANE||1980", "PV1|1|I");
  const after = text(msh, "PID|1||4711^^^ACME&1.2&ISO~0816||ROE^JANE^Q||", "PV1|1|I");
  assert.deepEqual(diffPayloads(before, after), [
    { path: "PID-3.4.2", before: "", after: "1.2" },
    { path: "PID-3.4.3", before: "", after: "ISO" },
    { path: "PID-3[2]", before: "0815", after: "0816" },
    { path: "PID-5.1", before: "DOE", after: "ROE" },
    { path: "PID-5.3", before: "", after: "Q" },
    { path: "PID-7", before: "1980", after: "" },
  ]);
});

Deno.test("diffPayloads() shows segments that went and came whole", () => {
  const obx = (n: number) => `OBX|${n}|NM|K||${n}`;
  const before = text(msh, obx(1), obx(2), obx(3), "NTE|1||x");
  const after = text(msh, obx(1), obx(3), "ZZZ|new");
  assert.deepEqual(diffPayloads(before, after), [
    { path: "OBX[2]", before: "OBX|2|NM|K||2", after: null },
    { path: "NTE", before: "NTE|1||x", after: null },
    { path: "ZZZ", before: null, after: "ZZZ|new" },
  ]);
});

Deno.test("diffPayloads() pairs changed segments in order", () => {
  const before = text(msh, "OBX|1|NM|K||5", "OBX|2|NM|N||6");
  const after = text(msh, "OBX|1|NM|K||5", "OBX|2|NM|N||7");
  assert.deepEqual(diffPayloads(before, after), [{ path: "OBX[2]-5", before: "6", after: "7" }]);
});

Deno.test("diffPayloads() reads each side by its own delimiters", () => {
  const before = text(msh, "PID|1||4711^^^ACME||O\\T\\BRIEN^JANE");
  const after = text(
    "MSH#@*!$#A#B#C#D#20260102##ADT@A01#1#P#2.5.1",
    "PID#1##4711@@@ACME##O&BRIEN@JANE",
  );
  assert.deepEqual(diffPayloads(before, after), [
    { path: "MSH-1", before: "|", after: "#" },
    { path: "MSH-2", before: "^~\\&", after: "@*!$" },
  ]);
});

Deno.test("diffPayloads() has nothing to say about other payloads", () => {
  assert.equal(diffPayloads(text(msh), '{"a":1}'), undefined);
  assert.equal(diffPayloads("", text(msh)), undefined);
});

Deno.test("diffPayloads() is empty for equal messages and never throws", () => {
  const segment = fc.array(fc.stringMatching(/^[A-Z0-9^~&\\ ]{0,6}$/), { maxLength: 6 })
    .map((fields) => `ZZ1|${fields.join("|")}`);
  const message = fc.array(segment, { maxLength: 8 }).map((segments) => text(msh, ...segments));
  fc.assert(fc.property(message, message, (a, b) => {
    assert.deepEqual(diffPayloads(a, a), []);
    assert.ok(Array.isArray(diffPayloads(a, b)));
  }));
});

Deno.test("diffPayloads() stays quick on many segments of one kind", () => {
  const many = (value: string) =>
    text(msh, ...Array.from({ length: 5_000 }, (_, i) => `OBX|${i}|NM|K||${value}`));
  const started = performance.now();
  assert.equal(diffPayloads(many("1"), many("2"))?.length, 5_000);
  assert.ok(performance.now() - started < 5_000);
});
