/** Gives an account a new password, shown once. */
import { authOf, by, type HasAccounts } from "./identity.ts";
import { operation } from "./operation.ts";

export const resetUserPassword = operation({
  permission: "users:manage",
  run: (engine: HasAccounts, { id }: { readonly id: string }, _rowOf, actor): Promise<string> =>
    authOf(engine).accounts.resetPassword(by(actor), id),
});
