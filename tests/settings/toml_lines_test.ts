import assert from "node:assert/strict";
import fc from "fast-check";
import { parse, stringify } from "@std/toml";
import { tomlLines } from "../../src/settings/mod.ts";

Deno.test("tomlLines() finds keys through every form a key can take", () => {
  const lines = tomlLines([
    "top = 1", // 1
    "[a]", // 2
    "x = 1 # y = 2", // 3
    "b.c = 'z'", // 4
    '"quoted key" = """', // 5
    "fake = 1", // 6
    '"""', // 7
    "list = [ # comment ]", // 8
    "  { k = 1 },", // 9
    "  { k = '}' }", // 10
    "]", // 11
    "[[row]]", // 12
    "n = 1", // 13
    "[row.settings]", // 14
    "port = { env = 'p', cast = 'int' }", // 15
    "[[row]]", // 16
    "[row.settings]", // 17
    "port = 5", // 18
  ].join("\n"));
  const expected: [(string | number)[], number | undefined][] = [
    [["top"], 1],
    [["a"], 2],
    [["a", "x"], 3],
    [["a", "y"], 2],
    [["a", "b", "c"], 4],
    [["a", "quoted key"], 5],
    [["a", "fake"], 2],
    [["a", "list", 0, "k"], 9],
    [["a", "list", 1, "k"], 10],
    [["row", 0], 12],
    [["row", 0, "n"], 13],
    [["row", 0, "settings", "port", "cast"], 15],
    [["row", 1], 16],
    [["row", 1, "settings", "port"], 18],
    [["row", 1, "missing"], 16],
    [["nowhere"], undefined],
  ];
  for (const [path, line] of expected) assert.equal(lines.lineOf(path), line, path.join("."));
});

Deno.test("tomlLines() ends on any text", () => {
  fc.assert(fc.property(fc.string({ maxLength: 200, unit: "binary" }), (text) => {
    tomlLines(text);
  }));
  const nasty = fc.array(fc.constantFrom(..."[]{}=.,\"'\n#\\a ".split("")), { maxLength: 80 });
  fc.assert(fc.property(nasty, (parts) => {
    tomlLines(parts.join(""));
  }));
});

// Goal: for any document the parser accepts, each scalar's line is the one it stands on.
Deno.test("tomlLines() agrees with the text for any written document", () => {
  const name = fc.stringMatching(/^[a-z_]{1,8}$/).filter((key) => key !== "__proto__");
  const scalar = fc.oneof(fc.integer({ min: 0, max: 9_999 }), fc.string({ maxLength: 12 }));
  const document = fc.dictionary(name, fc.dictionary(name, scalar, { maxKeys: 5 }), { maxKeys: 5 });
  fc.assert(fc.property(document, (tables) => {
    const text = stringify(tables);
    const lines = tomlLines(text);
    const rows = text.split("\n");
    for (const [section, keys] of Object.entries(tables)) {
      for (const [key, value] of Object.entries(keys)) {
        const row = rows[(lines.lineOf([section, key]) ?? 0) - 1] ?? "";
        assert.deepEqual({ ...parse(row) }, { [key]: value });
      }
    }
  }));
});
