/** What somebody does with their own password: prove it again, or change it. */
import type { RegisterChange } from "../store/registers/mod.ts";
import type { AccountWithSecrets, Identity } from "./account.ts";
import { AuthError, invalid, notSignedIn } from "./errors.ts";
import { requireGoodPassword } from "./password_policy.ts";
import type { SignIn, SignInParts } from "./sign_in.ts";

export class OwnPassword {
  readonly #parts: SignInParts;
  readonly #signIn: SignIn;

  constructor(parts: SignInParts, signIn: SignIn) {
    this.#parts = parts;
    this.#signIn = signIn;
  }

  /**
   * Opens the window for sensitive acts. Wrong passwords do not lock the account, for whoever
   * stands at an open session could lock its owner out; the limiter bounds them.
   * @throws {AuthError} `auth.wrong_password`, `auth.busy`.
   */
  async reverify(
    { account: { id }, session }: Identity,
    password: string,
    client: string | undefined,
  ): Promise<void> {
    const account = await this.#read(id);
    await this.#signIn.inTurn(account, async () => {
      const { register, sessions } = this.#parts;
      const { ok, error } = await this.#prove(account, password);
      const facts = { ok, provider: account.provider, error };
      const isVerified = await register.commit(
        ok ? [sessions.verify(session.id, { client, hasSecondFactor: false })] : [],
        { actor: account.name, action: "auth.reauth", facts },
      );
      if (!ok || !isVerified) throw wrongPassword();
    });
  }

  /**
   * Sets another password and ends every session of the account, this one too. Ends a lock and
   * forgets failures as well, but wrong codes only where the factor was proved: whoever has the
   * password could guess codes without end otherwise.
   * @throws {AuthError} `auth.invalid`, `auth.wrong_password`, `auth.password_policy`, `auth.busy`.
   */
  async change(
    { account: { id }, session }: Identity,
    { current, next }: { readonly current: string; readonly next: string },
    client: string | undefined,
  ): Promise<void> {
    const account = await this.#read(id);
    if (account.provider !== "local") throw invalid("The directory has the password of this user");
    await this.#signIn.inTurn(account, async () => {
      const { register, sessions, hasher, settings, notices, breachList } = this.#parts;
      if (!await this.#isPassword(account, current)) {
        // Guesses at a password leave the same row wherever they are made.
        const facts = { ok: false, provider: account.provider };
        await register.commit([], { actor: account.name, action: "auth.reauth", facts });
        throw wrongPassword();
      }
      await requireGoodPassword(next, { username: account.name, settings, breachList });
      if (next === current) {
        throw new AuthError("auth.password_policy", "password must not be the present one");
      }
      const values = [await hasher.hash(next), register.now, 0, account.id];
      const forgives = !account.totp.isEnabled || session.mfaVerifiedAt !== null;
      const forgiveness: RegisterChange = { name: "clearFailures", values: [account.id] };
      const isChanged = await register.commit([
        {
          name: "requireSamePassword",
          values: [account.id, account.passwordHash],
          expect: 1,
        },
        { name: "setPassword", values, expect: 1 },
        ...(forgives ? [forgiveness] : []),
        sessions.revokeAll(account.id),
      ], { actor: account.name, action: "auth.password_changed" });
      if (!isChanged) throw wrongPassword();
      notices.tell("password_changed", account, { client });
    });
  }

  /** The password of a directory account is known to the directory alone, so that is asked. */
  async #prove(
    account: AccountWithSecrets,
    password: string,
  ): Promise<{ readonly ok: boolean; readonly error?: string }> {
    const { directory } = this.#parts;
    if (account.provider !== "ad" || directory === undefined) {
      return { ok: await this.#isPassword(account, password) };
    }
    const answer = await directory.reverify(account, password);
    return typeof answer === "boolean" ? { ok: answer } : { ok: false, error: answer.code };
  }

  async #isPassword({ passwordHash }: AccountWithSecrets, password: string): Promise<boolean> {
    const { hasher } = this.#parts;
    if (passwordHash !== null) return await hasher.verify(password, passwordHash);
    await hasher.spend(password);
    return false;
  }

  async #read(id: string): Promise<AccountWithSecrets> {
    const account = await this.#signIn.reread(id);
    if (account === undefined) throw notSignedIn();
    return account;
  }
}

function wrongPassword(): AuthError {
  return new AuthError("auth.wrong_password", "The present password is wrong");
}
