/** The steps of a schema, forward only; number and name are the same in every dialect. */
export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
}

/** In order: the first has number 1. */
const migrationNames = [
  "0001_staged_queue",
  "0002_totals",
  "0003_commit_log",
  "0004_store_keys",
  "0005_key_rotation",
  "0006_operators",
  "0007_retention",
  "0008_changed_bodies",
  "0009_responses",
  "0010_references",
  "0011_unprocessed",
] as const;

/** Numbers a dialect's texts; one that lacks a step does not compile. */
export function migrationsOf(
  texts: Readonly<Record<(typeof migrationNames)[number], string>>,
): readonly Migration[] {
  return migrationNames.map((name, index) => ({ version: index + 1, name, sql: texts[name] }));
}
