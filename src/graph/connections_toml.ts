/**
 * Reads `connections.toml`: connections declared as data, merged with those of the modules.
 *
 * Keys are those of the modules in snake_case, policies are sub-tables, `{ env = "key" }` is a
 * reference. Settings and options are checked where those of modules are, in `validate.ts`.
 * Source: spec connectors-and-graph §4.8.
 */
import { parse, TomlError } from "@std/toml";
import { isTable, nearest, type TomlLines, tomlLines } from "../settings/mod.ts";
import type { DeclaredConnection } from "../sandbox/protocol.ts";
import type { BundleFile } from "./bundle.ts";
import { type GraphProblem, problemAt } from "./problems.ts";

export interface DeclaredInToml {
  readonly inbounds: readonly DeclaredConnection[];
  readonly outbounds: readonly DeclaredConnection[];
  readonly problems: readonly GraphProblem[];
  /** Line of a setting or option of a connection, for problems found later. */
  readonly lineOf: (connection: DeclaredConnection, key: string) => number | undefined;
}

const SIDES = ["inbound", "outbound"] as const;
type Side = typeof SIDES[number];

/** Parses the file; what is not a connection is a problem with its line. */
export function readConnectionsToml(file: BundleFile | undefined): DeclaredInToml {
  if (file === undefined) {
    return { inbounds: [], outbounds: [], problems: [], lineOf: () => undefined };
  }
  const reader = new Reader(file);
  reader.read();
  return reader;
}

class Reader implements DeclaredInToml {
  readonly inbounds: DeclaredConnection[] = [];
  readonly outbounds: DeclaredConnection[] = [];
  readonly problems: GraphProblem[] = [];
  readonly #file: BundleFile;
  readonly #lines: TomlLines;
  readonly #paths = new Map<DeclaredConnection, readonly [Side, number]>();

  constructor(file: BundleFile) {
    this.#file = file;
    this.#lines = tomlLines(file.text);
  }

  readonly lineOf = (connection: DeclaredConnection, key: string): number | undefined => {
    const path = this.#paths.get(connection);
    if (path === undefined) return undefined;
    const where = Object.hasOwn(connection.settings, key) ? ["settings", key] : [key];
    return this.#lines.lineOf([...path, ...where]);
  };

  read(): void {
    let top: Record<string, unknown>;
    try {
      top = parse(this.#file.text) as Record<string, unknown>;
    } catch (thrown) {
      if (!(thrown instanceof TomlError)) throw thrown;
      this.#tell(thrown.line, "The file is not TOML");
      return;
    }
    for (const [key, value] of Object.entries(top)) {
      const line = this.#lines.lineOf([key]);
      const side = SIDES.find((candidate) => candidate === key);
      if (side === undefined) {
        const near = nearest(key, SIDES);
        const meant = near === undefined ? "" : `; is "${near}" meant?`;
        this.#tell(line, `Unknown top-level key "${key}"${meant}`);
      } else if (!Array.isArray(value) || !value.every(isTable)) {
        this.#tell(line, `"${side}" must be an array of tables, written [[${side}]]`);
      } else {
        value.forEach((table, index) => this.#connection(side, index, table));
      }
    }
  }

  #connection(side: Side, index: number, table: Record<string, unknown>): void {
    const line = this.#lines.lineOf([side, index]);
    const { name, transport, settings = {}, ...options } = table;
    const shown = typeof name === "string" ? `Connection "${name}"` : `This ${side}`;
    const before = this.problems.length;
    if (typeof name !== "string") this.#tell(line, `${shown} needs a name`);
    if (typeof transport !== "string") this.#tell(line, `${shown} needs a transport`);
    if (side === "inbound" && options.router === undefined) {
      this.#tell(line, `${shown} needs a router`);
    }
    if (options.inline !== undefined) {
      this.#tell(this.#lines.lineOf([side, index, "inline"]), `${shown}: "inline" is for modules`);
    }
    if (!isTable(settings)) {
      this.#tell(
        this.#lines.lineOf([side, index, "settings"]),
        `${shown}: settings must be a table`,
      );
    }
    if (this.problems.length > before) return;
    const connection: DeclaredConnection = {
      name: String(name),
      type: String(transport),
      settings: plain(settings) as Record<string, unknown>,
      options: plain(options) as Record<string, unknown>,
      position: { file: this.#file.path, line: line ?? 1 },
    };
    this.#paths.set(connection, [side, index]);
    (side === "inbound" ? this.inbounds : this.outbounds).push(connection);
  }

  #tell(line: number | undefined, message: string): void {
    this.problems.push(problemAt({ file: this.#file.path, line }, message));
  }
}

/** Copies TOML values into plain data; dates stay, and every setting refuses them by type. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain);
  if (!isTable(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, plain(entry)]));
}
