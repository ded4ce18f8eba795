/** Permission flags of these tests: read, write (temporary directories), run (narrow children). */
import assert from "node:assert/strict";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { findReloadRoots, resolveReloadDir } from "../../src/graph/mod.ts";
import { type BundleDir, openBundle } from "./bench.ts";

const allowed = (dir: string) => ({ ok: true, dir }) as const;
const notAllowed = { ok: false, reason: "not_allowed" } as const;
const notFound = { ok: false, reason: "not_found" } as const;

/** `root/` may be reloaded from, `rootling/` and `other/` beside it may not. */
function openTree(): Promise<BundleDir> {
  return openBundle({
    "root/staging/graph/a.ts": "",
    "root/notes.txt": "",
    "rootling/graph/a.ts": "",
    "other/graph/a.ts": "",
  });
}

Deno.test("resolveReloadDir() answers for every way to write a directory", async () => {
  await using tree = await openTree();
  const { dir } = tree;
  const root = `${dir}/root`;
  await Deno.symlink(`${dir}/other`, `${root}/out`);
  await Deno.symlink(`${root}/staging`, `${dir}/in`);
  await Deno.symlink(`${root}/staging`, `${root}/current`);
  await Deno.symlink(`${dir}/gone`, `${root}/dangling`);
  await Deno.symlink(`${root}/loop`, `${root}/loop`);
  const { roots, missing } = await findReloadRoots([root]);
  assert.deepEqual({ roots, missing }, { roots: [root], missing: [] });
  const table: readonly (readonly [string, unknown])[] = [
    [root, allowed(root)],
    [`${root}/`, allowed(root)],
    [`${root}//./staging/`, allowed(`${root}/staging`)],
    [`${root}/staging/..`, allowed(root)],
    [`${root}/no/../staging`, allowed(`${root}/staging`)],
    [relative(Deno.cwd(), `${root}/staging`), allowed(`${root}/staging`)],
    // A link is what it leads to, whichever side it stands on.
    [`${root}/current`, allowed(`${root}/staging`)],
    [`${dir}/in`, allowed(`${root}/staging`)],
    [`${root}/out`, notAllowed],
    [`${root}/out/graph`, notAllowed],
    [`${root}/out/not/there`, notAllowed],
    // A name that begins like the root's is another directory.
    [`${dir}/rootling`, notAllowed],
    [`${root}ling/graph`, notAllowed],
    [dir, notAllowed],
    [`${root}/..`, notAllowed],
    [`${root}/../other`, notAllowed],
    [`${root}/staging/../../other`, notAllowed],
    ["/", notAllowed],
    // Inside, what is missing is said to be; outside nothing is said.
    [`${root}/not/there`, notFound],
    [`${root}/notes.txt`, notFound],
    [`${root}/notes.txt/graph`, notFound],
    [`${root}/dangling`, notFound],
    [`${root}/loop/graph`, notFound],
    [`${dir}/gone`, notAllowed],
    [`${root}/a\0b`, notAllowed],
    [`${root}/${"x".repeat(300)}`, notAllowed],
  ];
  for (const [requested, expected] of table) {
    assert.deepEqual(await resolveReloadDir(roots, requested), expected, requested);
  }
  assert.deepEqual(await resolveReloadDir([], root), notAllowed);
});

Deno.test({
  name: "resolveReloadDir() takes another case for another directory",
  // Elsewhere the file system itself says that both are one, and the real path has its spelling.
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using tree = await openTree();
    const { roots } = await findReloadRoots([`${tree.dir}/root`]);
    assert.deepEqual(await resolveReloadDir(roots, `${tree.dir}/ROOT/staging`), notAllowed);
    assert.deepEqual(await resolveReloadDir(roots, `${tree.dir}/root/STAGING`), notFound);
  },
});

// Goal: a root is settled at the start. Method: links and directories change after it.
Deno.test("findReloadRoots() resolves each root once and leaves out what is no directory", async () => {
  await using tree = await openTree();
  const { dir } = tree;
  await Deno.symlink(`${dir}/root`, `${dir}/link`);
  const named = [`${dir}/link`, `${dir}/root/`, `${dir}/late`, `${dir}/root/notes.txt`];
  const { roots, missing } = await findReloadRoots(named);
  assert.deepEqual(roots, [`${dir}/root`]);
  assert.deepEqual(missing, [`${dir}/late`, `${dir}/root/notes.txt`]);

  await Deno.mkdir(`${dir}/late`);
  assert.deepEqual(await resolveReloadDir(roots, `${dir}/late`), notAllowed);
  assert.deepEqual(await resolveReloadDir(roots, `${dir}/link/staging`), {
    ok: true,
    dir: `${dir}/root/staging`,
  });
  await Deno.remove(`${dir}/link`);
  await Deno.symlink(`${dir}/other`, `${dir}/link`);
  assert.deepEqual(await resolveReloadDir(roots, `${dir}/link`), notAllowed);
});

// Goal: no spelling leads out. Method: any walk of steps; the real path of the answer is inside.
Deno.test("resolveReloadDir() never returns a directory outside of its roots", async () => {
  await using tree = await openTree();
  const { dir } = tree;
  const root = `${dir}/root`;
  await Deno.symlink(`${dir}/other`, `${root}/out`);
  await Deno.symlink(`..`, `${root}/staging/up`);
  await Deno.symlink(`${root}/staging`, `${dir}/other/back`);
  const { roots } = await findReloadRoots([root]);
  const start = fc.constantFrom(dir, root, `${dir}/other`);
  const step = fc.constantFrom(
    "..",
    ".",
    "",
    "root",
    "rootling",
    "other",
    "staging",
    "graph",
    "out",
    "up",
    "back",
    "ROOT",
  );
  let found = 0;
  await fc.assert(
    fc.asyncProperty(start, fc.array(step, { maxLength: 8 }), async (from, steps) => {
      const answer = await resolveReloadDir(roots, [from, ...steps].join("/"));
      if (!answer.ok) return;
      found++;
      const real = await Deno.realPath(answer.dir);
      assert.equal(real, answer.dir);
      assert.ok(real === root || real.startsWith(`${root}/`), real);
      assert.ok((await Deno.stat(real)).isDirectory);
    }),
    { numRuns: 500 },
  );
  assert.ok(found > 0, "no walk ended inside, so nothing was tried");
});

// Goal: where the process may not look, the answer is no. Method: a child that may read one root.
Deno.test("resolveReloadDir() says no where this process may not look", async () => {
  await using tree = await openTree();
  const { dir } = tree;
  await Deno.symlink(`${dir}/root/staging`, `${dir}/in`);
  const module = new URL("../../src/graph/reload_roots.ts", import.meta.url);
  const asked = [`${dir}/root/staging`, `${dir}/in`, `${dir}/other`, `${dir}/gone`];
  await tree.write(
    "ask.ts",
    `import { findReloadRoots, resolveReloadDir } from "${module}";
const { roots } = await findReloadRoots(["${dir}/root"]);
const answers = [];
for (const dir of ${JSON.stringify(asked)}) answers.push(await resolveReloadDir(roots, dir));
console.log(JSON.stringify(answers));
`,
  );
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--cached-only", `--allow-read=${dir}/root`, `${dir}/ask.ts`],
    cwd: fileURLToPath(new URL("../..", import.meta.url)),
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  assert.deepEqual(JSON.parse(new TextDecoder().decode(stdout)), [
    allowed(`${dir}/root/staging`),
    notAllowed,
    notAllowed,
    notAllowed,
  ]);
});
