/** Everything about who somebody is, behind one handle; the engine opens and closes it. */
import { dirname } from "node:path";
import type { Clock } from "../clock.ts";
import { errorClass } from "../errors.ts";
import type { Logger } from "../logging/mod.ts";
import { directoryAddress, type Settings } from "../settings/mod.ts";
import type { Store } from "../store/store.ts";
import type { Identity } from "./account.ts";
import { Accounts } from "./accounts.ts";
import {
  type BootstrapParts,
  makeFirstAdministrator,
  mayBeFirstAdministrator,
  retireFirstAdministrator,
} from "./bootstrap.ts";
import { BreachList } from "./breach_list.ts";
import { Directory } from "./directory/mod.ts";
import { DirectorySignIn } from "./directory_sign_in.ts";
import { AuthError, signInRefused } from "./errors.ts";
import {
  isFromNewAddress,
  requireFreshPassword,
  requireSecondFactor,
  stepUpRequired,
} from "./gates.ts";
import { Notices, type TakeNotice } from "./notices.ts";
import { OwnPassword } from "./own_password.ts";
import { PasswordHasher } from "./password_hash.ts";
import { ADMINISTRATOR, type Permission } from "./permissions.ts";
import { RateLimit } from "./rate_limit.ts";
import { IdentityRegister } from "./register.ts";
import { Roles } from "./roles.ts";
import { SecondFactor } from "./second_factor.ts";
import { Sessions } from "./sessions.ts";
import { type Credentials, type SignedIn, SignIn } from "./sign_in.ts";

export interface AuthOptions {
  readonly settings: Settings["auth"];
  readonly store: Pick<Store, "submit" | "register" | "path">;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Sends notices; without it nobody is told. */
  readonly takeNotice?: TakeNotice;
  /** Where the first password is written; absent: beside the store's file. */
  readonly bootstrapDir?: string;
}

const REAP_MS = 3_600_000;
/** Addresses of sessions that were told of; more are told again. */
const ADDRESSES_MAX = 10_000;

export class Auth implements Disposable {
  readonly accounts: Accounts;
  readonly roles: Roles;
  readonly sessions: Sessions;
  readonly ownPassword: OwnPassword;
  readonly secondFactor: SecondFactor;
  readonly settings: Settings["auth"];
  readonly #register: IdentityRegister;
  readonly #signIn: SignIn;
  readonly #directory: DirectorySignIn | undefined;
  readonly #notices: Notices;
  readonly #breachList: BreachList | undefined;
  readonly #logger: Logger;
  readonly #loginLimit: RateLimit;
  readonly #readLimit: RateLimit;
  readonly #bootstrap: BootstrapParts;
  /** Session and address of each refusal for a new address that was told. */
  readonly #toldAddresses = new Set<string>();
  readonly #reaper: ReturnType<typeof setInterval>;

