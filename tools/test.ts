/**
 * `deno task test`: all tests, folder by folder, some folders at once; with arguments, `deno test`
 * with them.
 *
 * A process a folder: tests look at the memory, the descriptors and the variables of their own.
 *
 * A folder that failed is run once more, with nothing beside it: on a machine that is short of
 * processors some waits end too soon. Whatever fails then as well has failed, and what passed is told.
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
/** More folders that failed are no matter of a busy machine. */
const AGAIN_MAX = 5;

async function main(args: readonly string[]): Promise<number> {
  if (args.length > 0) return await hand(args);
  const startedAt = performance.now();
  const waiting = [...await folderTests(root)];
  let failed: Unit[] = [];
  const passed = new Map<string, number>();
  const atOnce = Math.min(navigator.hardwareConcurrency + AT_ONCE_MORE, AT_ONCE_MAX);
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let unit = waiting.shift(); unit !== undefined; unit = waiting.shift()) {
      const outcome = await run(unit);
      passed.set(unit.folder, outcome.passed);
      if (!outcome.isOk) failed.push(unit);
    }
  }));
  if (failed.length > 0 && failed.length <= AGAIN_MAX) {
    failed = await runAgain(failed, passed);
  }
  const took = Math.round((performance.now() - startedAt) / 1000);
  const sum = passed.values().reduce((all, some) => all + some, 0);
  const minutes = `${Math.floor(took / 60)} min ${took % 60} s`;
  console.log(`${sum} tests of ${passed.size} folders passed in ${minutes}`);
  if (failed.length === 0) return 0;
  const folders = failed.map(({ folder }) => folder).join(", ");
  console.log(`Tests failed in ${folders}; their errors stand above, after each folder`);
  return 1;
}

/** Runs what failed one by one; returns what failed again. */
async function runAgain(
  failed: readonly Unit[],
  passed: Map<string, number>,
): Promise<Unit[]> {
  const twice: Unit[] = [];
  for (const unit of failed) {
    console.log(`${unit.folder} failed beside others, and is run again alone`);
    const outcome = await run(unit);
    passed.set(unit.folder, outcome.passed);
    if (!outcome.isOk) twice.push(unit);
  }
  const alone = failed.filter((unit) => !twice.includes(unit)).map(({ folder }) => folder);
  if (alone.length > 0) console.log(`Failed beside others and passed alone: ${alone.join(", ")}`);
  return twice;
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
