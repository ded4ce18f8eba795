/**
 * The cluster's statements for SQL Server; what each takes and gives stands with its name.
 *
 * Each change is one guarded statement that commits by itself. No MERGE; what a change returns goes
 * through a table variable, which triggers and replication allow.
 */
import { NAME, OPEN, WORD } from "../../store/sqlserver/words.ts";
import type { ClusterStatements } from "../server/statements.ts";

/**
 * Microseconds since the epoch. The server reads its clock once a statement, as that begins: one that
 * waits for a lock is early, so it finds a lease that has ended still running, and dates its own no
 * earlier than the ask was issued.
 */
const NOW = "DATEDIFF_BIG(MICROSECOND, CAST(N'1970-01-01' AS datetime2), SYSUTCDATETIME())";

/**
 * What an ask did, and the row as it is now: changed by it, or as it stands. The variable compares as
 * the table does, or the two could not be told in one result.
 */
const answer = (set: string, guard: string) => `
    DECLARE @changed TABLE (
      owner ${NAME} NULL, incarnation ${WORD} NULL, epoch bigint NOT NULL,
      expires_at bigint NOT NULL);
    UPDATE mefor.leader_lease
       SET ${set}
    OUTPUT inserted.owner, inserted.incarnation, inserted.leader_epoch, inserted.lease_expires_at
      INTO @changed (owner, incarnation, epoch, expires_at)
     WHERE lease_key = N'leader'
       AND leader_epoch = @p4
       AND ${guard};
    SELECT 1 AS granted, c.owner, c.incarnation, c.epoch, c.expires_at - ${NOW} AS remaining_us
      FROM @changed AS c
     UNION ALL
    SELECT 0, l.owner, l.incarnation, l.leader_epoch, l.lease_expires_at - ${NOW}
      FROM mefor.leader_lease AS l
     WHERE l.lease_key = N'leader'
       AND NOT EXISTS (SELECT 1 FROM @changed)`;

/** What every node looks at, for nobody can be told: see `watch.ts`. */
const SIGHTING = `c.config_version,
           CASE WHEN l.lease_expires_at = 0 THEN 1 ELSE 0 END AS is_free, l.leader_epoch AS epoch,
           CASE WHEN EXISTS (SELECT 1 FROM mefor.cluster_act) THEN 1 ELSE 0 END AS has_acts`;

const SEEN = `mefor.cluster_config AS c
     CROSS JOIN mefor.leader_lease AS l
     WHERE c.id = 1 AND l.lease_key = N'leader'`;

/** The epoch that leads, for what only its holder may do. */
const leads = (epoch: string) => `
       EXISTS (SELECT 1 FROM mefor.leader_lease AS l
                WHERE l.lease_key = N'leader' AND l.leader_epoch = ${epoch})`;

export const statements: ClusterStatements & { readonly look: string } = {
  acquire: answer(
    `owner = @p1, incarnation = @p2, lease_expires_at = ${NOW} + @p3,
           leader_epoch = leader_epoch + 1`,
    `(lease_expires_at <= ${NOW} OR (owner = @p1 AND incarnation = @p2))`,
  ),

  renew: answer(`lease_expires_at = ${NOW} + @p3`, "owner = @p1 AND incarnation = @p2"),

  /**
   * The incarnation goes, so that a renewal that the network delivers late finds nothing to extend;
   * the owner stays for whoever looks.
   */
  release: answer(
    "lease_expires_at = 0, incarnation = N''",
    "owner = @p1 AND incarnation = @p2",
  ),

  /** A row of that name is there, or made: whoever comes at the same time waits and finds it. */
  beat: `
    UPDATE mefor.nodes
       SET started_at = CASE WHEN incarnation = @p2 THEN started_at ELSE ${NOW} END,
           incarnation = @p2, host = ${host("@p3")}, pid = @p4, status = N'active',
           last_seen = ${NOW}, is_leader = @p5, epoch = @p6
     WHERE node_id = @p1
       AND (incarnation = @p2 OR status = N'left' OR last_seen < ${NOW} - @p7 OR @p5 = 1);
    IF @@ROWCOUNT = 0
    INSERT INTO mefor.nodes (node_id, incarnation, host, pid, status, started_at, last_seen,
           is_leader, epoch)
    SELECT @p1, @p2, ${host("@p3")}, @p4, N'active', ${NOW}, ${NOW}, @p5, @p6
     WHERE NOT EXISTS (SELECT 1 FROM mefor.nodes AS n WITH (UPDLOCK, HOLDLOCK, ROWLOCK)
                        WHERE n.node_id = @p1);
    SELECT ${SIGHTING}, c.graph, ${NOW} AS now_us,
           CASE WHEN EXISTS (SELECT 1 FROM mefor.nodes AS n
                              WHERE n.node_id = @p1 AND n.incarnation = @p2)
                THEN 1 ELSE 0 END AS is_mine
      FROM ${SEEN}`,

  look: `
    SELECT ${SIGHTING}
      FROM ${SEEN}`,

  leave: `
    UPDATE mefor.nodes
       SET status = N'left', is_leader = 0, last_seen = ${NOW}
     WHERE node_id = @p1
       AND incarnation = @p2`,

  nodes: `
    SELECT n.node_id, n.host, n.pid, n.status, n.is_leader, n.epoch, n.started_at, n.last_seen,
           ${NOW} - n.last_seen AS silent_us
      FROM mefor.nodes AS n
     ORDER BY n.node_id`,

  lease: `
    SELECT owner, lease_expires_at AS expires_at, leader_epoch AS epoch
      FROM mefor.leader_lease
     WHERE lease_key = N'leader'`,

  forgetNodes: `DELETE FROM mefor.nodes WHERE last_seen < ${NOW} - @p1`,

  openLanes: `
    SELECT DISTINCT stage, lane
      FROM mefor.queue
     WHERE ${OPEN}`,

  bumpConfig: `
    DECLARE @moved TABLE (config_version bigint NOT NULL);
    UPDATE mefor.cluster_config
       SET config_version = config_version + 1, updated_at = ${NOW}
    OUTPUT inserted.config_version INTO @moved (config_version)
     WHERE id = 1;
    SELECT config_version FROM @moved`,

  noteGraph: `
    UPDATE mefor.cluster_config
       SET graph = @p1
     WHERE id = 1
       AND ${leads("@p2")}`,

  noteAct: `INSERT INTO mefor.cluster_act (node_id, act, made_at) VALUES (@p1, @p2, ${NOW})`,

  takeActs: `
    DECLARE @taken TABLE (id bigint NOT NULL, act nvarchar(max) NOT NULL);
    DELETE FROM mefor.cluster_act
    OUTPUT deleted.id, deleted.act INTO @taken (id, act)
     WHERE ${leads("@p1")};
    SELECT id, act FROM @taken`,
};

function host(given: string): string {
  return `COALESCE(${given}, CAST(CONNECTIONPROPERTY('client_net_address') AS nvarchar(100)), ` +
    "N'local')";
}
