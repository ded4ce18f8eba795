/** SQLite text of the reference sets. */
import type { ReferenceChange, ReferenceQuery } from "../../registers/references.ts";

export const referenceSql: Readonly<Record<ReferenceChange | ReferenceQuery, string>> = {
  referenceClear: `
    DELETE FROM reference
     WHERE name = ?`,

  referencePart: `
    INSERT INTO reference (name, version, part, entries)
    VALUES (?, ?, ?, ?)`,

  referenceFlip: `
    INSERT INTO reference_version (name, version, synced_at, row_count, digest)
    VALUES (?, ?, ?, ?, ?)
        ON CONFLICT (name)
        DO UPDATE SET version = excluded.version, synced_at = excluded.synced_at,
           row_count = excluded.row_count, digest = excluded.digest`,

  referenceTouch: `
    UPDATE reference_version
       SET synced_at = ?
     WHERE name = ? AND version = ?`,

  references: `
    SELECT name, version, synced_at, row_count, digest
      FROM reference_version
     ORDER BY name`,

  referenceParts: `
    SELECT p.entries, v.version
      FROM reference_version v
      JOIN reference p ON p.name = v.name AND p.version = v.version
     WHERE v.name = ?
     ORDER BY p.part`,
};
