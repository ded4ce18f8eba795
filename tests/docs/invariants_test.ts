// Goal: docs/internals/invariants.md names a test for every invariant, and each of them exists.
import assert from "node:assert/strict";
import { root } from "./pages.ts";

const LAST = 75;
const page = await Deno.readTextFile(`${root}docs/internals/invariants.md`);

interface Named {
  readonly invariant: number;
  readonly file: string;
  readonly title: string;
}

/** Rows of the tables; one without a number goes on with the invariant above. */
function namedTests(): readonly Named[] {
  const named: Named[] = [];
  let invariant = 0;
  for (const line of page.split("\n")) {
    const [, number, file, title] =
      /^\| (?:I(\d+))? ?\| .*?\| `(tests\/\S+\.ts)` (.+) \|$/.exec(line) ?? [];
    if (file === undefined || title === undefined) continue;
    if (number !== undefined) invariant = Number(number);
    named.push({ invariant, file, title });
  }
  return named;
}

/** Titles of a file's tests, with … for what is filled in and without a backend's name before. */
async function titlesOf(file: string): Promise<ReadonlySet<string>> {
  const text = await Deno.readTextFile(root + file);
  const found = text.matchAll(/(?:\btest\(|\bname:)\s*(?:"([^"\n]*)"|`([^`]*)`)/g);
  return new Set(
    [...found].map(([, plain, filled]) =>
      plain ?? filled!.replace(/^\$\{(?:backend\.)?name\} /, "").replaceAll(/\$\{[^}]*\}/g, "…")
    ),
  );
}

Deno.test("every invariant is listed once, in order, with a test that holds it", () => {
  const listed = namedTests().map(({ invariant }) => invariant);
  assert.deepEqual(
    listed.filter((number, index) => number !== listed[index - 1]),
    Array.from({ length: LAST }, (_, index) => index + 1),
  );
});

Deno.test("every test that the list of invariants names exists", async () => {
  const wrong: string[] = [];
  for (const { invariant, file, title } of namedTests()) {
    const titles = await titlesOf(file).catch(() => new Set<string>());
    if (!titles.has(title)) wrong.push(`I${invariant}: ${file} has no test "${title}"`);
  }
  assert.deepEqual(wrong, []);
});
