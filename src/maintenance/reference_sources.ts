/** Where the rows of a reference set come from: a file, or a query. */
import { createHash } from "node:crypto";
import { readReference } from "../graph/mod.ts";
import type { DatabaseReference, FileReference, ReferenceDefinition } from "../graph/graph.ts";
import { SOURCE_BYTES_MAX, sourceTooLarge } from "./source_limits.ts";

export interface SourceRead {
  readonly rows: number;
  /** Differs when what was read does. */
  readonly digest: string;
  /** JSON: `[[key, value], …]` */
  readonly entries: string;
}

/** Reads all of a source. @throws whatever is wrong with it; no text of it is quoted. */
export async function readSource(
  definition: ReferenceDefinition,
  signal: AbortSignal,
): Promise<SourceRead> {
  if (definition.kind === "file") return await readFile(definition);
  const read = await readerOf(definition);
  const rows = await read(definition, signal);
  const entries = JSON.stringify(rows);
  return { rows: rows.length, digest: digestOf(definition.dialect, entries), entries };
}

/** A library costs memory, and looks around in the environment as it is loaded. */
async function readerOf({ dialect }: DatabaseReference) {
  return dialect === "postgres"
    ? (await import("./postgres_source.ts")).readPostgres
    : (await import("./sqlserver_source.ts")).readSqlServer;
}

/** Tells one source from another, without a secret. */
export function sourceName(definition: ReferenceDefinition): string {
  if (definition.kind === "file") return definition.path;
  const { dialect, host, port, database, username } = definition;
  const { statement, keyColumn, valueColumn = null } = definition;
  return JSON.stringify([
    ...[dialect, host, port, database, username],
    ...[statement, keyColumn, valueColumn],
  ]);
}

async function readFile(definition: FileReference): Promise<SourceRead> {
  const { path, format } = definition;
  const { size } = await Deno.stat(path);
  if (size > SOURCE_BYTES_MAX) throw sourceTooLarge();
  const bytes = await Deno.readFile(path);
  const rows = readReference(bytes, definition);
  return { rows: rows.length, digest: digestOf(format, bytes), entries: JSON.stringify(rows) };
}

function digestOf(kind: string, content: string | Uint8Array): string {
  return createHash("sha256").update(kind).update("\0").update(content).digest("hex");
}
