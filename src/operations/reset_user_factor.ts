/** Takes the second factor from an account whose owner has lost it. */
import { authOf, by, type HasAccounts } from "./identity.ts";
import { operation } from "./operation.ts";

export const resetUserFactor = operation({
  permission: "users:manage",
  run: (engine: HasAccounts, { id }: { readonly id: string }, _rowOf, actor) =>
    authOf(engine).accounts.resetFactor(by(actor), id),
});
