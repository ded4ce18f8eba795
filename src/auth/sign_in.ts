/**
 * Sign-in with name and password, and the lock that too many wrong ones close.
 *
 * Nothing a client can see tells whether a name exists: unknown, disabled, locked and directory
 * accounts cost a hash and a commit like any other. Source: spec api §2.3.
 */
import { later } from "../clock.ts";
import type { Settings } from "../settings/mod.ts";
import type { RegisterChange } from "../store/registers/mod.ts";
import { type Account, accountOf, accountWithSecretsOf, nameKey } from "./account.ts";
import { Attempts } from "./attempts.ts";
import type { BreachList } from "./breach_list.ts";
import { signInRefused } from "./errors.ts";
import { needsSecondFactor } from "./gates.ts";
import type { DirectorySignIn } from "./directory_sign_in.ts";
import type { Notices } from "./notices.ts";
import type { PasswordHasher } from "./password_hash.ts";
import type { Fact, IdentityRegister } from "./register.ts";
import type { Sessions } from "./sessions.ts";

/** Failures after which the next success is worth a notice. */
const FAILURES_TOLD = 3;
const US_A_MINUTE = 60e6;
/** More than nodes that count a failure of one account at once. */
const COUNTS_MAX = 8;
/** Who tried is not written down when there is no such account: people type passwords there. */
export const NOBODY = "anonymous";

export interface Credentials {
  readonly username: string;
  readonly password: string;
}

export interface SignedIn {
  readonly token: string;
  readonly account: Account;
  readonly mfaRequired: boolean;
}

export interface SignInParts {
  readonly register: IdentityRegister;
  readonly sessions: Sessions;
  readonly hasher: PasswordHasher;
  readonly notices: Notices;
  readonly settings: Settings["auth"];
  readonly breachList?: BreachList;
  /** Undefined without `[auth] ad_enabled`. */
  readonly directory?: DirectorySignIn;
}

export class SignIn {
  readonly #parts: SignInParts;
  readonly #attempts = new Attempts();

  constructor(parts: SignInParts) {
    this.#parts = parts;
  }

  /** @throws {AuthError} `auth.refused`, whatever was wrong; `auth.busy`. */
  signIn({ username, password }: Credentials, client: string | undefined): Promise<SignedIn> {
    const key = nameKey(username);
    return this.#attempts.run(key, async () => {
      const { register, hasher } = this.#parts;
      const row = await register.first("userByName", key);
      const account = row && accountOf(row);
      const facts = { provider: "local", client: client ?? null };
      if (!account || !canSignIn(account)) {
        await hasher.spend(password);
        const actor = account?.name ?? NOBODY;
        await register.commit([], {
          actor,
          action: "auth.login_failed",
          facts: { ...facts, reason: "unknown_or_disabled" },
        });
        throw signInRefused();
      }
      if (this.isLocked(account)) {
        await hasher.spend(password);
        await register.commit([], { actor: account.name, action: "auth.login_locked", facts });
        throw signInRefused();
      }
      if (!await hasher.verify(password, account.passwordHash!)) {
        await this.noteFailure(account, client, {
          actor: account.name,
          action: "auth.login_failed",
          facts: { ...facts, reason: "bad_password" },
        });
        throw signInRefused();
      }
      return await this.#open(account, password, client);
    });
  }

  /** Refuses at the price of any other sign-in. @throws {AuthError} `auth.refused`, `auth.busy`. */
  refuse(
    { username, password }: Credentials,
    facts: { readonly provider: string; readonly reason: string },
    client: string | undefined,
  ): Promise<never> {
    return this.#attempts.run(nameKey(username), async () => {
      const { register, hasher } = this.#parts;
      await hasher.spend(password);
      await register.commit([], {
        actor: NOBODY,
        action: "auth.login_failed",
        facts: { ...facts, client: client ?? null },
      });
      throw signInRefused();
    });
  }

  /** Runs an attempt at the account's second factor in its turn. */
  inTurn<T>(account: Account, attempt: () => Promise<T>): Promise<T> {
    return this.#attempts.run(nameKey(account.name), attempt);
  }

  isLocked({ lockedUntil }: Account): boolean {
    return lockedUntil !== null && lockedUntil > this.#parts.register.now;
  }

  /**
   * Counts a wrong password or code; the one too many locks the account. Another node may count one
   * at the same time: then both count, one after the other.
   */
  async noteFailure(account: Account, client: string | undefined, fact: Fact): Promise<void> {
    const { register, notices } = this.#parts;
    let counted: Account | undefined = account;
    for (let tries = 0; counted !== undefined && tries < COUNTS_MAX; tries++) {
      const { failures, until } = this.#afterFailure(counted);
      const values = [failures, until, counted.id, counted.failedAttempts];
      if (await register.commit([{ name: "noteFailure", values, expect: 1 }], fact)) {
        if (until !== null) notices.tell("account_locked", account, { client, failures });
        return;
      }
      counted = await this.reread(account.id);
      if (counted !== undefined && this.isLocked(counted)) break;
    }
    await register.commit([], fact);
  }

  #afterFailure({ failedAttempts, lockedUntil }: Account) {
    const { register, settings } = this.#parts;
    // A lock that has run out begins the count anew.
    const failures = lockedUntil === null ? failedAttempts + 1 : 1;
    const isLocking = failures >= settings.lockoutThreshold;
    const lockUs = settings.lockoutMinutes * US_A_MINUTE;
    const until = isLocking ? later(register.now, lockUs) : null;
    return { failures, until };
  }

  async #open(account: Account, password: string, client: string | undefined): Promise<SignedIn> {
    const { register, sessions, hasher, settings, notices } = this.#parts;
    const mfaRequired = needsSecondFactor(account, settings);
    const session = sessions.make(account.id, { client, isVerified: !mfaRequired });
    const stored = account.passwordHash!;
    // While the hash ran, somebody may have disabled the account or changed its password.
    const changes: RegisterChange[] = [
      { name: "requireSamePassword", values: [account.id, stored], expect: 1 },
      ...session.changes,
    ];
    // With a factor to come, its guesses are counted on: the password alone clears nothing.
    const clears = account.failedAttempts > 0 && !account.totp.isEnabled;
    if (clears) changes.push({ name: "clearFailures", values: [account.id] });
    if (hasher.isWeak(stored)) {
      const values = [await hasher.hash(password), account.id, stored];
      changes.push({ name: "rehashPassword", values });
    }
    const isOpen = await register.commit(changes, {
      actor: account.name,
      action: "auth.login_success",
      facts: { provider: "local", mfa_required: mfaRequired, client: client ?? null },
    });
    if (!isOpen) throw signInRefused();
    if (account.failedAttempts >= FAILURES_TOLD) {
      notices.tell("login_after_failures", account, { client, failures: account.failedAttempts });
    }
    return { token: session.token, account, mfaRequired };
  }

  /** The account as it is now, with its secrets. */
  async reread(id: string) {
    const row = await this.#parts.register.first("userById", id);
    return row && accountWithSecretsOf(row);
  }
}

function canSignIn({ isDisabled, provider, passwordHash }: Account): boolean {
  return !isDisabled && provider === "local" && passwordHash !== null;
}
