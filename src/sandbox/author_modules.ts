/**
 * The author's files on their way into the worker: which are loaded, types stripped, line for line.
 *
 * `graph/` reads the files and judges whom they belong to; here they are text only.
 */
import { stripTypeScriptTypes } from "node:module";
import { isGraphModule } from "../authoring/graph_files.ts";
import type { SourceText } from "./module_ids.ts";
import type { LoadProblem } from "./protocol.ts";

/** One file of the bundle's graph folder. */
export interface AuthorModule {
  /** Relative to the graph folder, `/` between parts: `adt.ts`, `shared/_codes.ts`. */
  readonly path: string;
  readonly source: string;
}

export interface PreparedModules {
  readonly sources: readonly SourceText[];
  /** Ids to evaluate, in order of their names. */
  readonly entries: readonly string[];
  /** Ids of files that are there but cannot be read. */
  readonly broken: readonly string[];
  readonly problems: readonly LoadProblem[];
}

/** Strips `modules`. Positions are told as `<graphDir>/<path>`, lines unchanged. */
export function prepareModules(
  graphDir: string,
  modules: readonly AuthorModule[],
): PreparedModules {
  const sources: SourceText[] = [];
  const entries: string[] = [];
  const broken: string[] = [];
  const problems: LoadProblem[] = [];
  const byPath = modules.toSorted((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
  for (const { path, source } of byPath) {
    const id = `${graphDir}/${path}`;
    const stripped = /\.json$/.test(path) ? { code: source } : strip(id, source);
    if ("problem" in stripped) {
      problems.push(stripped.problem);
      broken.push(id);
      continue;
    }
    sources.push({ id, code: stripped.code });
    if (isGraphModule(path)) entries.push(id);
  }
  return { sources, entries, broken, problems };
}

function strip(id: string, source: string): { code: string } | { problem: LoadProblem } {
  try {
    return { code: stripTypeScriptTypes(source) };
  } catch (thrown) {
    const text = thrown instanceof Error ? thrown.message : "";
    const place = / at file:\S*?:(\d+):\d+$/.exec(text);
    const line = place === null ? lineOfSyntaxError(source) : Number(place[1]);
    const message = `Cannot read "${id}" at line ${line}: ${reason(text)}`;
    return { problem: { message, file: id, line } };
  }
}

function reason(text: string): string {
  const feature = /^(?:TypeScript )?(.+?) is not supported/.exec(text)?.[1];
  if (feature === undefined) return "syntax error";
  return `${feature} is not supported, graphs are written in erasable TypeScript only`;
}

/** The parser tells no place: the line after the last one up to which the text can be read. */
function lineOfSyntaxError(source: string): number {
  const lines = source.split("\n");
  for (let count = lines.length - 1; count > 0; count--) {
    if (isReadable(lines.slice(0, count).join("\n"))) return count + 1;
  }
  return 1;
}

function isReadable(source: string): boolean {
  try {
    stripTypeScriptTypes(source);
    return true;
  } catch {
    return false;
  }
}
