/**
 * What `messagefoundry connection` does: list, write and remove the entries of `connections.toml`.
 *
 * Connections that modules declare are not in the file, and not within reach here.
 * Source: spec api §5, connectors-and-graph §4.8.
 */
import { isDeepStrictEqual } from "node:util";
import { parse, TomlError } from "@std/toml";
import { isTable } from "../settings/mod.ts";
import { makeEdit, textIn } from "./bundle_edit.ts";
import { type ConnectionTable, connectionText } from "./connection_text.ts";
import { type Edit, type EditActs, noBundle, requireName } from "./edit_command.ts";
import { readData } from "./edit_data.ts";
import { CommandFailure } from "./failure.ts";
import { isMissing } from "./paths.ts";
import { TomlBlocks } from "./toml_blocks.ts";

const FILE = "connections.toml";
const DIRECTIONS = ["inbound", "outbound"] as const;
type Direction = typeof DIRECTIONS[number];
type Entries = Readonly<Record<Direction, readonly ConnectionTable[]>>;

export const acts: EditActs = {
  async list(edit) {
    const text = await textIn(edit, FILE);
    if (text === undefined && isMissing(edit.anchor.bundleDir)) throw noBundle(edit);
    const entries = entriesOf(text ?? "");
    return DIRECTIONS.flatMap((direction) =>
      entries[direction].map((connection) => ({ direction, ...connection }))
    );
  },

  async upsert(edit) {
    const { direction, ...connection } = await readConnection(edit);
    const text = await textIn(edit, FILE) ?? "";
    const before = entriesOf(text);
    const other = direction === "inbound" ? "outbound" : "inbound";
    if (indexOf(before[other], connection.name) >= 0) {
      throw new CommandFailure(`"${connection.name}" is an ${other} connection`, {
        hint: "Remove it first, or give the new one another name",
      });
    }
    const at = indexOf(before[direction], connection.name);
    const block = connectionText(direction, connection);
    const blocks = blocksOf(text, direction, before);
    const edited = at < 0 ? blocks.with(block) : blocks.replacing(at, block);
    const after = at < 0
      ? [...before[direction], connection]
      : before[direction].with(at, connection);
    await write(edit, edited, { ...before, [direction]: after });
    return { op: "upsert", direction, name: connection.name };
  },

  async remove(edit) {
    const name = requireName(edit, "connection");
    const text = await textIn(edit, FILE) ?? "";
    const before = entriesOf(text);
    const direction = DIRECTIONS.find((side) => indexOf(before[side], name) >= 0);
    if (direction === undefined) {
      throw new CommandFailure(`"${FILE}" declares no connection "${name}"`, {
        hint: '"messagefoundry connection list" shows what it declares; modules declare others',
      });
    }
    const at = indexOf(before[direction], name);
    const edited = blocksOf(text, direction, before).without(at);
    await write(edit, edited, { ...before, [direction]: before[direction].toSpliced(at, 1) });
    return { op: "remove", name };
  },
};

async function readConnection(
  { options }: Edit,
): Promise<ConnectionTable & { readonly direction: Direction }> {
  const data = await readData(options.data, "connection");
  const { direction, name } = data;
  const side = DIRECTIONS.find((one) => one === direction);
  if (side === undefined) {
    throw new CommandFailure('A connection needs a "direction": inbound or outbound', {});
  }
  if (typeof name !== "string") throw new CommandFailure('A connection needs a "name"', {});
  const connection = withoutNulls(data) as Record<string, unknown>;
  return { ...connection, direction: side, name };
}

/** What a file of TOML cannot say, null, means that a key is not set. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isTable(value)) return value;
  return Object.fromEntries(
    Object.entries(value).filter(([, entry]) => entry !== null)
      .map(([key, entry]) => [key, withoutNulls(entry)]),
  );
}

/** The entries as the file writes them; what they may be the load of the bundle says. */
function entriesOf(text: string): Entries {
  let top: Record<string, unknown>;
  try {
    top = parse(text) as Record<string, unknown>;
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    throw new CommandFailure(`Cannot read "${FILE}": line ${cause.line} is not TOML`, {});
  }
  const side = (direction: Direction): readonly ConnectionTable[] => {
    const entries = top[direction] ?? [];
    if (Array.isArray(entries) && entries.every(isTable)) {
      return entries.map((entry) => plain(entry) as ConnectionTable);
    }
    throw new CommandFailure(
      `"${direction}" must be an array of tables, written [[${direction}]]`,
      {
        hint: `Correct "${FILE}" by hand; "messagefoundry validate" names the line`,
      },
    );
  };
  return { inbound: side("inbound"), outbound: side("outbound") };
}

/** Tables of the parser have no prototype; those of JSON have. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (!isTable(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
}

function indexOf(entries: readonly ConnectionTable[], name: string): number {
  return entries.findIndex((entry) => entry.name === name);
}

/** @throws {CommandFailure} the entries are not written as tables of their own. */
function blocksOf(text: string, direction: Direction, before: Entries): TomlBlocks {
  const blocks = new TomlBlocks(text, direction);
  if (blocks.count === before[direction].length) return blocks;
  throw notOurs();
}

async function write(edit: Edit, text: string, wanted: Entries): Promise<void> {
  if (!isDeepStrictEqual(entriesOf(text), wanted)) throw notOurs();
  await makeEdit(edit, new Map([[FILE, text]]));
}

function notOurs(): CommandFailure {
  return new CommandFailure(`Cannot edit "${FILE}": it is written in a way of its own`, {
    hint: "Write each connection as [[inbound]] or [[outbound]], or edit the file by hand",
  });
}
