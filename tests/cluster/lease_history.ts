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
  const entries = await site.query(`
    SELECT at_us::float8, holder, epoch::float8, expires_us::float8
      FROM lease_history ORDER BY n`) as unknown as readonly Entry[];
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
