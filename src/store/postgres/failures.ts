/** What PostgreSQL and the way to it say when they fail; policy reads `code`. */
import type { StoreFailure } from "../errors.ts";
import { ConnectionLost, unavailable } from "../server/connection_lost.ts";
import { busy, failuresOf, readOnly } from "../server/failures.ts";

const ioFailed: StoreFailure = {
  code: "store.io",
  message: "Cannot write to the store: the database server reported an error of its disk",
  hint: "Look into the server's log; intake resumes by itself once writes succeed",
};

const corrupt: StoreFailure = {
  code: "store.corrupt",
  message: "Cannot use the store: the database reports damage",
  hint: "Look into the server's log; restore the last backup",
};

const signInRefused: StoreFailure = {
  code: "store.sign_in_refused",
  message: "Cannot open the store: the database server refuses the sign-in",
  hint: "Check [store] username and database, MEFOR_STORE_PASSWORD, and pg_hba.conf",
};

const notAllowed: StoreFailure = {
  code: "store.not_allowed",
  message: "Cannot use the store: its database user lacks a privilege",
  hint: "Grant it all of its schema, and CREATE on it; see docs/operating/postgres.md",
};

/** SQLSTATEs, or their first two characters, that mean the place and not what was asked. */
const environment: ReadonlyMap<string, StoreFailure> = new Map([
  ["08", unavailable],
  ["57P01", unavailable],
  ["57P02", unavailable],
  ["57P03", unavailable],
  ["57P05", unavailable],
  ["25P03", unavailable],
  ["53300", unavailable],
  ["57014", busy],
  ["55P03", busy],
  ["40001", busy],
  ["40P01", busy],
  ["53100", {
    code: "store.disk_full",
    message: "Cannot write to the store: the database server's disk is full",
    hint: "Free space there; intake resumes by itself",
  }],
  ["53", busy],
  ["25006", readOnly],
  ["58", ioFailed],
  ["XX001", corrupt],
  ["XX002", corrupt],
  ["28", signInRefused],
  ["3D000", signInRefused],
  ["42501", notAllowed],
]);

/** SQLSTATEs after which the server has closed the connection. */
const fatal: ReadonlySet<string> = new Set(["57P01", "57P02", "57P03", "57P05", "25P03"]);

/** Whether the connection is gone with this failure. */
export function endsConnection(thrown: unknown): boolean {
  if (thrown instanceof ConnectionLost) return true;
  const state = sqlState(thrown);
  return state !== undefined && (fatal.has(state) || state.startsWith("08"));
}

export const { isEnvironmental, describeFailure } = failuresOf({ knownOf, wordOf: sqlState });

function knownOf(thrown: unknown): StoreFailure | undefined {
  const state = sqlState(thrown);
  if (state === undefined) return undefined;
  return environment.get(state) ?? environment.get(state.slice(0, 2));
}

/** The five characters of an answer of the server; codes of sockets look otherwise. */
export function sqlState(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const { code } = thrown as { code?: unknown };
  // "EPIPE" looks like one.
  return typeof code === "string" && /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(code) ? code : undefined;
}
