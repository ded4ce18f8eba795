/**
 * What `messagefoundry codeset` does. Only CSV is written; a code set in TOML can be shown, renamed
 * and removed. Source: spec api §5.2.
 */
import { isDeepStrictEqual } from "node:util";
import { type CodeSet, graphProblemText, loadCodeSets, readBundle } from "../graph/mod.ts";
import { isTable } from "../settings/mod.ts";
import { makeEdit, textIn } from "./bundle_edit.ts";
import { csvText, isStem, tableProblem } from "./codeset_text.ts";
import { type Edit, type EditActs, noBundle, requireName } from "./edit_command.ts";
import { readData } from "./edit_data.ts";
import { CommandFailure } from "./failure.ts";

const WHAT = "code set";

export const acts: EditActs = {
  async list(edit) {
    const { codeSets } = await codeSetsOf(edit);
    return codeSets.map(summaryOf).toSorted((a, b) => a.name < b.name ? -1 : 1);
  },

  async show(edit) {
    const found = await find(edit, requireName(edit, WHAT));
    const { key: _, ...summary } = summaryOf(found);
    const rows = found.entries.map(([key, value]) => [
      key,
      ...summary.value_columns.map((column) => cellOf(isTable(value) ? value[column] : value)),
    ]);
    return { ...summary, rows };
  },

  async upsert(edit) {
    const { name, columns, rows } = await readTable(edit);
    const path = pathOf(name, "csv");
    const { codeSets } = await codeSetsOf(edit, { written: path });
    const former = codeSets.find((one) => one.name === name);
    if (former?.format === "toml") {
      throw new CommandFailure(
        `Code set "${name}" stands in ${former.file}, which is not written here`,
        {
          hint: "Edit the file by hand, or remove it first",
        },
      );
    }
    const text = csvText(columns, rows);
    requireReadsAs(path, text, { columns, rows });
    await makeEdit(edit, new Map([[path, text]]));
    return { op: "upsert", name, format: "csv", entries: rows.length };
  },

  async rename(edit) {
    const name = requireName(edit, WHAT);
    const { to = "" } = edit.options;
    requireStem(to, "--to");
    const { format, file } = await find(edit, name);
    const { codeSets } = await codeSetsOf(edit);
    if (codeSets.some((one) => one.name === to)) {
      throw new CommandFailure(`There is a code set "${to}" already`, {});
    }
    const text = await textIn(edit, file) ?? "";
    await makeEdit(edit, new Map([[pathOf(to, format), text], [file, undefined]]));
    return { op: "rename", name, to };
  },

  async remove(edit) {
    const name = requireName(edit, WHAT);
    const { file } = await find(edit, name);
    await makeEdit(edit, new Map([[file, undefined]]));
    return { op: "remove", name };
  },
};

/**
 * The code sets, each as far as its rows can be read: one with a bad row is still one to correct or
 * remove. `written` is a file that is about to be written anew.
 *
 * @throws {CommandFailure} there is no bundle, or a file among them that is no text to us.
 */
async function codeSetsOf(edit: Edit, { written }: { written?: string } = {}) {
  const { bundleDir } = edit.anchor;
  const { bundle, problems } = await readBundle(bundleDir, { allowInsecureSource: true });
  if (bundle === undefined) throw noBundle(edit);
  const unread = problems.find(({ file, severity }) =>
    severity === "error" && file?.split("/")[0] === "codesets" && file !== written
  );
  if (unread === undefined) return loadCodeSets(bundle.codeSets);
  throw new CommandFailure(`Cannot read the code sets: ${graphProblemText(unread)}`, {});
}

async function find(edit: Edit, name: string): Promise<CodeSet> {
  const found = (await codeSetsOf(edit)).codeSets.find((one) => one.name === name);
  if (found !== undefined) return found;
  throw new CommandFailure(`There is no code set "${name}"`, {
    hint: '"messagefoundry codeset list" shows them',
  });
}

function summaryOf({ name, format, shape, entries, columns }: CodeSet) {
  const all = format === "csv" ? columns : ["key", ...valueColumnsOf(shape, entries)];
  const [key = null, ...valueColumns] = all;
  const count = entries.length;
  return { name, format, key, columns: all, value_columns: valueColumns, shape, entries: count };
}

/** A file of TOML has no header: the fields that its records have, in the order they come. */
function valueColumnsOf(shape: CodeSet["shape"], entries: CodeSet["entries"]): readonly string[] {
  if (shape === "scalar") return ["value"];
  return [...new Set(entries.flatMap(([, value]) => isTable(value) ? Object.keys(value) : []))];
}

function cellOf(value: unknown): string {
  return value === undefined ? "" : String(value);
}

async function readTable({ options }: Edit) {
  const { name, format = "csv", columns, rows } = await readData(options.data, WHAT);
  requireStem(name, '"name"');
  if (format !== "csv") throw new CommandFailure("Only CSV is written", {});
  if (!isTexts(columns)) throw new CommandFailure('"columns" must be a list of texts', {});
  if (!Array.isArray(rows) || !rows.every(isTexts)) {
    throw new CommandFailure('"rows" must be a list of lists of texts', {});
  }
  const header = columns.map((column) => column.trim());
  const filled = rows.filter((row) => row.some((cell) => cell.trim() !== ""))
    .map((row) => [...row, ...header.slice(row.length).map(() => "")]);
  const problem = tableProblem(header, filled);
  if (problem !== undefined) {
    throw new CommandFailure(`Cannot write code set "${name}": ${problem}`, {});
  }
  return { name, columns: header, rows: filled };
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "string");
}

function requireStem(name: unknown, what: string): asserts name is string {
  if (typeof name === "string" && isStem(name)) return;
  throw new CommandFailure(`${what} must be the name of a file without folder and extension`, {
    hint: "Letters, digits, blanks, - and _; the first a letter, a digit or _",
  });
}

function pathOf(name: string, format: string): string {
  return `codesets/${name}.${format}`;
}

/** What was written is what a graph will read, cell by cell. */
function requireReadsAs(
  path: string,
  text: string,
  { columns, rows }: { columns: readonly string[]; rows: readonly (readonly string[])[] },
): void {
  const bytes = new TextEncoder().encode(text);
  const { codeSets: [read], problems } = loadCodeSets([{ path, text, bytes }]);
  const values = columns.slice(1);
  const wanted = rows.map(([key, ...cells]) => [
    key,
    values.length === 1
      ? cells[0]
      : Object.fromEntries(values.map((column, index) => [column, cells[index]])),
  ]);
  if (problems.length === 0 && isDeepStrictEqual(read?.entries, wanted)) return;
  throw new CommandFailure("Cannot write the code set: a cell would not be read as it is", {});
}
