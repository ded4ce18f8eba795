import assert from "node:assert/strict";
import { loadCodeSets } from "../../src/graph/mod.ts";

function load(files: Readonly<Record<string, string>>) {
  return loadCodeSets(
    Object.entries(files).map(([name, text]) => ({
      path: `codesets/${name}`,
      bytes: new TextEncoder().encode(text),
      text,
    })),
  );
}

function oneProblem(files: Readonly<Record<string, string>>) {
  const { problems } = load(files);
  assert.equal(problems.length, 1, JSON.stringify(problems));
  const [problem] = problems;
  return [problem?.file, problem?.line, problem?.message];
}

Deno.test("loadCodeSets() reads a CSV of two columns as texts", () => {
  const { codeSets, problems } = load({
    "adt_events.csv": 'event,meaning\r\nA01,admit\r\n\r\nA04,"register, new"\r\nA08,\r\n',
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(codeSets[0]?.entries, [["A01", "admit"], ["A04", "register, new"], ["A08", ""]]);
  assert.equal(codeSets[0]?.name, "adt_events");
  assert.equal(codeSets[0]?.shape, "scalar");
  assert.deepEqual(codeSets[0]?.columns, ["event", "meaning"]);
});

Deno.test("loadCodeSets() reads a CSV of more columns as records", () => {
  const { codeSets, problems } = load({ "diets.csv": "code,name,kcal\nREG,regular,2000\nNPO\n" });
  assert.deepEqual(problems, []);
  assert.deepEqual(codeSets[0]?.entries, [
    ["REG", { name: "regular", kcal: "2000" }],
    ["NPO", { name: "", kcal: "" }],
  ]);
  assert.equal(codeSets[0]?.shape, "dict");
});

Deno.test("loadCodeSets() keeps the case of keys and survives awkward ones", () => {
  const { codeSets } = load({ "x.csv": "k,v\na,1\nA,2\n__proto__,3\nconstructor,4\n" });
  assert.deepEqual(codeSets[0]?.entries.map(([key]) => key), [
    "a",
    "A",
    "__proto__",
    "constructor",
  ]);
});

Deno.test("loadCodeSets() reads TOML scalars and tables", () => {
  const { codeSets, problems } = load({
    "x.toml": "a = 'one'\nb = 2\nc = true\n[d]\nname = 'D'\nrank = 4\n",
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(codeSets[0]?.entries, [
    ["a", "one"],
    ["b", 2],
    ["c", true],
    ["d", { name: "D", rank: 4 }],
  ]);
});

const bad: readonly (readonly [string, string, string, number | undefined, RegExp])[] = [
  ["no header", "x.csv", "", undefined, /header row is missing/],
  ["no value column", "x.csv", "key\na\n", 1, /at least one value column/],
  ["a column twice", "x.csv", "k,v,v\na,1,2\n", 1, /its own name/],
  ["a blank column", "x.csv", "k,,v\na,1,2\n", 1, /its own name/],
  ["a key twice", "x.csv", "k,v\na,1\nb,2\na,3\n", 4, /earlier row/],
  ["a row without key", "x.csv", "k,v\n,1\n", 2, /no key/],
  ["a row too long", "x.csv", "k,v\na,1,2\n", 2, /longer than the header/],
  ["an open quote", "x.csv", 'k,v\na,"1\n', undefined, /not CSV/],
  ["broken TOML", "x.toml", "a = 1\nb = \n", 2, /not TOML/],
  ["a TOML list", "x.toml", "a = 1\nb = [1]\n", 2, /a text, a number/],
  ["nested TOML tables", "x.toml", "[a]\nb = 1\n[a.c]\nd = 1\n", 1, /a text, a number/],
];
for (const [what, name, text, line, sentence] of bad) {
  Deno.test(`loadCodeSets() refuses ${what}`, () => {
    const [file, foundLine, message] = oneProblem({ [name]: text });
    assert.equal(file, `codesets/${name}`);
    if (line !== undefined) assert.equal(foundLine, line);
    assert.match(String(message), sentence);
    assert.match(String(message), /Code set "x"/);
  });
}

Deno.test("loadCodeSets() quotes no cell in a problem", () => {
  const { problems } = load({ "x.csv": 'k,v\nSECRET,1\nSECRET,2\nz"SECRET,3\n' });
  assert.ok(problems.length > 0);
  assert.ok(!JSON.stringify(problems).includes("SECRET"));
});

Deno.test("loadCodeSets() refuses two files of one stem", () => {
  const [file, , message] = oneProblem({ "x.csv": "k,v\n", "x.toml": "" });
  assert.equal(file, "codesets/x.toml");
  assert.match(String(message), /stands in codesets\/x\.csv too/);
});
