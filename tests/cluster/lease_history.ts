/**
 * Every change of the lease's row, written down by the database itself, and what has to hold of
 * them: one holder at a time, and an epoch more with each. Source: spec pipeline-store-cluster I60.
 */
import type { ClusterSite } from "./cluster_site.ts";

/** Has the database write the history from now on. */
export async function watchLease(site: ClusterSite): Promise<void> {
  await site.query(`
    CREATE TABLE lease_history (
      n bigint GENERATED ALWAYS AS IDENTITY, at_us bigint, holder text, epoch bigint,
      expires_us bigint);
    CREATE FUNCTION note_lease() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        INSERT INTO lease_history (at_us, holder, epoch, expires_us)
        VALUES ((extract(epoch FROM clock_timestamp()) * 1000000)::bigint,
                NEW.owner || '/' || NEW.incarnation, NEW.leader_epoch, NEW.lease_expires_at);
        RETURN NEW;
      END $$;
    CREATE TRIGGER note_lease AFTER UPDATE ON leader_lease
       FOR EACH ROW EXECUTE FUNCTION note_lease();`);
}

interface Entry {
  readonly at_us: number;
  readonly holder: string;
  readonly epoch: number;
  readonly expires_us: number;
}

/** What is wrong with the history; and how many changes it tells of. */
export async function judgeLease(
  site: ClusterSite,
): Promise<
  { readonly wrong: readonly string[]; readonly entries: number; readonly changes: number }
> {
  const entries = await entriesOf(site);
  const wrong: string[] = [];
  for (const [index, entry] of entries.entries()) {
    const before = entries[index - 1];
    if (before === undefined) continue;
    const isTaken = entry.epoch !== before.epoch;
    if (entry.epoch !== before.epoch + (isTaken ? 1 : 0)) wrong.push(`epoch at ${index}`);
    const isSame = entry.holder === before.holder;
    if (isTaken && !isSame && before.expires_us > entry.at_us) wrong.push(`early at ${index}`);
    if (!isTaken && !isSame && entry.expires_us !== 0) wrong.push(`holder at ${index}`);
  }
  const changes = new Set(entries.map(({ epoch }) => epoch)).size;
  return { wrong, entries: entries.length, changes };
}

/** Something a node did that only a leader may do. */
export interface LeadersAct {
  readonly controlId: string;
  /** Address of the node. */
  readonly from: string;
  /** Milliseconds since the epoch. */
  readonly atMs: number;
}

/**
 * Acts of nodes that did not hold the lease at that moment, by the history. Only where each node has
 * an address of its own, and sees its database at the clock of this machine.
 */
export async function actsWithoutLease(
  site: ClusterSite,
  acts: readonly LeadersAct[],
): Promise<readonly string[]> {
  const entries = await entriesOf(site);
  const addresses = new Map(
    site.processes.map((node) => [node.pid, site.inboundOf(node).host]),
  );
  const wrong: string[] = [];
  for (const { controlId, from, atMs } of acts) {
    const atUs = atMs * 1000;
    const entry = entries.findLast(({ at_us }) => at_us <= atUs);
    if (entry === undefined) continue;
    const holder = addresses.get(Number(entry.holder.split(":")[1]));
    const isHeld = holder === from && atUs < entry.expires_us;
    if (!isHeld) wrong.push(`${controlId} of ${from}, lease of ${holder}`);
  }
  return wrong;
}

async function entriesOf(site: ClusterSite): Promise<readonly Entry[]> {
  return await site.query(`
    SELECT at_us::float8, holder, epoch::float8, expires_us::float8
      FROM lease_history ORDER BY n`) as unknown as readonly Entry[];
}
