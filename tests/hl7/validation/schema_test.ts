import assert from "node:assert/strict";
import { hl7Schema } from "../../../src/hl7/validation/mod.ts";

Deno.test("hl7Schema() describes fields and components of 2.5.1 with positions from 1", () => {
  const { version, segments } = hl7Schema();
  assert.equal(version, "2.5.1");
  assert.equal(Object.keys(segments).length, 149);
  const { fields } = segments.PID as (typeof segments)[string];
  assert.equal(fields.length, 39);
  assert.deepEqual(fields[0], {
    index: 1,
    name: "Set ID - PID",
    datatype: "SI",
    components: [],
  });
  const name = fields[4];
  assert.deepEqual([name?.index, name?.name, name?.datatype], [5, "Patient Name", "XPN"]);
  assert.deepEqual(name?.components[0], { index: 1, name: "Family Name", datatype: "FN" });
  assert.equal(name?.components.length, 14);
});

Deno.test("hl7Schema() leaves no name or type empty and counts without gaps", () => {
  for (const [id, { fields }] of Object.entries(hl7Schema().segments)) {
    assert.match(id, /^[A-Z][A-Z0-9]{2}$/);
    fields.forEach((field, position) => {
      for (
        const [element, index] of [
          [field, position],
          ...field.components.entries()
            .map(([at, component]) => [component, at] as const),
        ] as const
      ) {
        assert.equal(element.index, index + 1);
        assert.ok(
          element.name.length > 0 && /^[A-Z0-9]+$/.test(element.datatype),
          `${id} ${index}`,
        );
      }
    });
  }
});

Deno.test("hl7Schema() survives JSON unchanged", () => {
  const schema = hl7Schema();
  assert.deepEqual(JSON.parse(JSON.stringify(schema)), schema);
});
