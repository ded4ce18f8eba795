/**
 * The folder a build starts from: sources, lock file and the packages it names, nothing else.
 *
 * The bundler writes paths into what it makes, and names modules after it. Here they are the same on
 * every machine, whatever the checkout or the runtime's cache is called.
 */
import { dirname } from "node:path";
import { copy, type FileTree, runProgram } from "./files.ts";

const SOURCES = ["main.ts", "src", "deno.json", "deno.lock"];

/** Fills `staged`; returns the packages that the engine uses, `name@version` to folder. */
export async function stage(root: string, staged: string): Promise<FileTree> {
  const runtime = Deno.execPath();
  await runProgram(runtime, ["cache", "--quiet", "--frozen", "main.ts"], { cwd: root });
  const info = await runProgram(runtime, ["info", "--json"], { cwd: root });
  const { denoDir, npmCache } = JSON.parse(info);
  // The bundler, a program that the runtime fetches for itself once.
  if (await exists(`${denoDir}/dl`)) await copy(`${denoDir}/dl`, `${staged}/packages/dl`);
  for (const name of SOURCES) await copy(`${root}/${name}`, `${staged}/${name}`);
  const packages = new Map<string, string>();
  for (const [id, { localPath }] of await packagesOf(root)) {
    const target = `${staged}/packages/npm${localPath.slice(npmCache.length)}`;
    await copy(localPath, target);
    const index = `${dirname(localPath)}/registry.json`;
    if (await exists(index)) await copy(index, `${dirname(target)}/registry.json`);
    packages.set(id, target);
  }
  return packages;
}

interface NpmPackage {
  readonly localPath: string;
  /** Ids, `name@version`. */
  readonly dependencies: readonly string[];
}

interface ModuleGraph {
  readonly modules: readonly { readonly npmPackage?: string }[];
  readonly npmPackages?: Readonly<Record<string, NpmPackage>>;
}

/** The packages that `main.ts` imports, and those they need; the lock file names others too. */
async function packagesOf(root: string): Promise<ReadonlyMap<string, NpmPackage>> {
  const text = await runProgram(Deno.execPath(), ["info", "--json", "main.ts"], { cwd: root });
  const { modules, npmPackages = {} }: ModuleGraph = JSON.parse(text);
  const found = new Map<string, NpmPackage>();
  const waiting = modules.flatMap(({ npmPackage }) => npmPackage ?? []);
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const known = npmPackages[id];
    if (known === undefined) throw new Error(`Cannot find package "${id}" of the module graph`);
    if (found.has(id)) continue;
    found.set(id, known);
    waiting.push(...known.dependencies);
  }
  return found;
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return false;
    throw thrown;
  }
}
