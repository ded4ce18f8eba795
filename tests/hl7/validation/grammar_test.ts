import assert from "node:assert/strict";
import fc from "fast-check";
import { definitionsOf, supportedVersions } from "../../../src/hl7/validation/definitions.ts";
import { Grammar } from "../../../src/hl7/validation/grammar.ts";
import v251 from "../../../src/hl7/validation/data/v2_5_1.json" with { type: "json" };

function accepts(grammar: Grammar, ids: readonly string[]): boolean {
  let state = grammar.start;
  for (const id of ids) {
    const next = grammar.step(state, id);
    if (next === undefined) return false;
    state = next;
  }
  return state.accepting;
}

/** Turns a notation into a regular expression over `MSH;EVN;…`, which judges independently. */
function judgeOf(notation: string): RegExp {
  const source = notation.replaceAll(" ", "")
    .replace(/[A-Z][A-Z0-9]{2}/g, "(?:$&;)")
    .replaceAll("*", "(?:\\w{3};)")
    .replaceAll("[", "(?:").replaceAll("]", ")?")
    .replaceAll("{", "(?:").replaceAll("}", ")+")
    .replaceAll("<", "(?:").replaceAll(">", ")");
  return new RegExp(`^${source}$`);
}

// Goal: the automaton means what the notation says. Method: random walks, some of them disturbed,
// judged by a regular expression made from the same notation.
Deno.test("Grammar accepts exactly what its notation says, in every structure of 2.5.1", () => {
  for (const [name, notation] of Object.entries(v251.structures)) {
    const grammar = new Grammar(notation);
    const judge = judgeOf(notation);
    const ids = [...new Set(notation.match(/[A-Z][A-Z0-9]{2}/g))];
    const choices = fc.array(fc.nat({ max: 10_000 }), { minLength: 1, maxLength: 14 });
    fc.assert(
      fc.property(choices, fc.nat({ max: 30 }), (steps, disturbed) => {
        const walk: string[] = [];
        let state = grammar.start;
        for (const [index, step] of steps.entries()) {
          const allowed = ids.filter((id) => grammar.step(state, id) !== undefined);
          const from = index === disturbed || allowed.length === 0 ? ids : allowed;
          const id = from[step % from.length] as string;
          walk.push(id);
          state = grammar.step(state, id) ?? state;
        }
        for (let end = 1; end <= walk.length; end++) {
          const part = walk.slice(0, end);
          assert.equal(
            accepts(grammar, part),
            judge.test(part.map((id) => `${id};`).join("")),
            `${name}: ${part.join(" ")}`,
          );
        }
      }),
      { numRuns: 12 },
    );
  }
});

Deno.test("Grammar reads repeats, options, groups, choices and any segment", () => {
  const cases: [notation: string, good: string[], bad: string[]][] = [
    ["AAA [BBB] {CCC}", ["AAA CCC", "AAA BBB CCC CCC"], ["AAA", "AAA BBB", "BBB CCC", "CCC AAA"]],
    ["AAA [{(BBB [CCC])}]", ["AAA", "AAA BBB BBB CCC BBB"], ["AAA CCC", "AAA BBB CCC CCC"]],
    ["AAA <BBB|CCC> DDD", ["AAA BBB DDD", "AAA CCC DDD"], ["AAA DDD", "AAA BBB CCC DDD"]],
    ["AAA {*}", ["AAA QQQ", "AAA AAA B12"], ["AAA", "QQQ AAA"]],
    ["[AAA]", ["", "AAA"], ["AAA AAA"]],
    ["{([AAA] [BBB])}", ["", "BBB AAA BBB BBB"], ["CCC"]],
  ];
  for (const [notation, good, bad] of cases) {
    const grammar = new Grammar(notation);
    const split = (text: string) => text === "" ? [] : text.split(" ");
    for (const text of good) assert.ok(accepts(grammar, split(text)), `${notation}: ${text}`);
    for (const text of bad) assert.ok(!accepts(grammar, split(text)), `${notation}: ${text}`);
  }
  for (const malformed of ["AAA)", "(AAA", "[AAA}", "<AAA|", "<AAA BBB>", "{"]) {
    assert.throws(() => new Grammar(malformed), SyntaxError, malformed);
  }
});

Deno.test("Grammar.missingBefore() names the segment that would make sense of the next", () => {
  const grammar = new Grammar("AAA [BBB] CCC DDD {(EEE FFF)}");
  const after = (...ids: string[]) =>
    ids.reduce((state, id) => grammar.step(state, id) ?? state, grammar.start);
  assert.equal(grammar.missingBefore(after("AAA"), "DDD"), "CCC");
  assert.equal(grammar.missingBefore(after("AAA", "CCC", "DDD"), undefined), "EEE");
  assert.equal(grammar.missingBefore(after("AAA", "CCC", "DDD", "EEE"), "EEE"), "FFF");
  assert.equal(grammar.missingBefore(after("AAA", "CCC"), "BBB"), undefined);
});

Deno.test("Grammar keeps no state for segments that its structure does not know", () => {
  const grammar = new Grammar("AAA [BBB]");
  for (let index = 0; index < 1_000; index++) grammar.step(grammar.start, `X${index}`);
  assert.equal(grammar.start.next.size, 0);
});

Deno.test("every segment and structure of every version compiles", () => {
  for (const version of supportedVersions) {
    const definitions = definitionsOf(version);
    assert.ok(definitions);
    for (const id of definitions.names.segments) assert.ok(definitions.segment(id));
    for (const name of definitions.names.structures) {
      const grammar = definitions.grammar(name);
      assert.ok(grammar?.step(grammar.start, "MSH"), `${version} ${name} begins with MSH`);
    }
  }
  assert.equal(definitionsOf("2.8"), undefined);
  assert.equal(definitionsOf("constructor"), undefined);
});
