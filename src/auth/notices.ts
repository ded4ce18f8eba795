/**
 * Notices to somebody about their own account. This room says what is to be told and to whom; what
 * sends it is handed in, and never holds up a sign-in. Source: spec api §2.10.
 */
import { errorClass } from "../errors.ts";
import type { Logger } from "../logging/mod.ts";

export type NoticeEvent =
  | "account_locked"
  | "login_after_failures"
  | "password_changed"
  | "password_reset"
  | "email_changed"
  | "roles_changed"
  | "account_disabled"
  | "mfa_enabled"
  | "mfa_disabled"
  | "admin_action_new_ip";

export interface SecurityNotice {
  readonly event: NoticeEvent;
  /** Address of the account; of a changed address the former one. */
  readonly to: string;
  readonly username: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Where it came from. */
  readonly client?: string;
  readonly failures?: number;
  readonly newEmail?: string;
}

/** Takes a notice to be sent in its own time. */
export type TakeNotice = (notice: SecurityNotice) => void;

interface Told {
  readonly name: string;
  readonly email: string | null;
}

export class Notices {
  readonly #take: TakeNotice | undefined;
  readonly #logger: Logger;
  readonly #now: () => number;

  constructor(take: TakeNotice | undefined, given: { logger: Logger; now: () => number }) {
    this.#take = take;
    this.#logger = given.logger;
    this.#now = given.now;
  }

  /** An account without an address is told nothing; its own list of events has it all. */
  tell(
    event: NoticeEvent,
    { name: username, email: to }: Told,
    more: Pick<SecurityNotice, "client" | "failures" | "newEmail"> = {},
  ): void {
    if (this.#take === undefined || to === null || to === "") return;
    try {
      this.#take({ event, to, username, at: this.#now(), ...more });
    } catch (thrown) {
      this.#logger.warning("auth.notice_failed", { notice: event, error: errorClass(thrown) });
    }
  }
}
