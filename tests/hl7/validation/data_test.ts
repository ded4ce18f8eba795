import assert from "node:assert/strict";
import { buildFiles } from "../../../src/hl7/validation/data/build.ts";
import { corrections } from "../../../src/hl7/validation/data/corrections.ts";

const folder = new URL("../../../src/hl7/validation/data/", import.meta.url);

// Goal: the shipped facts are the dictionary's with our corrections, and no one edits them by hand.
Deno.test("the definitions in data/ are what build.ts writes", () => {
  const built = buildFiles();
  const shipped = [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.endsWith(".json"));
  assert.deepEqual(shipped.sort(), Object.keys(built).sort());
  for (const [name, text] of Object.entries(built)) {
    assert.equal(Deno.readTextFileSync(new URL(name, folder)) === text, true, name);
  }
});

Deno.test("each correction changes something", () => {
  const built = buildFiles();
  for (
    const { versions, fields = {}, components = {}, structures = {}, events = {} } of corrections
  ) {
    for (const version of versions) {
      const text = built[`v${version.replaceAll(".", "_")}.json`] ?? "";
      for (const change of Object.values({ ...fields, ...components, ...structures, ...events })) {
        assert.ok(text.includes(change), `${version}: ${change}`);
      }
    }
  }
});
