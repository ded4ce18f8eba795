/** 0010 references: snapshots of reference sets. */
export const sql = `
CREATE TABLE reference_version (
  name       TEXT COLLATE "C" PRIMARY KEY,
  version    TEXT COLLATE "C" NOT NULL,
  synced_at  BIGINT NOT NULL,
  row_count  BIGINT NOT NULL,
  digest     TEXT NOT NULL
);

CREATE TABLE reference (
  name     TEXT COLLATE "C" NOT NULL,
  version  TEXT COLLATE "C" NOT NULL,
  part     BIGINT NOT NULL,
  entries  TEXT NOT NULL,
  PRIMARY KEY (name, version, part)
);
`;
