/**
 * Sign-in with a directory's password. The directory says who somebody is and which groups hold
 * them; every sign-in makes the account here what the maps make of that. Source: spec api §2.7.
 *
 * A client sees one refusal, whatever the cause, and only at fixed marks of time: how long the
 * directory took would tell whether a name exists.
 */
import type { Clock } from "../clock.ts";
import type { Logger } from "../logging/mod.ts";
import type { RegisterChange, RegisterRow } from "../store/registers/mod.ts";
import { type Account, accountOf, isReservedName, nameKey, stringsOf } from "./account.ts";
import { grantsOf, newId } from "./accounts.ts";
import { Attempts } from "./attempts.ts";
import { type Directory, DirectoryError, type DirectoryUser } from "./directory/mod.ts";
import { signInRefused } from "./errors.ts";
import type { Notices } from "./notices.ts";
import { ADMINISTRATOR } from "./permissions.ts";
import type { Fact, IdentityRegister } from "./register.ts";
import type { Roles } from "./roles.ts";
import type { Sessions } from "./sessions.ts";
import { type Credentials, NOBODY, type SignedIn } from "./sign_in.ts";

/** Refusals are answered at whole multiples of this after the request. */
const REFUSAL_MARK_MS = 250;
/** Somebody else may create or change the same account at once. */
const COMMITS_MAX = 3;
/** In the scope map: every channel. */
const EVERY_CHANNEL = "*";

export interface DirectorySignInParts {
  readonly directory: Directory;
  readonly register: IdentityRegister;
  readonly sessions: Sessions;
  readonly roles: Roles;
  readonly notices: Notices;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** What the maps say of somebody's groups. */
interface Mapped {
  /** Sorted. */
  readonly roles: readonly string[];
  /** JSON list of channels, or null for all; undefined: the maps say nothing. */
  readonly scope: string | null | undefined;
}

type Refused = Pick<Fact, "actor" | "action"> & {
  readonly facts: Readonly<Record<string, string>>;
};

export class DirectorySignIn {
  readonly #parts: DirectorySignInParts;
  readonly #attempts = new Attempts();

  constructor(parts: DirectorySignInParts) {
    this.#parts = parts;
  }

  /** @throws {AuthError} `auth.refused`, whatever was wrong; `auth.busy`. */
  signIn(credentials: Credentials, client: string | undefined): Promise<SignedIn> {
    return this.#attempts.run(nameKey(credentials.username), async () => {
      const begun = this.#parts.clock.monotonic();
      const result = await this.#trySignIn(credentials, client);
      if ("token" in result) return result;
      const { actor, action, facts } = result;
      await this.#parts.register.commit([], {
        actor,
        action,
        facts: { provider: "ad", ...facts, client: client ?? null },
      });
      await this.#untilMark(begun);
      throw signInRefused();
    });
  }

  /**
   * Proves the password of a directory account once more, by a bind; returns the error when the
   * directory could not say.
   */
  async reverify(account: Account, password: string): Promise<boolean | DirectoryError> {
    try {
      const answer = await this.#parts.directory.authenticate(account.name, password);
      return answer.isProved && nameKey(answer.user.name) === nameKey(account.name);
    } catch (thrown) {
      return this.#told(thrown);
    }
  }

  async #trySignIn(
    { username, password }: Credentials,
    client: string | undefined,
  ): Promise<SignedIn | Refused> {
    let answer;
    try {
      answer = await this.#parts.directory.authenticate(username, password);
    } catch (thrown) {
      const { code } = this.#told(thrown);
      return { actor: NOBODY, action: "auth.login_error", facts: { error: code } };
    }
    if (answer.isProved) return await this.#open(answer.user, client);
    const { reason, name, data } = answer;
    const facts = { reason, ...(data !== undefined && { data }) };
    const actor = name === undefined ? NOBODY : actorOf(name, await this.#known(name));
    return { actor, action: "auth.login_failed", facts };
  }

  async #known(name: string): Promise<Account | undefined> {
    const row = await this.#parts.register.first("userByName", nameKey(name));
    return row && accountOf(row);
  }

  /** Logs what is wrong with the directory. Anything else is a defect of ours, and thrown. */
  #told(thrown: unknown): DirectoryError {
    if (!(thrown instanceof DirectoryError)) throw thrown;
    const { code, reason, hint } = thrown;
    this.#parts.logger.warning("auth.directory_failed", { code, reason, hint });
    return thrown;
  }

  /** Makes the account what the directory says, and opens its session, in one commit. */
  async #open(user: DirectoryUser, client: string | undefined): Promise<SignedIn | Refused> {
    const { register, sessions, notices } = this.#parts;
    const mapped = await this.#map(user.groups);
    for (let tries = 0; tries < COMMITS_MAX; tries++) {
      const row = await register.first("userByName", nameKey(user.name));
      const known = row && accountOf(row);
      const actor = actorOf(user.name, known);
      const refusal = refusalOf(known, user);
      if (refusal !== undefined) {
        return { actor, action: "auth.login_failed", facts: { reason: refusal } };
      }
      const id = known?.id ?? newId();
      const { changes, facts, isChanged } = syncOf({
        id,
        actor,
        user,
        mapped,
        row,
        now: register.now,
      });
      const session = sessions.make(id, { client, isVerified: true });
      const isOpen = await register.commit(
        [
          ...changes,
          ...(isChanged ? [sessions.revokeAll(id)] : []),
          ...session.changes,
        ],
        ...facts,
        {
          actor,
          action: "auth.login_success",
          facts: { provider: "ad", roles: mapped.roles, client: client ?? null },
        },
      );
      if (!isOpen) continue;
      if (known !== undefined) tellChanges(notices, { known, user, mapped });
      const account = accountOf((await register.first("userById", id))!);
      return { token: session.token, account, mfaRequired: false };
    }
    const actor = actorOf(user.name, await this.#known(user.name));
    return { actor, action: "auth.login_error", facts: { error: "auth.busy" } };
  }

  async #map(groups: ReadonlySet<string>): Promise<Mapped> {
    const { roles } = this.#parts;
    const granted = (await roles.groupRoles()).filter(({ group }) => groups.has(group));
    const ids = [...new Set(granted.map(({ role }) => role))].sort();
    const scopes = (await roles.groupScopes()).filter(({ group }) => groups.has(group));
    const channels = [...new Set(scopes.map(({ channel }) => channel))].sort();
    // Administrators see everything; whoever no group scopes keeps what an administrator set.
    if (channels.length === 0 || ids.includes(ADMINISTRATOR)) {
      return { roles: ids, scope: undefined };
    }
    const isAll = channels.includes(EVERY_CHANNEL);
    return { roles: ids, scope: isAll ? null : JSON.stringify(channels) };
  }

  #untilMark(begun: number): Promise<void> {
    const passed = this.#parts.clock.monotonic() - begun;
    const waitMs = REFUSAL_MARK_MS - passed % REFUSAL_MARK_MS;
    return new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

