/**
 * The engine's own text for the realm of author code: authoring, hl7 and `realm/`, types stripped.
 *
 * The worker may not read, so the engine reads for it. A shipped bundle holds the same files in a
 * folder `src/` beside it; this file alone knows where they are.
 */
import { stripTypeScriptTypes } from "node:module";
import {
  authoringId,
  engineScheme,
  realmEntryId,
  resolveId,
  type SourceText,
} from "./module_ids.ts";

const isShipped = !import.meta.url.endsWith("/src/sandbox/engine_sources.ts");
const root = new URL(isShipped ? "./src/" : "../", import.meta.url);

let cached: Promise<readonly SourceText[]> | undefined;

/** Where the worker's own module is. */
export const workerUrl: URL = new URL("./worker.ts", import.meta.url);

/** Reads every engine file that the realm needs, once a process. */
export function engineSources(): Promise<readonly SourceText[]> {
  cached ??= readAll([realmEntryId, authoringId]);
  cached.catch(() => cached = undefined);
  return cached;
}

async function readAll(ids: readonly string[]): Promise<readonly SourceText[]> {
  const sources: SourceText[] = [];
  const waiting = [...ids];
  const seen = new Set(waiting);
  for (let id = waiting.shift(); id !== undefined; id = waiting.shift()) {
    const code = stripTypeScriptTypes(await Deno.readTextFile(new URL("." + pathOf(id), root)));
    sources.push({ id, code });
    for (const imported of importsOf(code)) {
      const next = resolveId(id, imported);
      if (next === undefined || seen.has(next)) continue;
      waiting.push(next);
      seen.add(next);
    }
  }
  return sources;
}

function pathOf(id: string): string {
  return id.slice(engineScheme.length);
}

/** Relative specifiers of stripped text of ours: one statement a line or block, double quotes. */
function importsOf(code: string): readonly string[] {
  return [...code.matchAll(/^(?:import|export|\})[^"\n]*"(\.[^"]+)";$/gm)].map((match) =>
    match[1] as string
  );
}
