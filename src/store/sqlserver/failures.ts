/** What SQL Server and the way to it say when they fail; policy reads `code`. */
import type { StoreFailure } from "../errors.ts";
import { ConnectionLost, unavailable } from "../server/connection_lost.ts";
import { busy, failuresOf, readOnly } from "../server/failures.ts";

const diskFull: StoreFailure = {
  code: "store.disk_full",
  message: "Cannot write to the store: the database or its log is full",
  hint: "Give the database or its log room, or free the disk; intake resumes by itself",
};

const ioFailed: StoreFailure = {
  code: "store.io",
  message: "Cannot write to the store: the database server reported an error of its disk",
  hint: "Look into the server's error log; intake resumes by itself once writes succeed",
};

const corrupt: StoreFailure = {
  code: "store.corrupt",
  message: "Cannot use the store: the database reports damage",
  hint: "Look into the server's error log, run DBCC CHECKDB; restore the last backup",
};

const signInRefused: StoreFailure = {
  code: "store.sign_in_refused",
  message: "Cannot open the store: the database server refuses the sign-in",
  hint: "Check [store] auth, username and database, MEFOR_STORE_PASSWORD, and the server's logins",
};

const notAllowed: StoreFailure = {
  code: "store.not_allowed",
  message: "Cannot use the store: its database user lacks a privilege",
  hint: "Grant it its schema and CREATE TABLE; see docs/operating/sqlserver.md",
};

/**
 * Numbers of errors that mean the place and not what was asked. Source: Microsoft Learn, "Database
 * Engine events and errors", and "Troubleshoot connectivity" of Azure SQL.
 */
const environment: ReadonlyMap<number, StoreFailure> = new Map([
  // A deadlock's victim, a lock not given in time, a snapshot that was overtaken.
  ...all([1205, 1222, 3960, 3961], busy),
  // No memory, no worker, too much asked at once.
  ...all([701, 802, 1204, 8628, 8645, 8651, 8657, 10928, 10929, 10936, 40501, 49918, 49919], busy),
  ...all([49920, 40549, 40550, 40551, 40552, 40553, 17197], busy),
  // The server, or the database, goes, comes or is elsewhere.
  ...all(
    [64, 121, 233, 596, 921, 922, 924, 927, 942, 945, 952, 955, 976, 978, 979, 982],
    unavailable,
  ),
  ...all([983, 6002, 6005, 10053, 10054, 10060, 10061, 17142, 17809, 18401, 26078], unavailable),
  ...all([40143, 40197, 40613, 41301, 41302, 41305, 41325, 42108, 42109], unavailable),
  ...all([1101, 1105, 3257, 5149, 9002, 40544], diskFull),
  ...all([3906, 3908, 1468, 15281, 40081], readOnly),
  ...all([5120, 5123, 833, 845, 3314, 9001], ioFailed),
  ...all([605, 823, 824, 832, 5242, 5243, 5256, 8928, 8939, 8942, 8976], corrupt),
  ...all([4060, 4062, 4064, 916, 18452, 18456, 18470, 18486, 18487, 18488], signInRefused),
  ...all([40532, 40607, 40615, 47073, 33134], signInRefused),
  ...all([229, 230, 262, 297, 300, 2760, 3704, 1088, 15151, 15247], notAllowed),
]);

function all(
  numbers: readonly number[],
  failure: StoreFailure,
): (readonly [number, StoreFailure])[] {
  return numbers.map((number) => [number, failure]);
}

/** Errors after which the server has closed the connection, beside those of this class and above. */
const ending: ReadonlySet<number> = new Set([596, 6002, 6005]);
const ENDING_CLASS = 20;

/** What the library says of a sign-in that was refused without a number. */
const SIGN_IN_CODE = "ELOGIN";
const TIMEOUT_CODE = "ETIMEOUT";

/** Whether the connection is gone with this failure of a statement. */
export function endsConnection(thrown: unknown): boolean {
  if (thrown instanceof ConnectionLost) return true;
  const number = errorNumber(thrown);
  if (number === undefined) return !isTimeout(thrown);
  return ending.has(number) || severityOf(thrown) >= ENDING_CLASS;
}

/** Whether a statement took longer than it may; the server was told to stop it. */
export function isTimeout(thrown: unknown): boolean {
  return codeOf(thrown) === TIMEOUT_CODE;
}

export const { isEnvironmental, describeFailure } = failuresOf({ knownOf, wordOf: errorNumber });

function knownOf(thrown: unknown): StoreFailure | undefined {
  const number = errorNumber(thrown);
  if (number !== undefined) return environment.get(number);
  if (isTimeout(thrown)) return busy;
  return codeOf(thrown) === SIGN_IN_CODE ? signInRefused : undefined;
}

/**
 * The number of the server's error: of the first, where it said several, for those behind it say
 * what came of it. Undefined: the server said nothing.
 */
export function errorNumber(thrown: unknown): number | undefined {
  return firstOf(thrown)?.number;
}

function severityOf(thrown: unknown): number {
  return firstOf(thrown)?.class ?? 0;
}

interface ServerError {
  readonly number: number;
  readonly class?: number;
}

function firstOf(thrown: unknown): ServerError | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const { precedingErrors, originalError } = thrown as {
    readonly precedingErrors?: unknown;
    readonly originalError?: unknown;
  };
  if (Array.isArray(precedingErrors)) {
    for (const earlier of precedingErrors) {
      const first = firstOf(earlier);
      if (first !== undefined) return first;
    }
  }
  const own = numbered(thrown) ?? numbered((thrown as { readonly info?: unknown }).info);
  return own ??
    (originalError === thrown ? undefined : firstOf(originalError) ?? infoOf(originalError));
}

function infoOf(thrown: unknown): ServerError | undefined {
  if (typeof thrown !== "object" || thrown === null) return undefined;
  return numbered((thrown as { readonly info?: unknown }).info);
}

function numbered(of: unknown): ServerError | undefined {
  if (typeof of !== "object" || of === null) return undefined;
  const { number, class: severity } = of as { readonly number?: unknown; readonly class?: unknown };
  if (typeof number !== "number") return undefined;
  return { number, class: typeof severity === "number" ? severity : undefined };
}

function codeOf(thrown: unknown): unknown {
  return thrown instanceof Error ? (thrown as { readonly code?: unknown }).code : undefined;
}
