/**
 * The registers: tables beside the queue that hold what operators and the engine itself keep.
 *
 * A change names its statements; all of an intent is one transaction, its audit rows included. The
 * meaning of each statement stands here by its name, its text in the dialect's folder: a dialect
 * that lacks one does not compile.
 */
import type { AuditFields } from "../../crypto/audit_chain.ts";
import { alertChanges, alertQueries, alertSealedColumns, alertSealedValues } from "./alerts.ts";
import { approvalChanges, approvalQueries } from "./approvals.ts";
import { auditQueries } from "./audit.ts";
import {
  identityChanges,
  identityQueries,
  identitySealedColumns,
  identitySealedValues,
} from "./identity.ts";
import {
  referenceChanges,
  referenceQueries,
  referenceSealedColumns,
  referenceSealedValues,
} from "./references.ts";

export type { AuditFields };

export type RegisterValue = string | number | null;
export type RegisterRow = Readonly<Record<string, RegisterValue>>;

/** Statements that change rows, by register. */
export const registerChanges = [
  ...alertChanges,
  ...approvalChanges,
  ...identityChanges,
  ...referenceChanges,
] as const;
export type RegisterChangeName = (typeof registerChanges)[number];

/** Statements that read rows, by register. */
export const registerQueries = [
  ...alertQueries,
  ...approvalQueries,
  ...auditQueries,
  ...identityQueries,
  ...referenceQueries,
] as const;
export type RegisterQueryName = (typeof registerQueries)[number];

/** One statement of a register intent. */
export interface RegisterChange {
  readonly name: RegisterChangeName;
  readonly values: readonly RegisterValue[];
  /**
   * How many rows it has to change. With another count nothing of the whole intent is written, and
   * the answer says so: a compare-and-set that lost.
   */
  readonly expect?: number;
}

/** Changes registers and appends audit rows, all in one commit. */
export interface RegisterIntent {
  readonly kind: "register";
  readonly changes: readonly RegisterChange[];
  readonly audit: readonly AuditFields[];
}

export interface RegisterResult {
  /** False: a statement changed another number of rows than it had to, and nothing is written. */
  readonly applied: boolean;
  /** Rows each statement changed. */
  readonly changed: readonly number[];
}

/** Whoever keeps registers: a store, or its file alone while an engine may have it open. */
export interface RegisterStore {
  /** @throws {StoreError} nothing was written. */
  submit(intent: RegisterIntent): Promise<RegisterResult>;
  register(
    name: RegisterQueryName,
    ...values: readonly RegisterValue[]
  ): Promise<readonly RegisterRow[]>;
}

/** Positions of values that are sealed, by statement; `ciphered_cells.ts` lists the columns. */
export const sealedValues: Readonly<Record<string, readonly number[] | undefined>> = {
  ...alertSealedValues,
  ...identitySealedValues,
  ...referenceSealedValues,
};

/** Columns that are opened when they are read, by statement. */
export const sealedColumns: Readonly<Record<string, readonly string[] | undefined>> = {
  ...alertSealedColumns,
  ...identitySealedColumns,
  ...referenceSealedColumns,
};
