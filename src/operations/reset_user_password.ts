/** Gives an account a new password, shown once. */
import { authOf, by } from "./identity.ts";
import { operation } from "./operation.ts";

export const resetUserPassword = operation({
  permission: "users:manage",
  run: (engine, { id }: { readonly id: string }, _rowOf, actor): Promise<string> =>
    authOf(engine).accounts.resetPassword(by(actor), id),
});
