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
import type { DatabaseReference } from "../graph/graph.ts";
import { isAboutTls, sourceFailure, timedOut, tlsRefused, unreachable } from "./source_failures.ts";
import { SOURCE_BYTES_MAX, sourceTooLarge } from "./source_limits.ts";
import { type Column, floatingNumber, type Row, SourceRows, wholeNumber } from "./source_rows.ts";

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
export async function readPostgres(
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

async function readRows(client: Client, definition: DatabaseReference): Promise<readonly Row[]> {
  const ask = (text: string) => client.query({ text, rowMode: "array", queryMode: "extended" });
  await ask(`DECLARE messagefoundry NO SCROLL CURSOR FOR ${definition.statement}\n`);
  let rows: SourceRows<Raw> | undefined;
  for (;;) {
    const page = await ask(`FETCH FORWARD ${PAGE_ROWS} FROM messagefoundry`);
    rows ??= new SourceRows(page.fields.map(columnOf), definition);
    for (const cells of page.rows) rows.add(cells);
    if (page.rows.length < PAGE_ROWS) return rows.sorted();
  }
}

type Raw = string | number;

/** OIDs of `pg_type` whose texts are read; whatever else there is stays the server's text. */
const BOOLEAN = 16;
const whole: ReadonlySet<number> = new Set([20, 21, 23]);
const floating: ReadonlySet<number> = new Set([700, 701]);

function columnOf({ name, dataTypeID: type }: { name: string; dataTypeID: number }): Column<Raw> {
  if (type === BOOLEAN) return { name, read: (cell) => cell === "t" };
  if (whole.has(type)) return { name, read: (cell) => wholeNumber(String(cell)) };
  if (floating.has(type)) return { name, read: (cell) => floatingNumber(String(cell)) };
  return { name, read: String };
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

/** What is said of a failure quotes nothing the server said. */
function failureOf(thrown: unknown, definition: DatabaseReference): unknown {
  if (thrown instanceof EngineError) return thrown;
  const code = String((thrown as { code?: unknown } | null)?.code ?? "");
  const text = thrown instanceof Error ? thrown.message : "";
  const isState = /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(code);
  if (!isState) {
    const isTls = definition.encrypt && isAboutTls(`${code} ${text}`);
    return isTls ? tlsRefused(definition) : unreachable(definition);
  }
  const state = `(SQLSTATE ${code})`;
  if (code === "57014") return timedOut();
  if (/^(28|3D)/.test(code)) {
    return sourceFailure("reference.sign_in_refused", `the server refuses the sign-in ${state}`, {
      hint: "Check database, username and password of the set, and pg_hba.conf",
    });
  }
  if (/^(08|53|57)/.test(code)) return unreachable(definition);
  const why = code === "25006"
    ? "the statement would change the database"
    : code === "42501"
    ? "its role may not read what the statement names"
    : "the server refuses the statement";
  return sourceFailure("reference.query_refused", `${why} ${state}`, {
    hint: "Try the statement with psql, as the role of the set",
  });
}
