/** Replaces what inbounds the groups of a directory may see. */
import type { GroupScope } from "../auth/mod.ts";
import { authOf, by } from "./identity.ts";
import { operation } from "./operation.ts";

export const setGroupScopes = operation({
  permission: "users:manage",
  run: (engine, entries: readonly GroupScope[], _rowOf, actor) =>
    authOf(engine).roles.setGroupScopes(by(actor), entries),
});