  /**
   * Opens the accounts of a store; makes the first administrator of an empty one.
   * @throws {AuthError} `auth.bootstrap_file`, `auth.breach_list`.
   * @throws {DirectoryError} `directory.ca_file`.
   * @throws {StoreError}
   */
  static async open(options: AuthOptions): Promise<Auth> {
    const { settings, clock, logger } = options;
    const directory = settings.adEnabled ? await Directory.open({ settings, clock }) : undefined;
    if (directory !== undefined) warnOfDirectory(settings, logger);
    const { breachCorpusFile: listed, passwordCheckBreached } = settings;
    const breachList = listed !== undefined && passwordCheckBreached
      ? await BreachList.open(listed)
      : undefined;
    const auth = new Auth(options, directory, breachList);
    try {
      await makeFirstAdministrator(auth.#bootstrap);
      await retireFirstAdministrator(auth.#bootstrap);
      await auth.sessions.reap();
      return auth;
    } catch (thrown) {
      auth[Symbol.dispose]();
      throw thrown;
    }
  }

  private constructor(
    { settings, store, clock, logger, takeNotice, bootstrapDir }: AuthOptions,
    directory: Directory | undefined,
    breachList: BreachList | undefined,
  ) {
    const register = new IdentityRegister({ store, clock, logger });
    const sessions = new Sessions(register, settings);
    const notices = new Notices(settings.notifySecurityEvents ? takeNotice : undefined, {
      logger,
      now: () => clock.now(),
    });
    const roles = new Roles(register);
    this.#directory = directory &&
      new DirectorySignIn({ directory, register, sessions, roles, notices, logger, clock });
    const parts = {
      register,
      sessions,
      hasher: new PasswordHasher(),
      notices,
      settings,
      breachList,
      directory: this.#directory,
    };
    this.#breachList = breachList;
    this.settings = settings;
    this.sessions = sessions;
    this.accounts = new Accounts(parts);
    this.roles = roles;
    this.#signIn = new SignIn(parts);
    this.ownPassword = new OwnPassword(parts, this.#signIn);
    this.secondFactor = new SecondFactor(parts, this.#signIn);
    this.#bootstrap = { ...parts, logger, folder: bootstrapDir ?? dirname(store.path) };
    this.#register = register;
    this.#notices = notices;
    this.#logger = logger;
    this.#loginLimit = new RateLimit({
      isOn: settings.loginRateLimitEnabled,
      perKey: settings.loginRateLimitPerIp,
      global: settings.loginRateLimitGlobal,
      windowMs: settings.loginRateLimitWindowMs,
    }, clock);
    this.#readLimit = new RateLimit({
      isOn: settings.phiReadRateLimitEnabled,
      perKey: settings.phiReadRateLimitPerActor,
      global: settings.phiReadRateLimitGlobal,
      windowMs: settings.phiReadRateLimitWindowMs,
    }, clock);
    this.#reaper = setInterval(() => void this.#reap(), REAP_MS);
    Deno.unrefTimer(this.#reaper as unknown as number);
  }

  /** @throws {AuthError} `auth.refused`, `auth.busy`. */
  async signIn(credentials: Credentials, client: string | undefined): Promise<SignedIn> {
    if (mayBeFirstAdministrator(credentials.username)) {
      await retireFirstAdministrator(this.#bootstrap);
    }
    return await this.#signIn.signIn(credentials, client);
  }

  /** Whether a directory is asked who somebody is. */
  get hasDirectory(): boolean {
    return this.#directory !== undefined;
  }

  /**
   * Signs in with a directory's password. Without a directory the answer to everybody is the one to
   * a wrong password.
   * @throws {AuthError} `auth.refused`, `auth.busy`.
   */
  async signInWithDirectory(
    credentials: Credentials,
    client: string | undefined,
  ): Promise<SignedIn> {
    if (this.#directory === undefined) {
      const facts = { provider: "ad", reason: "not_configured" };
      return await this.#signIn.refuse(credentials, facts, client);
    }
    const signedIn = await this.#directory.signIn(credentials, client);
    if (signedIn.account.roles.includes(ADMINISTRATOR)) await this.afterNewAdministrator();
    return signedIn;
  }

  /** Single sign-on is not built. @throws {AuthError} `auth.refused`. */
  async refuseNegotiation(client: string | undefined): Promise<never> {
    await this.#register.commit([], {
      actor: "anonymous",
      action: "auth.login_failed",
      facts: { provider: "kerberos", reason: "not_configured", client: client ?? null },
    });
    throw signInRefused();
  }

