/** Enrols, proves and drops the second factor of an account. Source: spec api §2.6. */
import type { RegisterChange } from "../store/registers/mod.ts";
import { type AccountWithSecrets, accountWithSecretsOf, type Identity } from "./account.ts";
import { AuthError, invalid, notSignedIn } from "./errors.ts";
import { makeSecret, matchedStep, otpauthUri } from "./one_time_codes.ts";
import { makeRecoveryCodes, withoutCode } from "./recovery_codes.ts";
import type { SignIn, SignInParts } from "./sign_in.ts";

const US_A_MS = 1000;

export class SecondFactor {
  readonly #parts: SignInParts;
  readonly #signIn: SignIn;

  constructor(parts: SignInParts, signIn: SignIn) {
    this.#parts = parts;
    this.#signIn = signIn;
  }

  /**
   * Proves the second factor of a session with a code of the authenticator or a recovery code.
   * @throws {AuthError} `auth.wrong_code`, `auth.busy`.
   */
  verify({ account: { id }, session }: Identity, code: string, client: string | undefined) {
    return this.#inTurn(id, async (account) => {
      const { register, sessions } = this.#parts;
      const { name } = account;
      if (this.#signIn.isLocked(account)) {
        await register.commit([], {
          actor: name,
          action: "auth.mfa_failed",
          facts: { reason: "locked" },
        });
        throw wrongCode();
      }
      if (!account.totp.isEnabled) {
        // There is nothing to guess: counting would let whoever holds a token lock the owner out.
        await register.commit([], { actor: name, action: "auth.mfa_failed" });
        throw wrongCode();
      }
      const used = await this.#use(account, code);
      const isVerified = used !== undefined && await register.commit([
        used,
        { name: "clearFailures", values: [account.id] },
        sessions.verify(session.id, { client, hasSecondFactor: true }),
      ], { actor: name, action: "auth.mfa_verified" });
      if (isVerified) return;
      await this.#signIn.noteFailure(account, client, { actor: name, action: "auth.mfa_failed" });
      throw wrongCode();
    });
  }

  /** What uses a code up; undefined for a wrong one. */
  async #use(account: AccountWithSecrets, code: string): Promise<RegisterChange | undefined> {
    const { register, hasher } = this.#parts;
    if (account.totpSecret !== null) {
      const step = matchedStep(account.totpSecret, code.trim(), register.now / US_A_MS);
      if (step !== undefined) {
        return { name: "useTotpStep", values: [step, account.id], expect: 1 };
      }
    }
    const stored = account.totp.recoveryCodes;
    const rest = await withoutCode(stored, code, hasher);
    if (rest === undefined) return undefined;
    return { name: "replaceRecoveryCodes", values: [rest, account.id, stored], expect: 1 };
  }

  /**
   * Stages a secret; nothing changes for the account before `confirm()`.
   * @throws {AuthError} `auth.invalid`.
   */
  enroll({ account: { id } }: Identity): Promise<{ secret: string; uri: string }> {
    return this.#inTurn(id, async (account) => {
      const { register } = this.#parts;
      if (account.provider !== "local") throw invalid("The directory has the factors of this user");
      const secret = makeSecret();
      const isStaged = await register.commit(
        [{ name: "stageTotp", values: [secret, register.now, account.id], expect: 1 }],
        { actor: account.name, action: "auth.mfa_enroll_started" },
      );
      if (!isStaged) throw invalid("A second factor is enrolled already");
      return { secret, uri: otpauthUri(account.name, secret) };
    });
  }

  /**
   * Turns the staged secret on, when a code of it shows that the authenticator has it.
   * @throws {AuthError} `auth.code_not_accepted`, `auth.busy`.
   */
  confirm(
    { account: { id }, session }: Identity,
    code: string,
    client: string | undefined,
  ): Promise<readonly string[]> {
    return this.#inTurn(id, async (account) => {
      const { register, sessions, hasher, settings, notices } = this.#parts;
      const staged = account.totpStaged;
      const step = staged === null
        ? undefined
        : matchedStep(staged, code.trim(), register.now / US_A_MS);
      if (staged === null || step === undefined) {
        await register.commit([], {
          actor: account.name,
          action: "auth.mfa_failed",
          facts: { phase: "enroll" },
        });
        throw codeNotAccepted();
      }
      const { codes, stored } = await makeRecoveryCodes(settings.mfaRecoveryCodeCount, hasher);
      const isEnabled = await register.commit([
        {
          name: "enableTotp",
          values: [staged, stored, register.now, step, account.id],
          expect: 1,
        },
        sessions.verify(session.id, { client, hasSecondFactor: true }),
      ], { actor: account.name, action: "auth.mfa_enrolled" });
      if (!isEnabled) throw codeNotAccepted();
      notices.tell("mfa_enabled", account, { client });
      return codes;
    });
  }

  /**
   * Drops the account's own factor, and ends every session but this one: what one of them proved
   * with the former factor must not count for the next.
   */
  disable({ account: { id }, session }: Identity, client: string | undefined): Promise<void> {
    return this.#inTurn(id, async (account) => {
      const { register, sessions, notices } = this.#parts;
      await register.commit(
        [
          { name: "clearTotp", values: [register.now, account.id] },
          sessions.revokeOthers(account.id, session.id),
        ],
        { actor: account.name, action: "auth.mfa_disabled", facts: { scope: "self" } },
      );
      if (account.totp.isEnabled) notices.tell("mfa_disabled", account, { client });
    });
  }

  /** The account as it is once nobody else is at it. */
  async #inTurn<T>(id: string, act: (account: AccountWithSecrets) => Promise<T>): Promise<T> {
    const before = await this.#read(id);
    return await this.#signIn.inTurn(before, async () => act(await this.#read(id)));
  }

  async #read(id: string): Promise<AccountWithSecrets> {
    const row = await this.#parts.register.first("userById", id);
    if (row === undefined) throw notSignedIn();
    return accountWithSecretsOf(row);
  }
}

function wrongCode(): AuthError {
  return new AuthError("auth.wrong_code", "The code is wrong, was used already, or has run out");
}

function codeNotAccepted(): AuthError {
  return new AuthError("auth.code_not_accepted", "The code does not fit what was enrolled");
}
