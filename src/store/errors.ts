/** Failures of the store; policy reads `code`. */
import { EngineError } from "../errors.ts";

/**
 * Codes: `store.locked` another engine holds the file; `store.newer_schema`; `store.foreign`
 * another program's database; `store.open_failed`; `store.busy`; `store.read_only`;
 * `store.disk_full`; `store.io`; `store.corrupt`; `store.unreadable` no key opens a cell;
 * `store.key_missing` a key that cells were sealed with is not configured;
 * `store.key_in_use` the running engine seals with another key; `store.older_schema` it is older
 * than this program;
 * `store.log_mismatch`; `store.failed`; `store.closed`.
 */
export class StoreError extends EngineError {}

/** What crosses the worker boundary of a failure. */
export interface StoreFailure {
  readonly code: string;
  readonly message: string;
  readonly hint: string | undefined;
}

/** SQLite primary result codes that mean the environment, not the statement, is at fault. */
const SQLITE_CODES: ReadonlyMap<number, { code: string; message: string; hint: string }> = new Map([
  [5, {
    code: "store.busy",
    message: "Cannot write to the store: another process holds it",
    hint: "Stop the other process; the engine retries by itself",
  }],
  [6, {
    code: "store.busy",
    message: "Cannot write to the store: a table is locked",
    hint: "The engine retries by itself",
  }],
  [8, {
    code: "store.read_only",
    message: "Cannot write to the store: it is read-only",
    hint: "Make the store file and its folder writable; intake resumes by itself",
  }],
  [10, {
    code: "store.io",
    message: "Cannot write to the store: the disk reported an error",
    hint: "Check the disk; intake resumes by itself once writes succeed",
  }],
  [11, {
    code: "store.corrupt",
    message: "Cannot use the store: the file is damaged",
    hint: "Restore the last backup",
  }],
  [13, {
    code: "store.disk_full",
    message: "Cannot write to the store: the disk is full",
    hint: "Free space; intake resumes by itself",
  }],
  [14, {
    code: "store.open_failed",
    message: "Cannot open the store file",
    hint: "Check that the folder exists and is writable",
  }],
  [26, {
    code: "store.corrupt",
    message: "Cannot use the store: the file is not a SQLite database",
    hint: "Point [store].path at another file",
  }],
]);

/** Returns a failure that says nothing of any value a statement was bound to. */
export function describeFailure(thrown: unknown): StoreFailure {
  if (thrown instanceof StoreError) {
    return { code: thrown.code, message: thrown.message, hint: thrown.hint };
  }
  const primary = primaryCode(thrown);
  const known = primary === undefined ? undefined : SQLITE_CODES.get(primary);
  if (known) return known;
  const name = thrown instanceof Error ? thrown.name : typeof thrown;
  const detail = primary === undefined ? name : `${name} ${primary}`;
  return {
    code: "store.failed",
    message: `Cannot complete a store transaction (${detail})`,
    hint: undefined,
  };
}

/** A failure as it came from another thread. */
export function toError({ code, message, hint }: StoreFailure): StoreError {
  return new StoreError(code, message, { hint });
}

/** True for failures of the file or disk: no member of the batch is to blame. */
export function isEnvironmental(thrown: unknown): boolean {
  const primary = primaryCode(thrown);
  return primary !== undefined && SQLITE_CODES.has(primary);
}

/** What a file that is not SQLite's says, in SQLite's words. */
const SYSTEM_CODES: ReadonlyMap<string, number> = new Map([
  ["ENOSPC", 13],
  ["EDQUOT", 13],
  ["EFBIG", 13],
  ["EIO", 10],
  ["EROFS", 8],
  ["EACCES", 8],
  ["EPERM", 8],
]);

function primaryCode(thrown: unknown): number | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const { errcode, code } = thrown as { errcode?: unknown; code?: unknown };
  if (typeof errcode === "number") return errcode & 0xff;
  if (typeof code === "string" && SYSTEM_CODES.has(code)) return SYSTEM_CODES.get(code);
  // `exec()` failures carry only text; these are SQLite's own fixed sentences.
  if (/database or disk is full/.test(thrown.message)) return 13;
  if (/disk I\/O error/.test(thrown.message)) return 10;
  if (/readonly database|read-only/.test(thrown.message)) return 8;
  if (/database (table )?is locked/.test(thrown.message)) return 5;
  if (/malformed/.test(thrown.message)) return 11;
  if (/not a database/.test(thrown.message)) return 26;
  if (/unable to open database/.test(thrown.message)) return 14;
  return undefined;
}
