/** What `messagefoundry admin` does, by operations that the API performs too. */
import {
  type Actor,
  type Console,
  createUser,
  resetUserFactor,
  resetUserPassword,
  unlockUser,
  updateUser,
} from "../operations/mod.ts";
import type { AdminAct } from "./admin.ts";

export interface AdminInput {
  readonly console: Console;
  readonly actor: Actor;
  /** A name. */
  readonly user: string;
  /** Ids, for a new account. */
  readonly roles: readonly string[] | undefined;
}

/** The result as JSON has it and as people read it. A password is in both, and nowhere else. */
export interface Told {
  readonly shown: unknown;
  readonly lines: readonly string[];
}

const ROLE = "administrator";

export const acts: Readonly<Record<AdminAct, (input: AdminInput) => Promise<Told>>> = {
  list,

  async create({ console, actor, user, roles = [ROLE] }) {
    const password = console.auth.oneTimePassword(user);
    const account = { username: user, password, displayName: null, email: null, roles };
    const made = await createUser.perform({ engine: console, actor }, account);
    return withPassword("create", user, {
      password,
      line: `The account "${user}" is there: ${made.roles.join(", ") || "no role"}.`,
    });
  },

  async unlock(input) {
    await unlockUser.perform(actOf(input), await idOf(input));
    return done(input, "unlock", "is not locked, and its failures are forgotten");
  },

  async enable(input) {
    const { id } = await idOf(input);
    await updateUser.perform(actOf(input), { id, edit: { isDisabled: false } });
    return done(input, "enable", "is enabled");
  },

  async "reset-password"(input) {
    const { user } = input;
    const password = await resetUserPassword.perform(actOf(input), await idOf(input));
    return withPassword("reset-password", user, {
      password,
      line: `"${user}" has a new password; its sessions have ended, and a lock has.`,
    });
  },

  async "clear-mfa"(input) {
    await resetUserFactor.perform(actOf(input), await idOf(input));
    return done(input, "clear-mfa", "has no second factor; its sessions have ended");
  },
};

async function list({ console }: AdminInput): Promise<Told> {
  const now = console.clock.now() * 1000;
  const shown = (await console.auth.accounts.list()).map((account) => ({
    username: account.name,
    auth_provider: account.provider,
    roles: account.roles,
    disabled: account.isDisabled,
    locked: account.lockedUntil !== null && account.lockedUntil > now,
    failed_attempts: account.failedAttempts,
    must_change_password: account.mustChangePassword,
    mfa_enabled: account.totp.isEnabled,
  }));
  const width = Math.max(0, ...shown.map(({ username }) => username.length));
  const lines = shown.map((one) => {
    const notes = [
      one.auth_provider === "ad" && "directory",
      one.disabled && "disabled",
      one.locked && "locked",
      one.must_change_password && "must change its password",
      one.mfa_enabled && "second factor",
    ].filter((note) => note !== false);
    const roles = one.roles.join(", ") || "no role";
    return `${one.username.padEnd(width)}  ${[roles, ...notes].join("; ")}`;
  });
  return { shown, lines: lines.length === 0 ? ["There are no accounts"] : lines };
}

function actOf({ console, actor }: AdminInput) {
  return { engine: console, actor };
}

/** @throws {AuthError} `auth.not_found`. */
async function idOf({ console, user }: AdminInput): Promise<{ readonly id: string }> {
  const { id } = await console.auth.accounts.find(user);
  return { id };
}

function done({ user }: AdminInput, op: AdminAct, what: string): Told {
  return { shown: { op, username: user }, lines: [`"${user}" ${what}.`] };
}

function withPassword(
  op: AdminAct,
  username: string,
  { password, line }: { readonly password: string; readonly line: string },
): Told {
  return {
    shown: { op, username, temp_password: password, must_change_password: true },
    lines: [
      line,
      `One-time password: ${password}`,
      "It is shown this once, and has to be changed at the first sign-in.",
    ],
  };
}
