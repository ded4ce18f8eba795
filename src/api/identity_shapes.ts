/** Accounts as clients know them. Source: spec api §1.8. */
import { type Account, builtInRoles, isBuiltInRole, permissions } from "../auth/mod.ts";

/** Whoever asks, with what they may do; roles of the installation's own show by that alone. */
export function currentUser(account: Account) {
  return {
    user_id: account.id,
    username: account.name,
    auth_provider: account.provider,
    roles: account.roles.filter(isBuiltInRole),
    permissions: [...account.permissions].sort(),
  };
}

/** Whoever asks while nobody signs in. */
export function systemUser() {
  return {
    user_id: "system",
    username: "system",
    auth_provider: "local",
    roles: builtInRoles.map(({ id }) => id).sort(),
    permissions: permissions.toSorted(),
  };
}

export function userSummary(account: Account) {
  return {
    id: account.id,
    username: account.name,
    auth_provider: account.provider,
    display_name: account.displayName,
    email: account.email,
    disabled: account.isDisabled,
    roles: account.roles,
    channel_scope: account.channelScope,
  };
}
