// Goal: the reference says what the source says. Generated pages are what the generator writes;
// every code, event and failpoint that stands in the source stands on its page, and no other.
import assert from "node:assert/strict";
import { catalogue } from "../../src/settings/catalogue.ts";
import { generatedPages } from "../../tools/docs.ts";
import { root } from "./pages.ts";

for (const [path, text] of Object.entries(generatedPages())) {
  Deno.test(`${path} is what "deno task docs" writes`, async () => {
    assert.equal(await Deno.readTextFile(root + path), text, 'run "deno task docs"');
  });
}

/** Where dotted words of the source belong. */
interface Found {
  readonly errors: Set<string>;
  readonly logEvents: Set<string>;
  readonly failpoints: Set<string>;
}

const settingsKeys = new Set(
  catalogue.flatMap(({ name, keys }) => Object.keys(keys).map((key) => `${name}.${key}`)),
);

/** Names of files and the like, which look like codes and are none. */
const others = /\.(toml|db|json|hl7|log|worker|enable|key)$|^(audit|messagefoundry)\./;

/** Sorts every dotted word in quotes that the source holds. */
async function find(): Promise<Found> {
  const found: Found = { errors: new Set(), logEvents: new Set(), failpoints: new Set() };
  for (const { path, text } of await sources("src")) {
    for (const match of text.matchAll(/"([a-z][a-z0-9_]*\.[a-z][a-z0-9_]*)"/g)) {
      const word = match[1]!;
      const before = text.slice(Math.max(0, match.index - 60), match.index);
      if (others.test(word) || settingsKeys.has(word) || isAside(path)) continue;
      if (isAudited(before)) continue;
      if (/hit\(\s*$/.test(before)) found.failpoints.add(word);
      else if (isLogged(before) || /^file\./.test(word)) found.logEvents.add(word);
      else found.errors.add(word);
    }
  }
  return found;
}

function isLogged(before: string): boolean {
  return /\.(debug|info|warning|error|critical)\(\s*$|\blog\("\w+", (\w+ \? )?$|\bLogRecord\.of\("\w+", $|\blog\((?:[^()]*, )?$/
    .test(before);
}

/** Names of acts in the audit log. */
function isAudited(before: string): boolean {
  return /(\baction: |\browOf\(\s*|\b\w+Fact\(|\bfactOf\(by, )$/.test(before);
}

/** Every action of the audit log that the source names. */
async function auditActions(): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  const rooms = ["src/operations", "src/auth", "src/audit", "src/maintenance"];
  for (const { text } of (await Promise.all(rooms.map(sources))).flat()) {
    for (const { 0: quoted, 1: word, index } of text.matchAll(/"([a-z][a-z0-9_.]*)"/g)) {
      const before = text.slice(Math.max(0, index - 60), index);
      const isEither = /\baction: \w+ \? ("\w+" : )?$/.test(before);
      if (quoted && (isAudited(before) || isEither)) found.add(word!);
    }
  }
  return found;
}

Deno.test("docs/reference/audit.md lists every action of the source, and no other", async () => {
  const actions = await auditActions();
  assert.ok(actions.size > 40, `${actions.size}`);
  const words = await listed("docs/reference/audit.md", /^\| `([a-z0-9_.]+)` \|/gm);
  assert.deepEqual(words.toSorted(), [...actions].sort());
});

/** Operations name what they are audited as; a list of names is not where they are passed. */
function isAside(path: string): boolean {
  return /operations\/view_|src\/failpoints\.ts$/.test(path);
}

async function sources(folder: string): Promise<readonly { path: string; text: string }[]> {
  const files: { path: string; text: string }[] = [];
  for await (const { name, isDirectory } of Deno.readDir(root + folder)) {
    const path = `${folder}/${name}`;
    if (isDirectory) files.push(...await sources(path));
    else if (name.endsWith(".ts")) {
      files.push({ path, text: withoutComments(await Deno.readTextFile(root + path)) });
    }
  }
  return files;
}

function withoutComments(text: string): string {
  return text.replace(/\/\*\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

/** First cells of the tables of a page: `| \`code\` | …`. */
async function listed(path: string, pattern = /^\| `([a-z0-9_]+\.[a-z0-9_]+)` \|/gm) {
  const text = await Deno.readTextFile(root + path);
  return [...text.matchAll(pattern)].map(([, word]) => word!);
}

Deno.test("docs/reference/errors.md lists every code of the source, and no other", async () => {
  const { errors } = await find();
  const words = await listed("docs/reference/errors.md");
  assert.equal(new Set(words).size, words.length, "each once");
  assert.deepEqual(words.toSorted(), [...errors].sort());
});

Deno.test("docs/reference/errors.md gives every code a meaning and something to do", async () => {
  const text = await Deno.readTextFile(`${root}docs/reference/errors.md`);
  for (const line of text.split("\n").filter((line) => /^\| `/.test(line))) {
    const cells = line.split("|").slice(1, -1).map((cell) => cell.trim());
    assert.equal(cells.length, 3, line);
    for (const cell of cells) assert.ok(cell.length > 3, line);
  }
});

Deno.test("docs/reference/events.md lists every log event of the source, and no other", async () => {
  const { logEvents } = await find();
  assert.deepEqual((await listed("docs/reference/events.md")).toSorted(), [...logEvents].sort());
});

Deno.test("docs/reference/events.md lists every connection event", async () => {
  const source = await Deno.readTextFile(`${root}src/connectors/connector.ts`);
  const [, union = ""] = /export type ConnectionEventKind =([^;]+);/.exec(source) ?? [];
  const kinds = [...union.matchAll(/"(\w+)"/g)].map(([, kind]) => kind!);
  assert.ok(kinds.length > 10);
  const words = await listed("docs/reference/events.md", /^\| `([a-z_]+)` \| (?:in|out|both) \|/gm);
  assert.deepEqual(words.toSorted(), kinds.toSorted());
});

Deno.test("docs/internals/failpoints.md lists every failpoint", async () => {
  const { failpoints } = await find();
  const words = await listed("docs/internals/failpoints.md");
  const fixed = words.filter((word) => !word.startsWith("store."));
  assert.deepEqual(fixed.toSorted(), [...failpoints].sort());
});

Deno.test("docs/reference/dispositions.md names every disposition and row status", async () => {
  const source = await Deno.readTextFile(`${root}src/store/intents.ts`);
  const text = await Deno.readTextFile(`${root}docs/reference/dispositions.md`);
  for (const type of ["Disposition", "RowStatus"]) {
    const [, union = ""] = new RegExp(`export type ${type} =([^;]+);`).exec(source) ?? [];
    const names = [...union.matchAll(/"(\w+)"/g)].map(([, name]) => name!);
    assert.ok(names.length > 4);
    for (const name of names) {
      const shown = type === "Disposition" ? name.toUpperCase() : name;
      assert.match(text, new RegExp(`^\\| \`?${shown}\`? \\|`, "m"), name);
    }
  }
});
