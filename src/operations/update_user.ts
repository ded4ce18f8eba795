/** Changes name, address or state of an account. */
import type { AccountEdit } from "../auth/mod.ts";
import { authOf, by, type HasAccounts } from "./identity.ts";
import { operation } from "./operation.ts";

export const updateUser = operation({
  permission: "users:manage",
  run: (
    engine: HasAccounts,
    { id, edit }: { readonly id: string; readonly edit: AccountEdit },
    _rowOf,
    actor,
  ) => authOf(engine).accounts.update(by(actor), id, edit),
});
