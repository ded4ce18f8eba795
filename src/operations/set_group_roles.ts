/** Replaces what roles the groups of a directory give. */
import type { GroupRole } from "../auth/mod.ts";
import { authOf, by } from "./identity.ts";
import { operation } from "./operation.ts";

export const setGroupRoles = operation({
  permission: "users:manage",
  run: (engine, entries: readonly GroupRole[], _rowOf, actor) =>
    authOf(engine).roles.setGroupRoles(by(actor), entries),
});
