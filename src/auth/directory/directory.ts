/**
 * Asks an Active Directory who somebody is: an account of its own looks the user up, a bind as that
 * user proves the password, and the groups say what the user may do here. Source: spec api §2.7.
 *
 * Upstream: `auth/`, at sign-in and when somebody proves the password again. Downstream: the server
 * of `[auth] ad_server`. Not here: what a group means, and accounts.
 */
import type { Entry } from "ldapts";
import type { Clock } from "../../clock.ts";
import { directoryAddress, type Settings } from "../../settings/mod.ts";
import {
  DirectoryConnection,
  type DirectoryLimits,
  type DirectoryTarget,
  isBindable,
} from "./connection.ts";
import { DirectoryError, unusableAnswer } from "./errors.ts";
import { commonNameOf, groupKey, isUsableName, nestedGroupsFilter, userFilter } from "./names.ts";

type AuthSettings = Settings["auth"];

export interface DirectoryUser {
  /** As the directory writes it; people type it in their own way. */
  readonly name: string;
  readonly displayName: string | null;
  readonly email: string | null;
  /** DNs and plain names of its groups, in lower case. */
  readonly groups: ReadonlySet<string>;
}

export type DirectoryAnswer =
  | { readonly isProved: true; readonly user: DirectoryUser }
  | {
    readonly isProved: false;
    readonly reason: "unknown_or_disabled" | "bad_password";
    /** Of a user that is known. */
    readonly name?: string;
    /** Active Directory's own code of the refusal. */
    readonly data?: string;
  };

export const directoryLimits: DirectoryLimits = {
  connectMs: 5_000,
  stepMs: 5_000,
  wholeMs: 15_000,
};

/** Two answers to one name are as bad as a hundred. */
const USERS_MAX = 1;
/** Active Directory itself gives nobody more than about a thousand. */
const GROUPS_MAX = 5_000;
const USER_ATTRIBUTES = ["sAMAccountName", "userAccountControl", "displayName", "mail", "memberOf"];
/** Bit of `userAccountControl`. Source: [MS-ADTS] §2.2.16. */
const ACCOUNT_DISABLED = 2;

export interface DirectoryOptions {
  readonly settings: AuthSettings;
  readonly clock: Clock;
  readonly limits?: DirectoryLimits;
}

export class Directory {
  readonly #settings: AuthSettings;
  readonly #target: DirectoryTarget;

  private constructor(settings: AuthSettings, target: DirectoryTarget) {
    this.#settings = settings;
    this.#target = target;
  }

  /** Reads the authority's file; nothing is asked yet. @throws {DirectoryError} `directory.ca_file`. */
  static async open(
    { settings, clock, limits = directoryLimits }: DirectoryOptions,
  ): Promise<Directory> {
    const address = directoryAddress(settings.adServer);
    if (address === undefined) throw new TypeError("Settings without a directory");
    return new Directory(settings, {
      address,
      ca: await readAuthority(settings.adTlsCaCertFile),
      verifiesCertificate: settings.adTlsVerify,
      limits,
      clock,
    });
  }

