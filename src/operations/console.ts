/**
 * What stands in for an engine at the console of its machine: the accounts in the store, with
 * the same operations, whether an engine runs on it or not. For an installation that nobody can sign
 * in to.
 *
 * The operating system is the guard, or the database server: whoever can write the store and has its
 * key could do anything to it anyway. Source: spec api §7.3 (`admin-unlock`).
 */
import { ConsoleAccounts } from "../auth/mod.ts";
import type { Clock } from "../clock.ts";
import type { Engine } from "../engine.ts";
import type { Settings } from "../settings/mod.ts";
import type { RegisterStore } from "../store/registers/mod.ts";
import type { HasAccounts } from "./identity.ts";

export interface ConsoleOptions {
  readonly settings: Settings["auth"];
  readonly store: RegisterStore & { readonly path: string };
  readonly clock: Clock;
  readonly logger: Engine["logger"];
}

export interface Console extends HasAccounts {
  readonly auth: ConsoleAccounts;
}

export function consoleOf(options: ConsoleOptions): Console {
  const { store, clock, logger } = options;
  return { store, clock, logger, auth: new ConsoleAccounts(options) };
}
