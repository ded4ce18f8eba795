/** Changes a role; whoever holds it signs in again. */
import type { CustomRole, RoleDraft } from "../auth/mod.ts";
import { authOf, by } from "./identity.ts";
import { operation } from "./operation.ts";

export const updateRole = operation({
  permission: "users:manage",
  run: (
    engine,
    { id, draft }: { readonly id: string; readonly draft: RoleDraft },
    _rowOf,
    actor,
  ): Promise<CustomRole> => authOf(engine).roles.update(by(actor), id, draft),
});
