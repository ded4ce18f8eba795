/**
 * `deno task compile`: one binary of the engine, with the permissions of one instance baked in.
 *
 * Takes the options of `messagefoundry permissions` and `--output`. The flags are derived as the
 * launcher would derive them, so the binary runs that instance's settings and graph and no wider one.
 * The runtime part of such a binary, `denort`, is fetched by the runtime; set `DENORT_BIN` to one
 * that is there already. Source: design §4.
 */
import { basename, resolve } from "node:path";
import { parseArgs } from "node:util";
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

async function main(given: readonly string[]): Promise<number> {
  const { tokens } = parseArgs({
    args: [...given],
    options: { output: { type: "string" } },
    strict: false,
    tokens: true,
  });
  const own = tokens.find((token) => token.kind === "option" && token.name === "output");
  const value = own?.kind === "option" ? own.value : undefined;
  const isOwn = (index: number) =>
    own !== undefined &&
    (index === own.index || own.kind === "option" && !own.inlineValue && index === own.index + 1);
  const args = given.filter((word, index) => !isOwn(index) && word !== "--");
  const output = resolve(value ?? `${root}/dist/messagefoundry`);
  const engineDir = await compileFolder();
  const { command: [program = "", ...words], baked } = await prepare({ args, engineDir, output });
  console.log(`baked in: ${baked.join(" ")}`);
  const { code } = await new Deno.Command(program, { args: words, stdin: "null" }).spawn().status;
  if (code === 0) console.log(`${output}\ntry: ${output} serve ${args.join(" ")}`);
  else {console.error(
      "Cannot compile: the runtime part, denort, is fetched, or named by DENORT_BIN",
    );}
  return code;
}

async function compileFolder(): Promise<string> {
  await Deno.mkdir(`${root}/dist`, { recursive: true });
  return `${await Deno.realPath(`${root}/dist`)}/compile`;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
