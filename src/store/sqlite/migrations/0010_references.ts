/**
 * 0010 references: snapshots of reference sets.
 *
 * A set has one version that counts; the parts of another are never read. Version tokens are unique
 * for each write, whatever the clock says.
 */
export const sql = `
CREATE TABLE reference_version (
  name       TEXT NOT NULL PRIMARY KEY,
  version    TEXT NOT NULL,
  synced_at  INTEGER NOT NULL,
  row_count  INTEGER NOT NULL,
  -- Of what the source held, so that a version is not written twice; sealed, for a short source can
  -- be guessed from it.
  digest     TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE reference (
  name     TEXT NOT NULL,
  version  TEXT NOT NULL,
  part     INTEGER NOT NULL,
  entries  TEXT NOT NULL,
  PRIMARY KEY (name, version, part)
) STRICT;
`;
