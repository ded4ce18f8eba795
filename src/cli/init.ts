/** `messagefoundry init`: a bundle that passes `check` at once, to grow from. */
import { dirname, join, resolve } from "node:path";
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { CommandFailure, exitCodes } from "./failure.ts";
import { offline } from "./offline.ts";

interface InitOptions {
  readonly force?: boolean;
  readonly json?: boolean;
}

export function declareInit(program: CliCommand, context: CliContext): void {
  program.command("init")
    .description("Lay out a new bundle: graph, values, fixtures, tests, CI")
    .argument("[dir]", "where", ".")
    .option("--force", "also in a directory that is not empty; nothing is overwritten")
    .option("--json", "one line of JSON")
    .runs((options: InitOptions, [dir = "."]) =>
      offline(context, options.json, () => init(dir, { options, terminal: context.terminal }))
    );
}

async function init(
  dir: string,
  { options, terminal }: { options: InitOptions; terminal: CliContext["terminal"] },
): Promise<number> {
  const target = resolve(dir);
  await makeDir(target);
  if (options.force !== true && await hasEntries(target)) {
    throw new CommandFailure(`Cannot lay out a bundle in "${target}": it is not empty`, {
      hint: "Choose another directory, or pass --force: existing files stay as they are",
    });
  }
  const { bundleFiles } = await import("./init_files.ts");
  const written: string[] = [];
  for (const [path, text] of Object.entries(bundleFiles())) {
    if (await writeNew(join(target, path), text)) written.push(path);
  }
  if (options.json) terminal.out(JSON.stringify({ target, written }));
  else {
    for (const path of written) terminal.out(`  ${path}`);
    terminal.out(`${terminal.style("good", "OK:")} ${written.length} files in "${target}"`);
    terminal.out(`Next: messagefoundry check --config "${dir}" --messages "${dir}/messages/sets"`);
  }
  return exitCodes.ok;
}

async function hasEntries(dir: string): Promise<boolean> {
  for await (const _ of Deno.readDir(dir)) return true;
  return false;
}

/** Writes a file that is not there yet. Others may read it and nobody else may change it. */
async function writeNew(path: string, text: string): Promise<boolean> {
  await makeDir(dirname(path));
  try {
    await Deno.writeTextFile(path, text, { createNew: true, mode: 0o644 });
    return true;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.AlreadyExists) return false;
    throw thrown;
  }
}

/** A source that others may write is refused by the engine, whatever the umask is. */
async function makeDir(path: string): Promise<void> {
  await Deno.mkdir(path, { recursive: true, mode: 0o755 });
}
