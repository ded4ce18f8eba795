import assert from "node:assert/strict";
import {
  splitComponents,
  splitRepetitions,
  splitSubcomponents,
  walkMessage,
} from "../../src/hl7/mod.ts";
import { code, lines } from "./samples.ts";

Deno.test("walkMessage() lays a message open, raw, field n at index n", () => {
  const { delimiters, segments } = walkMessage(
    lines("MSH|^~\\&|A", "OBX|1||a\\S\\b^c&d~e", "", "NTE", "OBX|2"),
  );
  assert.deepEqual(segments, [
    { id: "MSH", occurrence: 1, fields: ["MSH", "|", "^~\\&", "A"] },
    { id: "OBX", occurrence: 1, fields: ["OBX", "1", "", "a\\S\\b^c&d~e"] },
    { id: "NTE", occurrence: 1, fields: ["NTE"] },
    { id: "OBX", occurrence: 2, fields: ["OBX", "2"] },
  ]);
  const field = segments[1]?.fields[3] ?? "";
  const repetitions = splitRepetitions(field, delimiters);
  assert.deepEqual(repetitions, ["a\\S\\b^c&d", "e"]);
  const components = splitComponents(repetitions[0] ?? "", delimiters);
  assert.deepEqual(components, ["a\\S\\b", "c&d"]);
  assert.deepEqual(splitSubcomponents(components[1] ?? "", delimiters), ["c", "d"]);
  assert.deepEqual(splitRepetitions("", delimiters), [""]);
  assert.throws(() => walkMessage("PID|1"), code("hl7.no_msh"));
});