  /** Retires the first administrator when another one is there now. */
  afterNewAdministrator(): Promise<void> {
    return retireFirstAdministrator(this.#bootstrap);
  }

  /** Whom a token names; see `Sessions.identify()`. */
  identify(token: string, isUse = true): Promise<Identity | undefined> {
    return this.sessions.identify(token, isUse);
  }

  async signOut({ account, session }: Identity): Promise<void> {
    await this.#register.commit([this.sessions.revoke(session.id, account.id)], {
      actor: account.name,
      action: "auth.logout",
    });
  }

  /** Ends one session of one's own. @throws {AuthError} `auth.not_found`. */
  async endOwnSession({ account }: Identity, id: string): Promise<void> {
    const change = { ...this.sessions.revoke(id, account.id), expect: 1 };
    const isEnded = await this.#register.commit([change], {
      actor: account.name,
      action: "auth.session_revoked",
      facts: { scope: "self", session: id.slice(0, 12) },
    });
    if (!isEnded) throw new AuthError("auth.not_found", "No session has this id");
  }

  /** Ends every session of one's own but this one; returns how many. */
  async endOtherSessions({ account, session }: Identity): Promise<number> {
    const all = await this.sessions.of(account.id);
    const count = all.filter(({ id }) => id !== session.id).length;
    await this.#register.commit([this.sessions.revokeOthers(account.id, session.id)], {
      actor: account.name,
      action: "auth.session_revoked",
      facts: { scope: "self_others", count },
    });
    return count;
  }

  /** Counts an attempt to prove oneself. @throws {AuthError} `auth.too_many_attempts`. */
  admitAttempt(client: string | undefined): void {
    if (this.#loginLimit.admits(client ?? "")) return;
    this.#logger.warning("auth.login_throttled", { client });
    throw new AuthError("auth.too_many_attempts", "Too many attempts; try again in a minute");
  }

  /** Counts a look at messages. @throws {AuthError} `auth.too_many_reads`. */
  admitRead({ account }: Identity): void {
    if (this.#readLimit.admits(account.id)) return;
    this.#logger.warning("auth.read_throttled", { actor: account.name });
    throw new AuthError("auth.too_many_reads", "Too many messages were read; try again soon");
  }

  /**
   * Lets a sensitive act through for a session that has proved enough of itself just now.
   * @throws {AuthError} `auth.mfa_required`, `auth.step_up_required`.
   */
  async requireStepUp(
    identity: Identity,
    { client, path, wantsFactor }: {
      readonly client: string | undefined;
      /** Pattern of the route; for the audit log. */
      readonly path: string;
      /** False where the factor itself is enrolled. */
      readonly wantsFactor: boolean;
    },
  ): Promise<void> {
    if (wantsFactor) requireSecondFactor(identity, this.settings);
    if (isFromNewAddress(identity, client, this.settings)) {
      await this.#tellNewAddress(identity, client!, path);
      throw stepUpRequired();
    }
    requireFreshPassword(identity, this.#register.now, this.settings);
  }

  async #tellNewAddress({ account, session }: Identity, client: string, path: string) {
    const key = `${session.id} ${client}`;
    if (this.#toldAddresses.has(key)) {
      this.#logger.info("auth.new_address_again", { actor: account.name, client });
      return;
    }
    if (this.#toldAddresses.size >= ADDRESSES_MAX) this.#toldAddresses.clear();
    this.#toldAddresses.add(key);
    await this.#register.commit([], {
      actor: account.name,
      action: "auth.admin_action_new_ip",
      facts: { path, known_ip: session.verifiedIp, seen_ip: client },
    });
    this.#notices.tell("admin_action_new_ip", account, { client });
  }

  /** Writes down that somebody was refused for want of a permission. */
  async noteDenied({ name }: { readonly name: string }, permission: Permission, path: string) {
    await this.#register.commit([], {
      actor: name,
      action: "auth.permission_denied",
      facts: { permission, path },
    });
  }

  async #reap(): Promise<void> {
    try {
      await this.sessions.reap();
      await retireFirstAdministrator(this.#bootstrap);
    } catch (thrown) {
      this.#logger.warning("auth.reap_failed", { error: errorClass(thrown) });
    }
  }

  [Symbol.dispose](): void {
    clearInterval(this.#reaper);
    this.#breachList?.[Symbol.dispose]();
  }
}

/** What an operator should know of a directory that is asked with less than it offers. */
function warnOfDirectory(settings: Settings["auth"], logger: Logger): void {
  const { adServer, adTlsVerify, adUseNestedGroups, adGroupSearchBase } = settings;
  if (directoryAddress(adServer)?.isSecure !== true) {
    logger.warning("auth.directory_insecure", {
      reason: "passwords cross the network in the clear",
    });
  } else if (!adTlsVerify) {
    logger.warning("auth.directory_insecure", { reason: "anybody may pose as the directory" });
  }
  if (adUseNestedGroups && adGroupSearchBase === undefined) {
    logger.warning("auth.directory_groups_direct", { reason: "ad_group_search_base is not set" });
  }
}
