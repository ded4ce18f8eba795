/**
 * What administrators do with accounts. Each act ends the sessions it concerns, and is one commit
 * with its audit row; the last enabled administrator can neither be disabled, nor demoted, nor
 * deleted, for the commit itself looks. Source: spec api §1.8.
 */
import type { Settings } from "../settings/mod.ts";
import type { RegisterChange } from "../store/registers/mod.ts";
import { type Account, accountOf, isReservedName, nameKey } from "./account.ts";
import type { BreachList } from "./breach_list.ts";
import { AuthError, invalid, notFound } from "./errors.ts";
import type { Notices } from "./notices.ts";
import type { PasswordHasher } from "./password_hash.ts";
import { makePassword, requireGoodPassword } from "./password_policy.ts";
import { ADMINISTRATOR, isBuiltInRole, noSuchRole } from "./permissions.ts";
import type { IdentityRegister } from "./register.ts";
import type { Sessions } from "./sessions.ts";

/** Who does it. */
export interface By {
  readonly name: string;
  readonly userId: string | undefined;
}

export interface NewAccount {
  readonly username: string;
  readonly password: string;
  readonly displayName: string | null;
  readonly email: string | null;
  readonly roles: readonly string[];
}

/** What is absent stays; null clears. */
export interface AccountEdit {
  readonly displayName?: string | null;
  readonly email?: string | null;
  readonly isDisabled?: boolean;
}

export interface AccountsParts {
  readonly register: IdentityRegister;
  readonly sessions: Sessions;
  readonly hasher: PasswordHasher;
  readonly notices: Notices;
  readonly settings: Settings["auth"];
  readonly breachList?: BreachList;
}

/** Signs that would make one name look like another, or like nothing. */
const UNUSABLE_NAME = /^\s|\s$|[\p{C}\p{Zl}\p{Zp}]/u;
const adminIsLeft: RegisterChange = { name: "requireAdministrator", values: [], expect: 1 };

export class Accounts {
  readonly #parts: AccountsParts;

  constructor(parts: AccountsParts) {
    this.#parts = parts;
  }

