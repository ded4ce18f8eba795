/** The T-SQL of every register statement. */
import type { RegisterChangeName, RegisterQueryName } from "../../registers/mod.ts";
import { alertSql } from "./alerts.ts";
import { approvalSql } from "./approvals.ts";
import { auditSql } from "./audit.ts";
import { identitySql } from "./identity.ts";
import { referenceSql } from "./references.ts";

export const registerSql: Readonly<Record<RegisterChangeName | RegisterQueryName, string>> = {
  ...approvalSql,
  ...auditSql,
  ...identitySql,
  ...alertSql,
  ...referenceSql,
};
