/**
 * `deno task test`: all tests, folder by folder, some folders at once; with arguments, `deno test`
 * with them.
 *
 * A process a folder: tests look at the memory, the descriptors and the variables of their own.
 */
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { folderTests, outcomeOf, type Unit } from "./test/units.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const flags = [
  ...["test", "--v8-flags=--no-turboshaft-loop-unrolling", "-P", "--frozen"],
  ...["--sanitize-ops", "--sanitize-resources"],
];

/** Tests wait for a third of their time: one folder more than there are processors fills them. */
const AT_ONCE_MORE = 1;
/** What the tests start for themselves wants processors as well. */
const AT_ONCE_MAX = 4;

async function main(args: readonly string[]): Promise<number> {
  if (args.length > 0) return await hand(args);
  const startedAt = performance.now();
  const waiting = [...await folderTests(root)];
  const failed: string[] = [];
  let [passed, folders] = [0, 0];
  const atOnce = Math.min(navigator.hardwareConcurrency + AT_ONCE_MORE, AT_ONCE_MAX);
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let unit = waiting.shift(); unit !== undefined; unit = waiting.shift()) {
      const outcome = await run(unit);
      folders += 1;
      passed += outcome.passed;
      if (!outcome.isOk) failed.push(unit.folder);
    }
  }));
  const took = Math.round((performance.now() - startedAt) / 1000);
  console.log(
    `${passed} tests of ${folders} folders passed in ${Math.floor(took / 60)} min ${took % 60} s`,
  );
  if (failed.length === 0) return 0;
  console.log(`Tests failed in ${failed.join(", ")}; their errors stand above, after each folder`);
  return 1;
}

/** Runs `deno test` on what was asked for, in this terminal. */
async function hand(args: readonly string[]): Promise<number> {
  const command = new Deno.Command(Deno.execPath(), {
    args: [...flags, ...args],
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  });
  return (await command.output()).code;
}

/** Runs one folder; what it says is shown when it has ended, so that no two mix. */
async function run({ folder, files }: Unit): Promise<{ isOk: boolean; passed: number }> {
  console.log(`${folder}: ${files.length} files`);
  const command = new Deno.Command(Deno.execPath(), {
    // Types are `deno task check`'s, once and not for each folder.
    args: [...flags, "--no-check", ...files.map((file) => relative(root, file))],
    cwd: root,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const child = command.spawn();
  const [{ success }, said] = await Promise.all([child.status, together(child)]);
  const lines = said.join("");
  console.log(lines.trimEnd());
  const { passed, isWhole } = outcomeOf(lines);
  if (success && !isWhole) console.log(`${folder}: no count of its tests was found`);
  return { isOk: success && isWhole, passed };
}

/** What a process says on both of its ways out, in the order it came. */
async function together(child: Deno.ChildProcess): Promise<readonly string[]> {
  const said: string[] = [];
  const take = async (stream: ReadableStream<Uint8Array>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) said.push(text);
  };
  await Promise.all([take(child.stdout), take(child.stderr)]);
  return said;
}

Deno.exit(await main(Deno.args));
