/** Holds an account to some inbounds; null lifts that. */
import { authOf, by } from "./identity.ts";
import { operation } from "./operation.ts";

export const setChannelScope = operation({
  permission: "users:manage",
  run: (
    engine,
    { id, channels }: { readonly id: string; readonly channels: readonly string[] | null },
    _rowOf,
    actor,
  ) => authOf(engine).accounts.setChannelScope(by(actor), id, channels),
});
