/**
 * The engine as it is shipped: few modules of plain JavaScript, and the sources that authors need.
 *
 * Every worker is an entry of its own. The text of the author's realm and of `"messagefoundry"` stays
 * as it is, below `src/`: the realm is made of it, and the type checker reads it.
 */
import { dirname, relative } from "node:path";
import { copy, runProgram, walkFiles, writeText } from "./files.ts";

/** A worker stands in the sources as this; the bundler leaves it alone. */
const WORKER = /new URL\("\.\/([\w/]+)\.ts", import\.meta\.url\)/g;

/** What author code sees: its realm, and the modules it imports. */
const AUTHOR_ENTRIES = [
  "src/sandbox/realm/entry.ts",
  "src/authoring/mod.ts",
  "src/authoring/testing.ts",
];

/** Bundles the sources of `staged` into `target`; returns its workers' modules, relative to it. */
export async function bundleEngine(staged: string, target: string): Promise<readonly string[]> {
  const workers = await workersOf(staged);
  const env = { DENO_DIR: `${staged}/packages`, DENO_NO_UPDATE_CHECK: "1" };
  const out = `${staged}/out`;
  await runProgram(Deno.execPath(), [
    "bundle",
    "--quiet",
    "--frozen",
    "--platform=deno",
    "--code-splitting",
    `--outdir=${out}`,
    "main.ts",
    ...workers.values(),
  ], { cwd: staged, env });
  for (const path of await walkFiles(out)) {
    const text = await Deno.readTextFile(`${out}/${path}`);
    await writeText(`${target}/${path}`, linkWorkers(text, { path, workers }));
  }
  for (const path of await authorSources(staged)) {
    await copy(`${staged}/${path}`, `${target}/${path}`);
  }
  await writeText(`${target}/deno.json`, await runtimeConfig(staged));
  return [...workers.values()].map(compiledName);
}

/**
 * Returns every worker's module by the name it is started by.
 *
 * @throws {Error} two have one name, so a started name would not say which.
 */
async function workersOf(staged: string): Promise<ReadonlyMap<string, string>> {
  const workers = new Map<string, string>();
  for (const path of await walkFiles(`${staged}/src`)) {
    if (!path.endsWith(".ts")) continue;
    const text = await Deno.readTextFile(`${staged}/src/${path}`);
    for (const [, name = ""] of text.matchAll(WORKER)) {
      const module = `src/${dirname(path)}/${name}.ts`;
      const other = workers.get(name);
      if (other !== undefined && other !== module) {
        throw new Error(`Cannot tell workers apart: "${other}" and "${module}" are both "${name}"`);
      }
      workers.set(name, module);
    }
  }
  return workers;
}

/** Lets a module start workers where they lie now. */
function linkWorkers(
  text: string,
  { path, workers }: { readonly path: string; readonly workers: ReadonlyMap<string, string> },
): string {
  return text.replace(WORKER, (_, name: string) => {
    const module = workers.get(name);
    if (module === undefined) throw new Error(`Cannot find worker "${name}" of "${path}"`);
    const to = relative(dirname(path), compiledName(module));
    return `new URL("./${to}", import.meta.url)`;
  });
}

function compiledName(module: string): string {
  return module.replace(/\.ts$/, ".js");
}

/** Modules that stay sources, relative to `staged`. */
async function authorSources(staged: string): Promise<readonly string[]> {
  const found = new Set<string>();
  for (const entry of AUTHOR_ENTRIES) {
    const text = await runProgram(Deno.execPath(), ["info", "--json", entry], { cwd: staged });
    for (const { specifier, local } of JSON.parse(text).modules) {
      if (!local?.startsWith(`${staged}/src/`)) {
        throw new Error(`Cannot ship "${specifier}": author code would need more than our sources`);
      }
      found.add(local.slice(staged.length + 1));
    }
  }
  return [...found].sort();
}

/** The repository's configuration as far as a shipped engine and its authors need it. */
async function runtimeConfig(staged: string): Promise<string> {
  const { nodeModulesDir, unstable, compilerOptions, imports } = JSON.parse(
    await Deno.readTextFile(`${staged}/deno.json`),
  );
  const ours = Object.entries(imports).filter(([name]) => name.startsWith("messagefoundry"));
  const config = {
    nodeModulesDir,
    lock: false,
    unstable,
    compilerOptions,
    imports: Object.fromEntries(ours),
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