  /** By name. */
  async list(): Promise<readonly Account[]> {
    return (await this.#parts.register.rows("users")).map(accountOf);
  }

  /** @throws {AuthError} `auth.not_found`. */
  async get(id: string): Promise<Account> {
    const row = await this.#parts.register.first("userById", id);
    if (row === undefined) throw notFound("No user has this id");
    return accountOf(row);
  }

  /** By name, in whatever case. @throws {AuthError} `auth.not_found`. */
  async find(name: string): Promise<Account> {
    const row = await this.#parts.register.first("userByName", nameKey(name));
    if (row === undefined) throw notFound("No user has this name");
    return accountOf(row);
  }

  /** Whether somebody could act under this name. */
  async isActive(name: string): Promise<boolean> {
    const row = await this.#parts.register.first("userByName", nameKey(name));
    return row !== undefined && !accountOf(row).isDisabled;
  }

  /**
   * Creates a local account, whose owner has to change the password at first.
   * @throws {AuthError} `auth.password_policy`, `auth.invalid`, `auth.conflict`, `auth.busy`.
   */
  async create(by: By, account: NewAccount): Promise<Account> {
    const { register, hasher, settings, breachList } = this.#parts;
    const { username, password, displayName, email } = account;
    if (username === "" || UNUSABLE_NAME.test(username)) {
      throw invalid("A user name holds neither control characters nor blanks at its ends");
    }
    if (isReservedName(username)) throw invalid("The audit log has this name for no account");
    const roles = await this.#knownRoles(account.roles);
    await requireGoodPassword(password, { username, settings, breachList });
    const id = newId();
    const key = nameKey(username);
    const hash = await hasher.hash(password);
    const values = [id, username, key, "local", displayName, email, register.now, hash, 1, 0];
    const isCreated = await register.commit([
      { name: "createUser", values, expect: 1 },
      ...grantsOf(id, roles),
    ], { actor: by.name, action: "user.created", facts: { username, roles } });
    if (!isCreated) throw new AuthError("auth.conflict", "This user name is taken");
    return await this.get(id);
  }

  /**
   * Writes what is named and nothing else: two edits at once must not take each other back.
   * @throws {AuthError} `auth.not_found`, `auth.invalid`.
   */
  async update(by: By, id: string, edit: AccountEdit): Promise<void> {
    const { sessions, notices } = this.#parts;
    const account = await this.get(id);
    const { email = account.email, isDisabled = account.isDisabled } = edit;
    if (edit.isDisabled && by.userId === id) throw invalid("Nobody disables their own account");
    await this.#change([
      ...this.#editsOf(id, edit),
      ...(edit.isDisabled ? [sessions.revokeAll(id), adminIsLeft] : []),
    ], { actor: by.name, action: "user.updated", facts: { user_id: id } });
    if (email !== account.email) {
      notices.tell("email_changed", account, { newEmail: email ?? undefined });
    }
    if (isDisabled && !account.isDisabled) notices.tell("account_disabled", { ...account, email });
  }

  #editsOf(id: string, { displayName, email, isDisabled }: AccountEdit): RegisterChange[] {
    const { now } = this.#parts.register;
    const changes: RegisterChange[] = [];
    if (displayName !== undefined) {
      changes.push({ name: "setDisplayName", values: [displayName, now, id], expect: 1 });
    }
    if (email !== undefined) {
      changes.push({ name: "setEmail", values: [email, now, id], expect: 1 });
    }
    if (isDisabled !== undefined) {
      changes.push({ name: "setDisabled", values: [isDisabled ? 1 : 0, now, id], expect: 1 });
    }
    return changes;
  }

  /** @throws {AuthError} `auth.not_found`, `auth.invalid`. */
  async delete(by: By, id: string): Promise<void> {
    const account = await this.get(id);
    if (by.userId === id) throw invalid("Nobody deletes their own account");
    await this.#change([
      this.#parts.sessions.revokeAll(id),
      { name: "dropRolesOfUser", values: [id] },
      { name: "deleteUser", values: [id], expect: 1 },
      adminIsLeft,
    ], {
      actor: by.name,
      action: "user.deleted",
      facts: { user_id: id, username: account.name },
    });
  }

  /** Replaces the roles of a local account. @throws {AuthError} `auth.not_found`, `auth.invalid`. */
  async setRoles(by: By, id: string, given: readonly string[]): Promise<void> {
    const { sessions, notices } = this.#parts;
    const account = await this.get(id);
    if (account.provider !== "local") throw invalid("The directory gives this user its roles");
    const roles = await this.#knownRoles(given);
    await this.#change([
      { name: "dropRolesOfUser", values: [id] },
      ...grantsOf(id, roles),
      sessions.revokeAll(id),
      adminIsLeft,
    ], { actor: by.name, action: "user.roles_changed", facts: { user_id: id, roles } });
    notices.tell("roles_changed", account);
  }

  /**
   * Gives a local account a password that is shown once and has to be changed.
   * @throws {AuthError} `auth.not_found`, `auth.invalid`, `auth.busy`.
   */
  async resetPassword(by: By, id: string): Promise<string> {
    const { register, sessions, hasher, settings, notices } = this.#parts;
    const account = await this.get(id);
    if (by.userId === id) throw invalid("Change your own password with the present one");
    if (account.provider !== "local") throw invalid("The directory has the password of this user");
    const password = makePassword(settings, account.name);
    const values = [await hasher.hash(password), register.now, 1, id];
    await this.#change([
      { name: "setPassword", values, expect: 1 },
      { name: "clearFailures", values: [id] },
      sessions.revokeAll(id),
    ], {
      actor: by.name,
      action: "auth.password_reset",
      facts: { user_id: id, username: account.name },
    });
    notices.tell("password_reset", account);
    return password;
  }

  /** Ends the lock of an account and forgets its failures. @throws {AuthError} `auth.not_found`. */
  async unlock(by: By, id: string): Promise<void> {
    const account = await this.get(id);
    await this.#change([{ name: "clearFailures", values: [id], expect: 1 }], {
      actor: by.name,
      action: "auth.admin_unlocked",
      facts: { user_id: id, username: account.name },
    });
  }

  /** Takes the second factor from a local account. @throws {AuthError} `auth.not_found`, `auth.invalid`. */
  async resetFactor(by: By, id: string): Promise<void> {
    const { register, sessions, notices } = this.#parts;
    const account = await this.get(id);
    if (account.provider !== "local") throw invalid("The directory has the factors of this user");
    await this.#change([
      { name: "clearTotp", values: [register.now, id], expect: 1 },
      sessions.revokeAll(id),
    ], {
      actor: by.name,
      action: "auth.mfa_reset",
      facts: { user_id: id, username: account.name, webauthn_credentials_removed: 0 },
    });
    notices.tell("mfa_disabled", account);
  }

  /** Ends every session of an account; returns how many. @throws {AuthError} `auth.not_found`. */
  async endSessions(by: By, id: string): Promise<number> {
    const { sessions } = this.#parts;
    await this.get(id);
    const { length: count } = await sessions.of(id);
    await this.#change([sessions.revokeAll(id)], {
      actor: by.name,
      action: "auth.session_revoked",
      facts: { scope: "admin", user_id: id, count },
    });
    return count;
  }

  /** Inbounds an account may see; null: all. @throws {AuthError} `auth.not_found`. */
  async setChannelScope(by: By, id: string, given: readonly string[] | null): Promise<void> {
    const { register, sessions } = this.#parts;
    await this.get(id);
    const channels = given === null ? null : [...new Set(given)].sort();
    const scope = channels === null ? null : JSON.stringify(channels);
    await this.#change([
      { name: "setChannelScope", values: [scope, register.now, id], expect: 1 },
      sessions.revokeAll(id),
    ], {
      actor: by.name,
      action: "user.channel_scope_changed",
      facts: { user_id: id, channels: channels ?? "all" },
    });
  }

  /** @throws {AuthError} `auth.invalid`, `auth.not_found`: the commit found it otherwise. */
  async #change(
    changes: readonly RegisterChange[],
    fact: Parameters<IdentityRegister["commit"]>[1],
  ): Promise<void> {
    if (await this.#parts.register.commit(changes, fact!)) return;
    if (changes.includes(adminIsLeft)) {
      throw invalid("One enabled administrator has to be left");
    }
    throw notFound("No user has this id");
  }

  async #knownRoles(given: readonly string[]): Promise<readonly string[]> {
    const roles = [...new Set(given)].sort();
    const custom = await this.#parts.register.rows("customRoles");
    const isKnown = (id: string) => isBuiltInRole(id) || custom.some((role) => role.id === id);
    if (!roles.every(isKnown)) throw invalid(noSuchRole);
    return roles;
  }
}

/** @internal */
export function grantsOf(id: string, roles: readonly string[]): RegisterChange[] {
  return roles.map((role) => ({ name: "grantRole", values: [id, role] }));
}

export function newId(): string {
  return crypto.randomUUID().replaceAll("-", "");
}

export function isAdministrator({ roles }: Account): boolean {
  return roles.includes(ADMINISTRATOR);
}
