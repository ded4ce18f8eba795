/** Deletes an account. */
import { authOf, by } from "./identity.ts";
import { operation } from "./operation.ts";

export const deleteUser = operation({
  permission: "users:manage",
  run: (engine, { id }: { readonly id: string }, _rowOf, actor) =>
    authOf(engine).accounts.delete(by(actor), id),
});
