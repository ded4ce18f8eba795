/** Forward-only migrations in order; number and name are the same in every dialect. */
import { sql as stagedQueue } from "./0001_staged_queue.ts";

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

export const migrations: readonly Migration[] = [
  { version: 1, name: "0001_staged_queue", sql: stagedQueue },
];
