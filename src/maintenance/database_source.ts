/**
 * Reads the rows of a reference set from a PostgreSQL database: one query, over a connection of its
 * own, in a transaction that can change nothing and ends in time.
 *
 * The result is taken as a whole or not at all, and no more of it than a file may hold comes into
 * memory. What the server says of a failure may quote a row, so only its SQLSTATE is passed on.
 * Source: spec connectors-and-graph §4.6.
 */
// @ts-types="../store/postgres/pg.d.ts"
import pg, { type Client } from "pg";
import { EngineError } from "../errors.ts";
import { unreadableReference as unreadable } from "../graph/mod.ts";
import type { DatabaseReference } from "../graph/graph.ts";
import { SOURCE_BYTES_MAX, sourceTooLarge } from "./source_limits.ts";

/** A key and what stands under it, as author code gets it. */
export type Row = readonly [string, Cell | Readonly<Record<string, Cell>>];
export type Cell = string | number | boolean;

/** Rows of one result: a record costs memory beyond its bytes. */
export const ROWS_MAX = 500_000;
/** Rows asked for at a time. */
const PAGE_ROWS = 2_000;
/** How long a polite end may take, milliseconds. */
const CLOSE_MS = 1_000;

/** Texts of a session read the same on every server. */
const session = [
  "SET client_encoding TO 'UTF8'",
  "SET datestyle TO 'ISO, YMD'",
  "SET intervalstyle TO 'iso_8601'",
  "SET bytea_output TO 'hex'",
  "SET standard_conforming_strings TO on",
  "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
].join("; ");

/**
 * Runs the query and returns its rows in the order of their keys.
 *
 * @throws {EngineError} `reference.unreachable`, `reference.sign_in_refused`, `reference.tls_refused`,
 * `reference.query_refused`, `reference.timed_out`, `reference.source_too_large`.
 * @throws {GraphError} `graph.reference_unreadable`: the result is no table of keys and values.
 */
export async function readDatabase(
  definition: DatabaseReference,
  signal: AbortSignal,
): Promise<readonly Row[]> {
  const caText = definition.tlsCaFile === undefined
    ? undefined
    : await Deno.readTextFile(definition.tlsCaFile);
  const client = new pg.Client(configOf(definition, caText));
  const end = { reason: undefined as EngineError | undefined };
  const drop = (reason: EngineError) => {
    end.reason ??= reason;
    client.connection.stream.destroy();
  };
  client.on("error", () => {});
  const { connectTimeoutMs, statementTimeoutMs } = definition;
  const deadline = setTimeout(() => drop(timedOut()), connectTimeoutMs + statementTimeoutMs);
  const onAbort = () => drop(unreachable(definition));
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    await client.connect();
    countBytes(client, () => drop(sourceTooLarge()));
    await client.query(session);
    return await readRows(client, definition);
  } catch (thrown) {
    throw end.reason ?? failureOf(thrown, definition);
  } finally {
    clearTimeout(deadline);
    signal.removeEventListener("abort", onAbort);
    await close(client);
  }
}

function configOf(definition: DatabaseReference, caText: string | undefined) {
  const { host, port, database, username, password } = definition;
  const { encrypt, trustServerCertificate, connectTimeoutMs, statementTimeoutMs } = definition;
  return {
    ...{ host, port, database, user: username },
    // Without one the library would look for a password file.
    password: password?.reveal() ?? "",
    application_name: "messagefoundry reference",
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    ssl: encrypt
      ? { rejectUnauthorized: !trustServerCertificate, ...(caText ? { ca: caText } : {}) }
      : false as const,
    types: { getTypeParser: () => (text: string) => text },
    pipeline: false,
  };
}

/** What arrives is counted as it arrives: one row may be larger than all memory. */
function countBytes(client: Client, tooMany: () => void): void {
  let bytes = 0;
  client.connection.stream.on("data", ({ length }) => {
    bytes += length;
    if (bytes > SOURCE_BYTES_MAX) tooMany();
  });
}

async function readRows(
  client: Client,
  { statement, keyColumn, valueColumn }: DatabaseReference,
): Promise<readonly Row[]> {
  const ask = (text: string) => client.query({ text, rowMode: "array", queryMode: "extended" });
  await ask(`DECLARE messagefoundry NO SCROLL CURSOR FOR ${statement}\n`);
  const rows = new Map<string, Row[1]>();
  for (let number = 0;;) {
    const page = await ask(`FETCH FORWARD ${PAGE_ROWS} FROM messagefoundry`);
    const shape = shapeOf(page.fields, { keyColumn, valueColumn });
    for (const cells of page.rows) {
      number += 1;
      const key = keyOf(cells, shape);
      if (key === undefined) throw unreadable(`row ${number} has no key`);
      if (rows.has(key)) throw unreadable(`row ${number}: the key stands in an earlier row`);
      rows.set(key, valueOf(cells, shape));
    }
    if (number > ROWS_MAX) throw sourceTooLarge(`${ROWS_MAX} rows`);
    if (page.rows.length < PAGE_ROWS) break;
  }
  // A server need not give rows in the same order twice, and the same rows are the same version.
  return [...rows].sort(([a], [b]) => a < b ? -1 : 1);
}

