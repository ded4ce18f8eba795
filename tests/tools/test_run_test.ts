// Goal: `deno task test` leaves no test out, and says no when one fails.
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { folderTests, outcomeOf } from "../../tools/test/units.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

Deno.test("every file of tests runs, once", async () => {
  const { stdout } = await new Deno.Command("find", {
    args: ["tests", "graph", "src", "tools", "bench", "-name", "*_test.ts"],
    cwd: root,
  }).output();
  const all = new TextDecoder().decode(stdout).trim().split("\n").toSorted();
  const units = await folderTests(root.replace(/\/$/, ""));
  const chosen = units.flatMap(({ files }) => files.map((file) => file.slice(root.length)));
  assert.deepEqual(chosen.toSorted(), all);
  const folders = units.map(({ folder }) => folder);
  assert.equal(new Set(folders).size, folders.length);
});

Deno.test("what a run came to is read from its last line, coloured or not", () => {
  const ok = "\x1b[0m\x1b[32mok\x1b[0m | 12 passed (3 steps) | 0 failed | 1 ignored (2s)\n";
  assert.deepEqual(outcomeOf(ok), { passed: 12, isWhole: true });
  const failed = "a ... FAILED (3ms)\n\nFAILED | 4 passed | 2 failed (1s)\n\nerror: Test failed\n";
  assert.deepEqual(outcomeOf(failed), { passed: 4, isWhole: true });
  assert.deepEqual(outcomeOf("error: Module not found"), { passed: 0, isWhole: false });
});

Deno.test("with a file it is deno test, and its exit code is that", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const run = async (body: string) => {
      await Deno.writeTextFile(`${dir}/one_test.ts`, `Deno.test("one", () => { ${body} });`);
      const { code, stdout } = await new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "--no-prompt", `--allow-read=${root}`, `--allow-run=${Deno.execPath()}`],
          ...[`${root}tools/test.ts`, `${dir}/one_test.ts`],
        ],
        cwd: root,
      }).output();
      return [code, outcomeOf(new TextDecoder().decode(stdout)).passed];
    };
    assert.deepEqual(await run(""), [0, 1]);
    assert.deepEqual(await run(`throw new Error("no")`), [1, 0]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
