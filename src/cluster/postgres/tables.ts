/** Makes the cluster's own tables. They are no part of a store that stands alone (I69). */
import type { Connection } from "../server/connection.ts";
import { quoted } from "./driver.ts";
import { LOCK, tables, tablesExist } from "./statements.ts";

/** Two reads when all is there; many nodes may come at once. @throws {ClusterError} */
export async function ensureTables(
  connection: Connection,
  schema: string | undefined,
): Promise<void> {
  const [found] = await connection.run(tablesExist, [schema ?? null]);
  if (found!.has_tables === true) return;
  // It would ask for the right to make one even where it stands.
  if (schema !== undefined && found!.has_schema === false) {
    await connection.run(`${LOCK}; CREATE SCHEMA IF NOT EXISTS ${quoted(schema)}`);
  }
  await connection.run(tables);
}
