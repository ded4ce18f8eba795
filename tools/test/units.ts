/** Which tests run together, in which order, and what came of a run. */
import { walkFiles } from "../bundle/files.ts";

/** Tests that share a process. */
export interface Unit {
  /** `"tests/api"` */
  readonly folder: string;
  readonly files: readonly string[];
}

/** Folders with tests, from the project's root. */
const HOMES = ["tests", "graph"];

/** Folders that take long are taken apart once more. */
const LONG = ["store", "cli", "walk", "api", "auth", "cluster"];
/** What is begun first, for the last one ends alone. */
const EARLY = [...LONG, "bench", "tools", "sandbox", "pipeline", "crash"];

/** Every file of tests, by folder, the long ones first. */
export async function folderTests(root: string): Promise<readonly Unit[]> {
  const byFolder = new Map<string, string[]>();
  for (const home of HOMES) {
    for (const path of await walkFiles(`${root}/${home}`)) {
      if (!path.endsWith("_test.ts")) continue;
      const folder = folderOf(home, path);
      byFolder.set(folder, [...byFolder.get(folder) ?? [], `${root}/${home}/${path}`]);
    }
  }
  const units = [...byFolder].map(([folder, files]) => ({ folder, files: files.toSorted() }));
  return units.toSorted((a, b) => rankOf(a) - rankOf(b) || b.files.length - a.files.length);
}

function folderOf(home: string, path: string): string {
  const [first, second, ...rest] = path.split("/");
  if (second === undefined) return home;
  const isTaken = home === "tests" && LONG.includes(first!) && rest.length > 0;
  return isTaken ? `${home}/${first}/${second}` : `${home}/${first}`;
}

function rankOf({ folder }: Unit): number {
  const at = EARLY.indexOf(folder.split("/")[1] ?? "");
  return at === -1 ? EARLY.length : at;
}

/** What `deno test` counted in the last line of its kind. */
export function outcomeOf(said: string): { readonly passed: number; readonly isWhole: boolean } {
  // deno-lint-ignore no-control-regex
  const plain = said.replace(/\x1b\[[0-9;]*m/g, "");
  const counts = [...plain.matchAll(/^(?:ok|FAILED) \| (\d+) passed\b.*\| \d+ failed/gm)];
  const passed = counts.at(-1)?.[1];
  return { passed: Number(passed ?? 0), isWhole: passed !== undefined };
}
