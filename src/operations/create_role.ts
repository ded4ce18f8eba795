/** Creates a role of the installation's own. */
import type { CustomRole, RoleDraft } from "../auth/mod.ts";
import { authOf, by } from "./identity.ts";
import { operation } from "./operation.ts";

export const createRole = operation({
  permission: "users:manage",
  run: (engine, draft: RoleDraft, _rowOf, actor): Promise<CustomRole> =>
    authOf(engine).roles.create(by(actor), draft),
});
