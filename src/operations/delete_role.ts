/** Deletes a role; whoever held it signs in again, without it. */
import { authOf, by } from "./identity.ts";
import { operation } from "./operation.ts";

export const deleteRole = operation({
  permission: "users:manage",
  run: (engine, { id }: { readonly id: string }, _rowOf, actor) =>
    authOf(engine).roles.delete(by(actor), id),
});
