/** The T-SQL of the reference sets. */
import type { ReferenceChange, ReferenceQuery } from "../../registers/references.ts";

export const referenceSql: Readonly<Record<ReferenceChange | ReferenceQuery, string>> = {
  referenceClear: `
    DELETE FROM mefor.reference
     WHERE name = @p1`,

  referencePart: `
    INSERT INTO mefor.reference (name, version, part, entries)
    VALUES (@p1, @p2, @p3, @p4)`,

  /** One of the two changes a row: the store's lock is held, so nobody comes between. */
  referenceFlip: `
    UPDATE mefor.reference_version
       SET version = @p2, synced_at = @p3, row_count = @p4, digest = @p5
     WHERE name = @p1;
    IF @@ROWCOUNT = 0
      INSERT INTO mefor.reference_version (name, version, synced_at, row_count, digest)
      VALUES (@p1, @p2, @p3, @p4, @p5)`,

  referenceTouch: `
    UPDATE mefor.reference_version
       SET synced_at = @p1
     WHERE name = @p2 AND version = @p3`,

  references: `
    SELECT name, version, synced_at, row_count, digest
      FROM mefor.reference_version
     ORDER BY name`,

  referenceParts: `
    SELECT p.entries, v.version
      FROM mefor.reference_version AS v
      JOIN mefor.reference AS p ON p.name = v.name AND p.version = v.version
     WHERE v.name = @p1
     ORDER BY p.part`,
};
