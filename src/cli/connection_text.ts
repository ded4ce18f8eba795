/** A connection as `connections.toml` writes it. Pure. */
import { stringify } from "@std/toml";
import { isTable } from "../settings/mod.ts";

/** What an entry holds, in the file's own words. */
export interface ConnectionTable extends Readonly<Record<string, unknown>> {
  readonly name: string;
}

/** Keys that come first, in this order; the others follow as they were given. */
const FIRST = ["name", "transport", "router"];
const BARE_KEY = /^[A-Za-z0-9_-]+$/;

/** Returns the entry: its own keys, then a sub-table for each that is one. Lines end with `\n`. */
export function connectionText(
  direction: "inbound" | "outbound",
  connection: ConnectionTable,
): string {
  const rest = Object.keys(connection).filter((key) => !FIRST.includes(key));
  const keys = [...FIRST.filter((key) => connection[key] !== undefined), ...rest];
  const own = keys.filter((key) => !isTable(connection[key]));
  const tables = keys.filter((key) => isTable(connection[key]));
  return [
    `[[${direction}]]`,
    ...own.map((key) => lineOf(key, connection[key])),
    ...tables.flatMap((key) => [
      "",
      `[${direction}.${keyText(key)}]`,
      ...Object.entries(connection[key] as object).map(([name, value]) => lineOf(name, value)),
    ]),
    "",
  ].join("\n");
}

function lineOf(key: string, value: unknown): string {
  return `${keyText(key)} = ${valueText(value)}`;
}

/** In an array of unlike things the library writes a table on the same line: `{ env = "key" }`. */
function valueText(value: unknown): string {
  return stringify({ k: [0, value] }).trim().replace(/^k = \[ 0, /, "").replace(/ \]$/, "");
}

function keyText(key: string): string {
  return BARE_KEY.test(key) ? key : JSON.stringify(key);
}
