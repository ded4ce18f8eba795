/** Replaces the roles of an account. */
import { authOf, by } from "./identity.ts";
import { operation } from "./operation.ts";

export const setUserRoles = operation({
  permission: "users:manage",
  async run(
    engine,
    { id, roles }: { readonly id: string; readonly roles: readonly string[] },
    _rowOf,
    actor,
  ): Promise<void> {
    const auth = authOf(engine);
    await auth.accounts.setRoles(by(actor), id, roles);
    await auth.afterNewAdministrator();
  },
});
