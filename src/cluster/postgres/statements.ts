/** The cluster's statements for PostgreSQL; what each takes and gives stands with its name. */
import type { ClusterStatements } from "../server/statements.ts";

/** Microseconds since the epoch; `now()` would be the beginning of the transaction. */
const NOW = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/** What nodes are told on: config, acts and a lease that was given back. */
export function channelOf(schema: string | undefined): string {
  return `messagefoundry:${schema ?? ""}`;
}

/** $1 what to tell. */
export function tellOn(schema: string | undefined): string {
  return `SELECT pg_notify('${channelOf(schema).replaceAll("'", "''")}', $1)`;
}

/** What an ask did, and the row as it is now: changed by it, or as it stood. */
const answer = (update: string) => `
    WITH changed AS (${update}
      RETURNING owner, incarnation, leader_epoch, lease_expires_at)
    SELECT 1 AS granted, owner, incarnation, leader_epoch::float8 AS epoch,
           (lease_expires_at - ${NOW})::float8 AS remaining_us
      FROM changed
    UNION ALL
    SELECT 0, owner, incarnation, leader_epoch::float8, (lease_expires_at - ${NOW})::float8
      FROM leader_lease
     WHERE lease_key = 'leader'
       AND NOT EXISTS (SELECT FROM changed)`;

export const statements: ClusterStatements = {
  acquire: answer(`
      UPDATE leader_lease
         SET owner = $1, incarnation = $2, lease_expires_at = ${NOW} + $3::bigint,
             leader_epoch = leader_epoch + 1
       WHERE lease_key = 'leader'
         AND leader_epoch = $4::bigint
         AND (lease_expires_at <= ${NOW} OR (owner = $1 AND incarnation = $2))`),
  renew: answer(`
      UPDATE leader_lease
         SET lease_expires_at = ${NOW} + $3::bigint
       WHERE lease_key = 'leader'
         AND leader_epoch = $4::bigint
         AND owner = $1
         AND incarnation = $2`),
  /**
   * The incarnation goes, so that a renewal that the network delivers late finds nothing to extend;
   * the owner stays for whoever looks.
   */
  release: answer(`
      UPDATE leader_lease
         SET lease_expires_at = 0 * $3::bigint, incarnation = ''
       WHERE lease_key = 'leader'
         AND leader_epoch = $4::bigint
         AND owner = $1
         AND incarnation = $2`),
  beat: `
      WITH mine AS (
        INSERT INTO nodes AS n
               (node_id, incarnation, host, pid, status, started_at, last_seen, is_leader, epoch)
        VALUES ($1, $2, coalesce($3, host(inet_client_addr()), 'local'), $4::integer, 'active',
                ${NOW}, ${NOW}, $5::boolean, $6::bigint)
        ON CONFLICT (node_id) DO UPDATE
           SET incarnation = excluded.incarnation, host = excluded.host, pid = excluded.pid,
               status = 'active', last_seen = excluded.last_seen,
               is_leader = excluded.is_leader, epoch = excluded.epoch,
               started_at = CASE WHEN n.incarnation = excluded.incarnation THEN n.started_at
                                 ELSE excluded.started_at END
         WHERE n.incarnation = excluded.incarnation
            OR n.status = 'left'
            OR n.last_seen < excluded.last_seen - $7::bigint
            OR excluded.is_leader
        RETURNING node_id)
      SELECT config_version::float8 AS config_version, graph,
             EXISTS (SELECT FROM mine)::integer AS is_mine,
             EXISTS (SELECT FROM cluster_act)::integer AS has_acts,
             ${NOW}::float8 AS now_us
        FROM cluster_config
       WHERE id = 1`,
  leave: `
      UPDATE nodes
         SET status = 'left', is_leader = false, last_seen = ${NOW}
       WHERE node_id = $1
         AND incarnation = $2`,
  nodes: `
      SELECT n.node_id, n.host, n.pid, n.status, n.is_leader::integer AS is_leader,
             n.epoch::float8 AS epoch, n.started_at::float8 AS started_at,
             n.last_seen::float8 AS last_seen, (${NOW} - n.last_seen)::float8 AS silent_us
        FROM nodes n
       ORDER BY n.node_id`,
  lease: `
      SELECT owner, lease_expires_at::float8 AS expires_at, leader_epoch::float8 AS epoch
        FROM leader_lease
       WHERE lease_key = 'leader'`,
  forgetNodes: `DELETE FROM nodes WHERE last_seen < ${NOW} - $1::bigint`,
  openLanes: `
      SELECT DISTINCT stage, lane
        FROM queue
       WHERE status IN ('pending', 'inflight')`,
  bumpConfig: `
      UPDATE cluster_config
         SET config_version = config_version + 1, updated_at = ${NOW}
       WHERE id = 1
      RETURNING config_version::float8 AS config_version`,
  noteGraph: `
      UPDATE cluster_config
         SET graph = $1
       WHERE id = 1
         AND EXISTS (SELECT FROM leader_lease
                      WHERE lease_key = 'leader' AND leader_epoch = $2::bigint)`,
  noteAct: "INSERT INTO cluster_act (node_id, act, made_at) " +
    `VALUES ($1, $2, ${NOW})`,
  takeActs: `
      DELETE FROM cluster_act
       WHERE EXISTS (SELECT FROM leader_lease
                      WHERE lease_key = 'leader' AND leader_epoch = $1::bigint)
      RETURNING id::float8 AS id, act`,
};

/** Nodes that come at one moment make things one after the other; ends with the transaction. */
export const LOCK = "SELECT pg_advisory_xact_lock(hashtext('messagefoundry cluster tables'))";

/** The tables of the cluster, made at the first start; all or none of them. */
export const tables = `
    ${LOCK};
    CREATE TABLE IF NOT EXISTS leader_lease (
      lease_key text PRIMARY KEY,
      owner text,
      incarnation text,
      lease_expires_at bigint NOT NULL,
      leader_epoch bigint NOT NULL
    );
    INSERT INTO leader_lease VALUES ('leader', NULL, NULL, 0, 0)
      ON CONFLICT DO NOTHING;
    CREATE TABLE IF NOT EXISTS nodes (
      node_id text PRIMARY KEY,
      incarnation text NOT NULL,
      host text NOT NULL,
      pid integer NOT NULL,
      status text NOT NULL,
      started_at bigint NOT NULL,
      last_seen bigint NOT NULL,
      is_leader boolean NOT NULL,
      epoch bigint NOT NULL
    );
    CREATE TABLE IF NOT EXISTS cluster_config (
      id integer PRIMARY KEY CHECK (id = 1),
      config_version bigint NOT NULL,
      updated_at bigint NOT NULL
    );
    ALTER TABLE cluster_config ADD COLUMN IF NOT EXISTS graph text;
    INSERT INTO cluster_config VALUES (1, 0, 0)
      ON CONFLICT DO NOTHING;
    CREATE TABLE IF NOT EXISTS cluster_act (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      node_id text NOT NULL,
      act text NOT NULL,
      made_at bigint NOT NULL
    );`;

/** $1 the schema, or none; all is made at once, so what came last tells of all of it. */
export const tablesExist = `
  SELECT $1::text IS NULL OR to_regnamespace(quote_ident($1)) IS NOT NULL AS has_schema,
         EXISTS (SELECT FROM pg_attribute
                  WHERE attrelid = to_regclass('cluster_config') AND attname = 'graph') AS has_tables`;
