/**
 * The accounts as the console of the machine reaches them: without sign-in, limits or notices, for
 * whoever can write the store's file.
 */
import { dirname } from "node:path";
import type { Clock } from "../clock.ts";
import type { Logger } from "../logging/mod.ts";
import type { Settings } from "../settings/mod.ts";
import type { RegisterStore } from "../store/registers/mod.ts";
import { Accounts } from "./accounts.ts";
import { type BootstrapParts, retireFirstAdministrator } from "./bootstrap.ts";
import { Notices } from "./notices.ts";
import { PasswordHasher } from "./password_hash.ts";
import { makePassword } from "./password_policy.ts";
import { IdentityRegister } from "./register.ts";
import { Sessions } from "./sessions.ts";

export interface ConsoleAccountsOptions {
  readonly settings: Settings["auth"];
  readonly store: RegisterStore & { readonly path: string };
  readonly clock: Clock;
  readonly logger: Logger;
}

export class ConsoleAccounts {
  readonly accounts: Accounts;
  readonly #bootstrap: BootstrapParts;

  constructor({ settings, store, clock, logger }: ConsoleAccountsOptions) {
    const register = new IdentityRegister({ store, clock, logger });
    const sessions = new Sessions(register, settings);
    const hasher = new PasswordHasher();
    // Mail is sent by an engine, and none may run.
    const notices = new Notices(undefined, { logger, now: () => clock.now() });
    this.accounts = new Accounts({ register, sessions, hasher, notices, settings });
    this.#bootstrap = { register, sessions, hasher, settings, logger, folder: dirname(store.path) };
  }

  /** A password that satisfies the policy, for one sign-in. */
  oneTimePassword(username: string): string {
    return makePassword(this.#bootstrap.settings, username);
  }

  /** Retires the first administrator when another one is there now. */
  afterNewAdministrator(): Promise<void> {
    return retireFirstAdministrator(this.#bootstrap);
  }
}
