/** Makes the cluster's own tables. They are no part of a store that stands alone (I69). */
import type { ServerConnection, ServerOptions } from "../../store/server/dialect.ts";
import { makeSchema, schemaTexts } from "../../store/sqlserver/schema.ts";
import { NAME, TEXT, WORD } from "../../store/sqlserver/words.ts";
import { ClusterError } from "../errors.ts";

/** In order, all in one transaction. */
export const tableTexts = {
  lease: `
    CREATE TABLE mefor.leader_lease (
      lease_key         ${WORD} NOT NULL PRIMARY KEY CLUSTERED,
      owner             ${NAME} NULL,
      incarnation       ${WORD} NULL,
      lease_expires_at  bigint NOT NULL,
      leader_epoch      bigint NOT NULL
    )`,
  firstLease: `
    INSERT INTO mefor.leader_lease (lease_key, lease_expires_at, leader_epoch)
    VALUES (N'leader', 0, 0)`,
  nodes: `
    CREATE TABLE mefor.nodes (
      node_id      ${NAME} NOT NULL PRIMARY KEY CLUSTERED,
      incarnation  ${WORD} NOT NULL,
      host         ${NAME} NOT NULL,
      pid          int NOT NULL,
      status       ${WORD} NOT NULL,
      started_at   bigint NOT NULL,
      last_seen    bigint NOT NULL,
      is_leader    int NOT NULL,
      epoch        bigint NOT NULL
    )`,
  config: `
    CREATE TABLE mefor.cluster_config (
      id              int NOT NULL PRIMARY KEY CLUSTERED CHECK (id = 1),
      config_version  bigint NOT NULL,
      updated_at      bigint NOT NULL,
      graph           ${WORD} NULL
    )`,
  firstConfig: `
    INSERT INTO mefor.cluster_config (id, config_version, updated_at)
    VALUES (1, 0, 0)`,
  acts: `
    CREATE TABLE mefor.cluster_act (
      id       bigint IDENTITY(1, 1) NOT NULL PRIMARY KEY CLUSTERED,
      node_id  ${NAME} NOT NULL,
      act      ${TEXT} NOT NULL,
      made_at  bigint NOT NULL
    )`,
} as const;

export const hasTables =
  `SELECT CASE WHEN OBJECT_ID(N'mefor.leader_lease', N'U') IS NULL THEN 0 ELSE 1 END AS found`;

/**
 * Two reads when all is there; many nodes may come at once.
 *
 * @throws {ClusterError} `cluster.not_durable`
 */
export async function ensureTables(
  connection: ServerConnection,
  { schema, commandTimeoutMs }: Pick<ServerOptions, "schema" | "commandTimeoutMs">,
): Promise<void> {
  await requireDurable(connection);
  if (await isThere(connection)) return;
  if (schema !== undefined) await makeSchema(connection, schema);
  await connection.begin();
  try {
    const { rows: [lock] } = await connection.ask(schemaTexts.lockSchema, [commandTimeoutMs]);
    if (lock?.is_mine !== 1) throw new ClusterError("cluster.timeout", "Cannot lock the schema");
    if (!await isThere(connection)) {
      for (const text of Object.values(tableTexts)) await connection.ask(text);
    }
    await connection.commit();
  } catch (thrown) {
    if (!connection.isLost) await connection.rollBack();
    throw thrown;
  }
}

async function isThere(connection: ServerConnection): Promise<boolean> {
  return (await connection.ask(hasTables)).rows[0]?.found === 1;
}

/** An answer must outlive the server: a lease that a crash takes back would be held twice. */
async function requireDurable(connection: ServerConnection): Promise<void> {
  const { rows: [database] } = await connection.ask(schemaTexts.server);
  if (database?.delays !== 1) return;
  throw new ClusterError(
    "cluster.not_durable",
    "Cannot join the cluster: the database answers before its commits are on disk",
    { hint: "ALTER DATABASE … SET DELAYED_DURABILITY = ALLOWED or DISABLED" },
  );
}
