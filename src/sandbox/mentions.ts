/**
 * Which handlers a router names and which outbounds a handler names, read from their source.
 *
 * Best effort, for drawings of the graph: what a function really returns is decided when it runs.
 * Source: spec connectors-and-graph §6.4.
 */
import type { SourceText } from "./module_ids.ts";
import { destinationsOf } from "./names.ts";
import type { DeclaredFunction, Registry } from "./protocol.ts";
import type { RawFunction } from "./wire.ts";

/** The registry as the realm tells it. */
export interface RawRegistry extends Omit<Registry, "routers" | "handlers" | "readsResponses"> {
  readonly routers: readonly RawFunction[];
  readonly handlers: readonly RawFunction[];
}

/** Adds to each function the names it mentions. */
export function withMentions(raw: RawRegistry, sources: readonly SourceText[]): Registry {
  const variables = handleVariables(sources);
  const handlers = new Set(raw.handlers.map(({ name }) => name));
  const outbounds = new Set(destinationsOf(raw, []));
  const describe = (targets: ReadonlySet<string>) => (declared: RawFunction): DeclaredFunction => ({
    name: declared.name,
    position: declared.position,
    mentions: mentionsOf(declared, variables, targets),
  });
  return {
    inbounds: raw.inbounds,
    outbounds: raw.outbounds,
    routers: raw.routers.map(describe(handlers)),
    handlers: raw.handlers.map(describe(outbounds)),
    codeSets: raw.codeSets,
    references: raw.references,
    referencesRead: raw.referencesRead,
    readsResponses: sources.some(({ code }) => /\bresponse\b/.test(code)),
  };
}

/** Name declared by each `const epic = outbound("OB_EPIC_ADT", …)`: by file, then by variable. */
type Variables = ReadonlyMap<string, ReadonlyMap<string, string>>;

const declaration =
  /\b(?:const|let|var)\s+([\w$]+)\s*=\s*(?:outbound|inbound|handler)\s*\(\s*(["'`])((?:(?!\2).)+)\2/g;

function handleVariables(sources: readonly SourceText[]): Variables {
  const files = new Map<string, Map<string, string>>();
  for (const { id, code } of sources) {
    const variables = new Map<string, string>();
    for (const [, variable = "", , name = ""] of code.matchAll(declaration)) {
      variables.set(variable, name);
    }
    files.set(id, variables);
  }
  return files;
}

function mentionsOf(
  declared: RawFunction,
  variables: Variables,
  targets: ReadonlySet<string>,
): readonly string[] {
  const own = variables.get(declared.position?.file ?? "");
  const mentioned = new Set<string>();
  // One pass in source order: a string, a comment to skip, or a word that is no property.
  const tokens =
    /\/\/[^\n]*|\/\*[\s\S]*?\*\/|(["'`])((?:\\.|(?!\1)[^\\])*)\1|(?<![\w$.])([A-Za-z_$][\w$]*)/g;
  for (const [, , text, word] of declared.source.matchAll(tokens)) {
    const name = text ?? (word === undefined ? undefined : nameOf(word, own, variables));
    if (name !== undefined && targets.has(name)) mentioned.add(name);
  }
  return [...mentioned];
}

/** The file's own variable first; an imported one is looked for in every file. */
function nameOf(
  word: string,
  own: ReadonlyMap<string, string> | undefined,
  variables: Variables,
): string | undefined {
  const name = own?.get(word);
  if (name !== undefined) return name;
  for (const file of variables.values()) {
    const other = file.get(word);
    if (other !== undefined) return other;
  }
  return undefined;
}