interface Shape {
  readonly keyAt: number;
  /** Undefined: a record of the others. */
  readonly valueAt: number | undefined;
  readonly columns: readonly { readonly name: string; readonly dataTypeID: number }[];
}

function shapeOf(
  columns: Shape["columns"],
  { keyColumn, valueColumn }: Pick<DatabaseReference, "keyColumn" | "valueColumn">,
): Shape {
  const names = columns.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw unreadable(`the result has two columns "${twice}"`);
  const placeOf = (setting: string, name: string) => {
    const at = names.indexOf(name);
    if (at !== -1) return at;
    const there = names.map((one) => `"${one}"`).join(", ");
    throw unreadable(`setting "${setting}": the result has no column "${name}", but ${there}`);
  };
  const keyAt = placeOf("key_column", keyColumn);
  const valueAt = valueColumn === undefined ? undefined : placeOf("value_column", valueColumn);
  return { keyAt, valueAt, columns };
}

type Texts = readonly (string | number | null)[];

function keyOf(cells: Texts, { keyAt, columns }: Shape): string | undefined {
  const text = cells[keyAt];
  if (text === null || text === undefined || text === "") return undefined;
  return String(cellOf(text, columns[keyAt]!.dataTypeID));
}

function valueOf(cells: Texts, { keyAt, valueAt, columns }: Shape): Row[1] {
  if (valueAt !== undefined) return cellOf(cells[valueAt]!, columns[valueAt]!.dataTypeID);
  const others = columns.map(({ name, dataTypeID }, index) =>
    [name, cellOf(cells[index]!, dataTypeID)] as const
  );
  return Object.fromEntries(others.toSpliced(keyAt, 1));
}

/** OIDs of `pg_type` whose texts are read; whatever else there is stays the server's text. */
const BOOLEAN = 16;
const numeric: ReadonlySet<number> = new Set([20, 21, 23, 700, 701]);

/** NULL is an empty text, as an empty cell of a file is. A number that would not survive stays text. */
function cellOf(cell: string | number | null, type: number): Cell {
  if (cell === null) return "";
  if (typeof cell === "number") return cell;
  if (type === BOOLEAN) return cell === "t";
  if (!numeric.has(type)) return cell;
  const number = Number(cell);
  const isWhole = type !== 700 && type !== 701;
  return (isWhole ? Number.isSafeInteger(number) : Number.isFinite(number)) ? number : cell;
}

async function close(client: Client): Promise<void> {
  const insist = setTimeout(() => client.connection.stream.destroy(), CLOSE_MS);
  try {
    await client.end();
  } catch {
    // It was gone already.
  } finally {
    clearTimeout(insist);
  }
}

function timedOut(cause?: unknown): EngineError {
  return failure("reference.timed_out", "the query takes longer than allowed", {
    cause,
    hint: "Make it cheaper, or raise its statementTimeout",
  });
}

function unreachable({ host, port }: DatabaseReference, cause?: unknown): EngineError {
  return failure("reference.unreachable", `no connection to "${host}:${port}"`, {
    cause,
    hint: "Check server and port of the set, and the server itself",
  });
}

/** What is said of a failure quotes nothing the server said. */
function failureOf(thrown: unknown, definition: DatabaseReference): unknown {
  if (thrown instanceof EngineError) return thrown;
  const code = String((thrown as { code?: unknown } | null)?.code ?? "");
  const text = thrown instanceof Error ? thrown.message : "";
  const isState = /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(code);
  if (!isState) {
    const isTls = definition.encrypt && /certificate|CERT|ISSUER|SSL|TLS|self.signed/i
      .test(`${code} ${text}`);
    return isTls ? tlsRefused(definition) : unreachable(definition);
  }
  const state = `(SQLSTATE ${code})`;
  if (code === "57014") return timedOut();
  if (/^(28|3D)/.test(code)) {
    return failure("reference.sign_in_refused", `the server refuses the sign-in ${state}`, {
      hint: "Check database, username and password of the set, and pg_hba.conf",
    });
  }
  if (/^(08|53|57)/.test(code)) return unreachable(definition);
  const why = code === "25006"
    ? "the statement would change the database"
    : code === "42501"
    ? "its role may not read what the statement names"
    : "the server refuses the statement";
  return failure("reference.query_refused", `${why} ${state}`, {
    hint: "Try the statement with psql, as the role of the set",
  });
}

function tlsRefused({ host, port }: DatabaseReference): EngineError {
  return failure("reference.tls_refused", `no TLS with "${host}:${port}" that can be trusted`, {
    hint: "Name the authority's PEM file in tlsCaFile, and the server as in its certificate",
  });
}

function failure(
  code: string,
  reason: string,
  options: { readonly cause?: unknown; readonly hint: string },
): EngineError {
  return new EngineError(code, `Cannot read the source: ${reason}`, options);
}
