/**
 * Who somebody is and what they may do: accounts, passwords, second factors, sessions, roles.
 *
 * Upstream: the engine opens it, `api/` asks it about every request, `operations/` change accounts
 * through it. Downstream: the store's registers, and whatever sends notices.
 * Not here: what an act means (`operations/`), and how a request carries its token (`api/`).
 */
export { type Account, type Identity, nameKey, type Session, stringsOf } from "./account.ts";
export { type AccountEdit, type By, type NewAccount } from "./accounts.ts";
export { Auth, type AuthOptions } from "./auth.ts";
export { ConsoleAccounts } from "./console_accounts.ts";
export { DirectoryError } from "./directory/mod.ts";
export { AuthError } from "./errors.ts";
export { needsSecondFactor } from "./gates.ts";
export { securityMail } from "./notice_mail.ts";
export { type SecurityNotice, type TakeNotice } from "./notices.ts";
export {
  ADMINISTRATOR,
  builtInRoles,
  isBuiltInRole,
  type Permission,
  permissions,
} from "./permissions.ts";
export { recoveryCodesLeft } from "./recovery_codes.ts";
export type { CustomRole, GroupRole, GroupScope, RoleDraft } from "./roles.ts";
export type { SignedIn } from "./sign_in.ts";
