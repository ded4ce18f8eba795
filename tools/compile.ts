/**
 * `deno task compile`: one binary of the engine, with the permissions of one instance baked in.
 *
 * Takes the options of `messagefoundry permissions` and `--output`. The flags are derived as the
 * launcher would derive them, so the binary runs that instance's settings and graph and no wider one.
 * The runtime part of such a binary, `denort`, is fetched by the runtime; set `DENORT_BIN` to one
 * that is there already. Source: design §4.
 */
import { basename, dirname, resolve } from "node:path";
import { bundleEngine } from "./bundle/engine.ts";
import { removeFolder, runProgram } from "./bundle/files.ts";
import { stage } from "./bundle/stage.ts";

const root = new URL("..", import.meta.url).pathname.replace(/\/$/, "");

export interface Compilation {
  /** The whole command line. */
  readonly command: readonly string[];
  /** Flags of the instance as derived for the engine in its folder. */
  readonly derived: readonly string[];
  /** The same for the binary. */
  readonly baked: readonly string[];
}

export interface CompilationInput {
  /** Options of `messagefoundry permissions`. */
  readonly args: readonly string[];
  /** Where the engine is laid out. */
  readonly engineDir: string;
  readonly output: string;
}

/** Lays the engine out and returns the command that makes the binary of it. */
export async function prepare(
  { args, engineDir, output }: CompilationInput,
): Promise<Compilation> {
  const staged = `${engineDir}.stage`;
  for (const folder of [engineDir, staged]) await removeFolder(folder);
  await stage(root, staged);
  const workers = await bundleEngine(staged, engineDir);
  await removeFolder(staged);
  const derived = await deriveFlags(engineDir, args);
  const baked = derived.map((flag) => relocated(flag, engineDir, embeddedRoot(output)));
  // A worker is a module of its own, with what it imports; the author's realm is text that is read.
  const included = [...workers, "src"].flatMap((path) => ["--include", `${engineDir}/${path}`]);
  const command = [
    ...[Deno.execPath(), "compile", "--quiet", "--no-check"],
    ...["--config", `${engineDir}/deno.json`],
    ...baked,
    ...included,
    ...["--output", output, `${engineDir}/main.js`],
  ];
  return { command, derived, baked };
}

async function deriveFlags(engineDir: string, args: readonly string[]): Promise<readonly string[]> {
  const text = await runProgram(Deno.execPath(), [
    ...["run", "--quiet", "--no-prompt", "--cached-only"],
    ...["--allow-read", "--allow-env=MEFOR_*", "--ignore-env"],
    ...[`${engineDir}/main.js`, "permissions", ...args, "--format", "json"],
  ]);
  return JSON.parse(text).flags;
}

/**
 * Where a binary finds what is embedded in it: a folder that is on no disk, named after the binary,
 * in the temporary directory. So neither `TMPDIR` nor the binary's name may change later.
 */
export function embeddedRoot(output: string): string {
  return `/tmp/deno-compile-${basename(output)}`;
}

/** Moves the grant of the program's own folder to where the binary has it. */
function relocated(flag: string, from: string, to: string): string {
  const name = "--allow-read=";
  if (!flag.startsWith(name)) return flag;
  const paths = flag.slice(name.length).split(",");
  return name + [...new Set(paths.map((path) => path === from ? to : path))].join(",");
}

/** Takes `--output FILE` out of the options; the rest is for `messagefoundry permissions`. */
function withoutOutput(given: readonly string[]): { output?: string; args: readonly string[] } {
  const at = given.findIndex((word) => /^--output(=|$)/.test(word));
  if (at < 0) return { args: given };
  const [, inline] = /^--output=(.*)$/.exec(given[at]!) ?? [];
  const output = inline ?? given[at + 1];
  return { output, args: given.toSpliced(at, inline === undefined ? 2 : 1) };
}

async function main(given: readonly string[]): Promise<number> {
  const { output: named = `${root}/dist/messagefoundry`, args } = withoutOutput(
    given.filter((word) => word !== "--"),
  );
  const output = resolve(named);
  await Deno.mkdir(dirname(output), { recursive: true });
  const engineDir = `${await Deno.realPath(dirname(output))}/.compile`;
  const { command: [program = "", ...words], baked } = await prepare({ args, engineDir, output });
  console.log(`baked in: ${baked.join(" ")}`);
  const { code } = await new Deno.Command(program, { args: words, stdin: "null" }).spawn().status;
  await removeFolder(engineDir);
  if (code === 0) console.log(`try: ${output} serve ${args.join(" ")}`);
  else {console.error(
      "Cannot compile: the runtime part, denort, is fetched, or named by DENORT_BIN",
    );}
  return code;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
