/** Ends the lock of an account whose password was wrong too often. */
import { authOf, by, type HasAccounts } from "./identity.ts";
import { operation } from "./operation.ts";

export const unlockUser = operation({
  permission: "users:manage",
  run: (engine: HasAccounts, { id }: { readonly id: string }, _rowOf, actor) =>
    authOf(engine).accounts.unlock(by(actor), id),
});
