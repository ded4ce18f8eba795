/**
 * Code sets: reference tables of a bundle, parsed and checked once per load.
 *
 * CSV: a header, the first column is the key; one further column gives texts, several give
 * records. TOML: a flat table, or one table a key. Source: spec connectors-and-graph §4.4.
 */
import { parse as parseCsv } from "csv-parse/sync";
import { parse as parseToml, TomlError } from "@std/toml";
import { isTable, tomlLines } from "../settings/mod.ts";
import type { CodeSetData } from "../sandbox/protocol.ts";
import type { BundleFile } from "./bundle.ts";
import { type GraphProblem, problemAt } from "./problems.ts";

export interface CodeSet extends CodeSetData {
  readonly format: "csv" | "toml";
  /** Header of a CSV, key column first; empty for TOML. */
  readonly columns: readonly string[];
  readonly shape: "scalar" | "dict";
  readonly file: string;
}

/** Parses every file; two files of one stem, and every bad row, are problems. */
export function loadCodeSets(
  files: readonly BundleFile[],
): { codeSets: readonly CodeSet[]; problems: readonly GraphProblem[] } {
  const codeSets = new Map<string, CodeSet>();
  const problems: GraphProblem[] = [];
  for (const file of files) {
    const { codeSet, problems: found } = parseCodeSet(file);
    problems.push(...found);
    const former = codeSets.get(codeSet.name);
    if (former !== undefined) {
      problems.push(problemAt(
        { file: file.path },
        `Code set "${codeSet.name}" stands in ${former.file} too`,
      ));
    } else codeSets.set(codeSet.name, codeSet);
  }
  return { codeSets: [...codeSets.values()], problems };
}

function parseCodeSet(file: BundleFile): { codeSet: CodeSet; problems: readonly GraphProblem[] } {
  const base = file.path.slice(file.path.lastIndexOf("/") + 1);
  const dot = base.lastIndexOf(".");
  const name = base.slice(0, dot);
  const problems: GraphProblem[] = [];
  const tell = (line: number | undefined, message: string) => {
    problems.push(problemAt({ file: file.path, line }, `Code set "${name}": ${message}`));
  };
  const format = base.slice(dot + 1) === "csv" ? "csv" : "toml";
  const parsed = readTable(file.text, format, tell);
  return { codeSet: { name, file: file.path, ...parsed }, problems };
}

type Tell = (line: number | undefined, message: string) => void;
export type Parsed = Pick<CodeSet, "format" | "columns" | "shape" | "entries">;
export type Entry = Parsed["entries"][number];
export type TableFormat = CodeSet["format"];

/** Reads the rows of a table; what cannot be read is told with its line, and never quoted. */
export function readTable(text: string, format: TableFormat, tell: Tell): Parsed {
  return format === "csv" ? readCsv(text, tell) : readToml(text, tell);
}

interface CsvRow {
  readonly record: readonly string[];
  /** `lines`: the last line of the record, counted from 1. */
  readonly info: { readonly lines: number };
}

function readCsv(text: string, tell: Tell): Parsed {
  const [header, ...rows] = csvRows(text, tell);
  const columns = header?.record.map((cell) => cell.trim()) ?? [];
  const shape = columns.length > 2 ? "dict" : "scalar";
  const entries: (readonly [string, unknown])[] = [];
  const parsed: Parsed = { format: "csv", columns, shape, entries };
  if (header === undefined) {
    tell(undefined, "the header row is missing");
    return parsed;
  }
  if (columns.length < 2) {
    tell(header.info.lines, "the header needs a key column and at least one value column");
    return parsed;
  }
  if (columns.some((column) => column === "") || new Set(columns).size < columns.length) {
    tell(header.info.lines, "every column needs its own name");
    return parsed;
  }
  const seen = new Set<string>();
  for (const { record, info } of rows) {
    if (record.every((cell) => cell.trim() === "")) continue;
    const [key = "", ...cells] = record;
    if (record.length > columns.length) tell(info.lines, "the row is longer than the header");
    else if (key === "") tell(info.lines, "the row has no key");
    else if (seen.has(key)) tell(info.lines, "the key stands in an earlier row too");
    else entries.push([key, valueOf(columns.slice(1), cells)]);
    seen.add(key);
  }
  return parsed;
}

function csvRows(text: string, tell: Tell): readonly CsvRow[] {
  try {
    return parseCsv(text, {
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
    }) as unknown as CsvRow[];
  } catch (thrown) {
    // The parser's own words quote the row, so only its code and line are passed on.
    const { code, lines } = thrown as { code?: unknown; lines?: unknown };
    if (typeof code !== "string") throw thrown;
    const line = typeof lines === "number" ? lines : undefined;
    tell(line, `the file is not CSV (${code.toLowerCase().replaceAll("_", " ")})`);
    return [{ record: ["key", "value"], info: { lines: 1 } }];
  }
}

/** One value column gives its cell, several a record; short rows are padded with "". */
function valueOf(columns: readonly string[], cells: readonly string[]): unknown {
  if (columns.length === 1) return cells[0] ?? "";
  return Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? ""]));
}

function readToml(text: string, tell: Tell): Parsed {
  const entries: (readonly [string, unknown])[] = [];
  let table: Record<string, unknown>;
  try {
    table = parseToml(text) as Record<string, unknown>;
  } catch (thrown) {
    if (!(thrown instanceof TomlError)) throw thrown;
    tell(thrown.line, "the file is not TOML");
    return { format: "toml", columns: [], shape: "scalar", entries };
  }
  const lines = tomlLines(text);
  for (const [key, value] of Object.entries(table)) {
    if (isPlain(value)) entries.push([key, value]);
    else if (isTable(value) && Object.values(value).every(isPlain)) {
      entries.push([key, { ...value }]);
    } else {
      tell(lines.lineOf([key]), "an entry is a text, a number, true, false, or a table of those");
    }
  }
  const shape = entries.some(([, value]) => isTable(value)) ? "dict" : "scalar";
  return { format: "toml", columns: [], shape, entries };
}

function isPlain(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}