/**
 * Who a user of the directory is in the audit log: the name of the account, which stays when the
 * directory writes the user in another case, so that all rows of one account are under one name.
 */
function actorOf(name: string, known: Account | undefined): string {
  return known?.provider === "ad" && isSameName(known, name) ? known.name : name;
}

/** Two users of the directory whose names only look alike are not one account. */
function isSameName(known: Account, name: string): boolean {
  return known.name.toLowerCase() === name.toLowerCase();
}

/** Why somebody the directory vouches for has no account here. */
function refusalOf(known: Account | undefined, user: DirectoryUser): string | undefined {
  if (known === undefined) return isReservedName(user.name) ? "reserved_name" : undefined;
  if (known.provider !== "ad") return "local_account_conflict";
  if (!isSameName(known, user.name)) return "account_conflict";
  return known.isDisabled ? "unknown_or_disabled" : undefined;
}

function syncOf(
  { id, actor, user, mapped, row, now }: {
    readonly id: string;
    /** The account's name here. */
    readonly actor: string;
    readonly user: DirectoryUser;
    readonly mapped: Mapped;
    /** The account as it is; undefined at the first sign-in. */
    readonly row: RegisterRow | undefined;
    readonly now: number;
  },
): { changes: readonly RegisterChange[]; facts: readonly Fact[]; isChanged: boolean } {
  const { name, displayName, email } = user;
  const changes: RegisterChange[] = [];
  const facts: Fact[] = [];
  if (row === undefined) {
    const values = [id, name, nameKey(name), "ad", displayName, email, now, null, 0, 0];
    changes.push({ name: "createUser", values, expect: 1 });
  } else {
    changes.push({ name: "syncDirectoryUser", values: [displayName, email, now, id], expect: 1 });
  }
  const from = stringsOf(row?.role_ids).toSorted();
  const { roles: to, scope } = mapped;
  if (from.join() !== to.join()) {
    changes.push({ name: "dropRolesOfUser", values: [id] }, ...grantsOf(id, to));
    facts.push({ actor, action: "auth.ad_roles_resynced", facts: { from, to } });
  }
  if (scope !== undefined && scope !== (row?.channel_scope ?? null)) {
    changes.push({ name: "setChannelScope", values: [scope, now, id], expect: 1 });
    const channels = scope === null ? "all" : stringsOf(scope);
    facts.push({ actor, action: "auth.ad_scope_resynced", facts: { channels } });
  }
  return { changes, facts, isChanged: row !== undefined && facts.length > 0 };
}

function tellChanges(
  notices: Notices,
  { known, user, mapped }: {
    readonly known: Account;
    readonly user: DirectoryUser;
    readonly mapped: Mapped;
  },
): void {
  if (known.roles.join() !== mapped.roles.join()) notices.tell("roles_changed", known);
  if (known.email !== user.email) {
    notices.tell("email_changed", known, { newEmail: user.email ?? undefined });
  }
}
