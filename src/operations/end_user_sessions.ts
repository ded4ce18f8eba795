/** Ends every session of an account; returns how many. */
import { authOf, by } from "./identity.ts";
import { operation } from "./operation.ts";

export const endUserSessions = operation({
  permission: "users:manage",
  run: (engine, { id }: { readonly id: string }, _rowOf, actor): Promise<number> =>
    authOf(engine).accounts.endSessions(by(actor), id),
});
