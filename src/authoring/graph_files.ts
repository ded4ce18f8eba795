/**
 * Which files of a bundle's graph folder are modules of the graph, and which can be imported.
 *
 * Paths are relative to that folder, `/` between parts. Source: spec connectors-and-graph §5.5.
 */

/**
 * True for a file that is loaded for its own sake: in the folder itself, a script, and neither a
 * helper (`_codes.ts`) nor a test nor a declaration file.
 */
export function isGraphModule(path: string): boolean {
  return /^[^_/][^/]*\.(ts|mts|js)$/.test(path) && !/(_test\.(ts|mts|js)|\.d\.m?ts)$/.test(path);
}

/** True for a file that a module of the graph may import. */
export function isImportable(path: string): boolean {
  return /\.(ts|mts|js|json)$/.test(path) && !/\.d\.m?ts$/.test(path);
}
