/** One step of a schema; number and name are the same in every dialect. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}
