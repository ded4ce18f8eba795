/** What the failures of every database server have in common; a dialect knows its server's words. */
import { StoreError, type StoreFailure } from "../errors.ts";
import { ConnectionLost, unavailable } from "./connection_lost.ts";

export const busy: StoreFailure = {
  code: "store.busy",
  message: "Cannot write to the store: the database is busy or holds a lock",
  hint: "The engine retries by itself",
};

export const readOnly: StoreFailure = {
  code: "store.read_only",
  message: "Cannot write to the store: the database is read-only",
  hint: "Point [store] server at the primary; intake resumes by itself",
};

export interface FailureWords {
  /** What a failure of the place means; undefined: the statement is to blame, or nobody knows. */
  readonly knownOf: (thrown: unknown) => StoreFailure | undefined;
  /** The server's word for a failure, which says nothing of any value. */
  readonly wordOf: (thrown: unknown) => string | number | undefined;
}

/** How a dialect's failures are told apart and told of. */
export function failuresOf({ knownOf, wordOf }: FailureWords) {
  return {
    /** True for failures of server, disk or network: no member of the batch is to blame. */
    isEnvironmental(thrown: unknown): boolean {
      if (thrown instanceof ConnectionLost) return true;
      if (thrown instanceof StoreError) return thrown.code !== "store.failed";
      return knownOf(thrown) !== undefined;
    },

    /** Returns a failure that says nothing of any value a statement was bound to. */
    describeFailure(thrown: unknown): StoreFailure {
      if (thrown instanceof StoreError) {
        return { code: thrown.code, message: thrown.message, hint: thrown.hint };
      }
      if (thrown instanceof ConnectionLost) return unavailable;
      const known = knownOf(thrown);
      if (known !== undefined) return known;
      const name = thrown instanceof Error ? thrown.name : typeof thrown;
      return {
        code: "store.failed",
        message: `Cannot complete a store transaction (${wordOf(thrown) ?? name})`,
        hint: undefined,
      };
    },
  };
}