  /** Proves a password and tells who it belongs to. @throws {DirectoryError} */
  async authenticate(name: string, password: string): Promise<DirectoryAnswer> {
    if (!isUsableName(name)) return { isProved: false, reason: "unknown_or_disabled" };
    if (!isBindable(password)) return { isProved: false, reason: "bad_password" };
    const deadline = this.#target.clock.monotonic() + this.#target.limits.wholeMs;
    await using service = new DirectoryConnection(this.#target, deadline);
    await this.#bindService(service);
    const entry = await this.#find(service, name);
    await using own = new DirectoryConnection(this.#target, deadline);
    if (entry === undefined || isDisabled(entry)) {
      // A user who is not there takes the directory as long as a wrong password.
      await own.bind(nobodyBelow(this.#settings.adUserSearchBase!), password);
      return { isProved: false, reason: "unknown_or_disabled" };
    }
    const bound = await own.bind(entry.dn, password);
    const user = userOf(entry);
    if (!bound.isBound) {
      return { isProved: false, reason: "bad_password", name: user.name, data: bound.data };
    }
    const groups = new Set([
      ...directGroups(entry),
      ...await this.#nestedGroups(service, entry.dn),
    ]);
    return { isProved: true, user: { ...user, groups } };
  }

  async #bindService(connection: DirectoryConnection): Promise<void> {
    const { adBindDn, adBindPassword } = this.#settings;
    const bound = await connection.bind(adBindDn!, adBindPassword!.reveal());
    if (bound.isBound) return;
    throw new DirectoryError(
      "directory.service_refused",
      "The directory refuses the account that looks users up",
      {
        reason: bound.data === undefined ? "LDAP 49" : `LDAP 49, data ${bound.data}`,
        hint: "Compare [auth] ad_bind_dn and MEFOR_AUTH_AD_BIND_PASSWORD with the directory",
      },
    );
  }

  async #find(connection: DirectoryConnection, name: string): Promise<Entry | undefined> {
    const { adUserSearchBase, adDomain } = this.#settings;
    const [entry] = await connection.search({
      base: adUserSearchBase!,
      filter: userFilter(name, adDomain),
      attributes: USER_ATTRIBUTES,
      max: USERS_MAX,
    });
    if (entry?.dn === "") throw unusableAnswer("an entry without a name");
    return entry;
  }

  async #nestedGroups(connection: DirectoryConnection, dn: string): Promise<readonly string[]> {
    const { adUseNestedGroups, adGroupSearchBase } = this.#settings;
    if (!adUseNestedGroups || adGroupSearchBase === undefined) return [];
    const entries = await connection.search({
      base: adGroupSearchBase,
      filter: nestedGroupsFilter(dn),
      attributes: ["sAMAccountName"],
      max: GROUPS_MAX,
    });
    return entries.flatMap((entry) => [entry.dn, ...textsOf(entry, "sAMAccountName")])
      .map(groupKey);
  }
}

/** @throws {DirectoryError} `directory.ca_file`. */
async function readAuthority(file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const hint = "Name a readable PEM file in [auth] ad_tls_ca_cert_file";
  let text: string;
  try {
    text = await Deno.readTextFile(file);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.name : undefined;
    throw new DirectoryError("directory.ca_file", `Cannot read "${file}"`, { reason, hint });
  }
  if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
  throw new DirectoryError("directory.ca_file", `Cannot use "${file}": it holds no certificate`, {
    hint,
  });
}

/** A name that nobody has. */
function nobodyBelow(base: string): string {
  return `CN=${crypto.randomUUID()},${base}`;
}

/** An account whose state the directory does not show is none that may sign in. */
function isDisabled(entry: Entry): boolean {
  const [text = ""] = textsOf(entry, "userAccountControl");
  if (!/^-?\d{1,10}$/.test(text)) return true;
  return (Number(text) & ACCOUNT_DISABLED) !== 0;
}

/** @throws {DirectoryError} `directory.unusable_answer`. */
function userOf(entry: Entry): Omit<DirectoryUser, "groups"> {
  const [name = ""] = textsOf(entry, "sAMAccountName");
  if (!isUsableName(name)) throw unusableAnswer("no user name");
  const [displayName = ""] = textsOf(entry, "displayName");
  const [email = ""] = textsOf(entry, "mail");
  return {
    name,
    displayName: isUsableName(displayName) ? displayName : null,
    email: isUsableName(email) ? email : null,
  };
}

function directGroups(entry: Entry): readonly string[] {
  return textsOf(entry, "memberOf").flatMap((dn) => {
    const name = commonNameOf(dn);
    return name === undefined ? [dn] : [dn, name];
  }).map(groupKey);
}

/** Values of an attribute that are text; a directory writes its name in any case. */
function textsOf(entry: Entry, attribute: string): readonly string[] {
  const wanted = attribute.toLowerCase();
  return Object.entries(entry)
    .filter(([name]) => name.toLowerCase() === wanted)
    .flatMap(([, value]) => Array.isArray(value) ? value : [value])
    .filter((value): value is string => typeof value === "string");
}
