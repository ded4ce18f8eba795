/**
 * The first administrator of an empty store: made at the start, told in a file that only the owner
 * of the store may read, retired when nobody takes it over. Source: spec api §2.4.
 */
import { join } from "node:path";
import type { Settings } from "../settings/mod.ts";
import type { Logger } from "../logging/mod.ts";
import { accountOf, nameKey } from "./account.ts";
import { grantsOf, newId } from "./accounts.ts";
import { AuthError } from "./errors.ts";
import type { PasswordHasher } from "./password_hash.ts";
import { makePassword } from "./password_policy.ts";
import { ADMINISTRATOR } from "./permissions.ts";
import type { IdentityRegister } from "./register.ts";
import type { Sessions } from "./sessions.ts";
import type { RegisterChange } from "../store/registers/mod.ts";

const USERNAME = "admin";
const ACTOR = "bootstrap";
const FILE = "bootstrap-admin.txt";
const US_AN_HOUR = 3600e6;

export interface BootstrapParts {
  readonly register: IdentityRegister;
  readonly sessions: Sessions;
  readonly hasher: PasswordHasher;
  readonly settings: Settings["auth"];
  readonly logger: Logger;
  /** Where the password file is written: beside a store that is a file. */
  readonly folder: string;
}

/**
 * Makes the first administrator when there is no account at all, or none but first ones that were
 * retired: nobody could ever sign in otherwise.
 *
 * @throws {AuthError} `auth.bootstrap_file`.
 */
export async function makeFirstAdministrator(parts: BootstrapParts): Promise<void> {
  const { register, hasher, settings, logger, folder } = parts;
  const former = (await register.rows("unclaimedUsers")).map(accountOf)
    .filter(({ isDisabled }) => isDisabled);
  if (await register.count("countUsers") > former.length) return;
  const password = makePassword(settings, USERNAME);
  const hash = await hasher.hash(password);
  // First the file: an account whose password nobody was told would shut everybody out.
  const file = join(folder, FILE);
  const told = `username: ${USERNAME}\npassword: ${password}\n`;
  writeOwnerOnly(file, told);
  const id = newId();
  const display = "Bootstrap Administrator";
  const key = nameKey(USERNAME);
  const values = [id, USERNAME, key, "local", display, null, register.now, hash, 1, 1];
  const isCreated = await register.commit([
    ...former.flatMap(({ id }): RegisterChange[] => [
      { name: "dropRolesOfUser", values: [id] },
      { name: "deleteUser", values: [id] },
    ]),
    { name: "createUser", values, expect: 1 },
    ...grantsOf(id, [ADMINISTRATOR]),
  ], { actor: ACTOR, action: "auth.bootstrap_admin_created" });
  if (isCreated) logger.info("auth.bootstrap_created", { file });
  // Another node that started at the same time made it: this password opens nothing.
  else if (Deno.readTextFileSync(file) === told) Deno.removeSync(file);
}

/** @throws {AuthError} `auth.bootstrap_file`. */
function writeOwnerOnly(file: string, text: string): void {
  try {
    try {
      Deno.removeSync(file);
    } catch (thrown) {
      if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
    }
    // Created anew and by nobody else: a link or a file that waits there would keep its own mode.
    using opened = Deno.openSync(file, { createNew: true, write: true, mode: 0o600 });
    opened.writeSync(new TextEncoder().encode(text));
    opened.syncSync();
  } catch (cause) {
    throw new AuthError("auth.bootstrap_file", `Cannot write "${file}" for the first sign-in`, {
      cause,
      hint: "Let the engine write to the folder of its store",
    });
  }
}

/** Disables the first administrator while nobody has taken it over, once it is due. */
export async function retireFirstAdministrator(parts: BootstrapParts): Promise<void> {
  const { register, sessions, settings } = parts;
  for (const row of await register.rows("unclaimedUsers")) {
    const { id, createdAt, isDisabled } = accountOf(row);
    if (isDisabled) continue;
    const isSuperseded = await register.count("otherAdministrators", id) > 0;
    const lifeUs = settings.bootstrapExpiryHours * US_AN_HOUR;
    const isExpired = lifeUs > 0 && register.now - createdAt >= lifeUs;
    if (!isSuperseded && !isExpired) continue;
    await register.commit([
      { name: "retireUnclaimed", values: [id], expect: 1 },
      sessions.revokeAll(id),
    ], {
      actor: ACTOR,
      action: "auth.bootstrap_admin_retired",
      facts: { reason: isSuperseded ? "superseded" : "expired" },
    });
  }
}

/** Whether a sign-in with this name must first look whether the account is over. */
export function mayBeFirstAdministrator(username: string): boolean {
  return nameKey(username) === USERNAME;
}
