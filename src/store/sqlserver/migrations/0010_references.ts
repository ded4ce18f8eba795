/** 0010 references: snapshots of reference sets. */
import { NAME, TEXT, WORD } from "../words.ts";

export const sql = `
CREATE TABLE mefor.reference_version (
  name       ${NAME} NOT NULL PRIMARY KEY CLUSTERED,
  version    ${WORD} NOT NULL,
  synced_at  bigint NOT NULL,
  row_count  bigint NOT NULL,
  digest     ${TEXT} NOT NULL
)
GO
CREATE TABLE mefor.reference (
  name     ${NAME} NOT NULL,
  version  ${WORD} NOT NULL,
  part     bigint NOT NULL,
  entries  ${TEXT} NOT NULL,
  PRIMARY KEY NONCLUSTERED (name, version, part)
)
`;
