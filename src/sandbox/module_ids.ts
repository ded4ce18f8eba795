/**
 * Names of modules inside a realm: `engine:/authoring/mod.ts` for ours, `graph/adt.ts` for the
 * author's, which is the path that stands in stacks and positions.
 */

/** JavaScript text and its name. */
export interface SourceText {
  readonly id: string;
  readonly code: string;
}

export const engineScheme = "engine:";
export const realmEntryId = "engine:/sandbox/realm/entry.ts";
export const authoringId = "engine:/authoring/mod.ts";

/** Resolves a relative specifier; undefined when it leaves the root it stands under. */
export function resolveId(from: string, specifier: string): string | undefined {
  if (!/^\.\.?\//.test(specifier) || /[\\?#%]/.test(specifier)) return undefined;
  const isEngine = from.startsWith(engineScheme);
  const base = (isEngine ? from.slice(engineScheme.length + 1) : from).split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") base.push(part);
    else if (base.pop() === undefined) return undefined;
  }
  return (isEngine ? `${engineScheme}/` : "") + base.join("/");
}
