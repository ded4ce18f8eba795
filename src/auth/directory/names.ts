/** Names in a directory: how a user is looked for, and what a group is called in the maps. */
import {
  AndFilter,
  EqualityFilter,
  ExtensibleFilter,
  type Filter,
  NotFilter,
  OrFilter,
} from "ldapts";

/** Follows `member` through groups of groups. Source: [MS-ADTS] §3.1.1.3.4.4.3. */
const IN_CHAIN = "1.2.840.113556.1.4.1941";

/** What no account is called; and a NUL would end the name for a server that reads C strings. */
const UNUSABLE = /^$|[\p{C}\p{Zl}\p{Zp}]/u;
const NAME_MAX = 256;

/** Whether somebody can have this name at all. */
export function isUsableName(name: string): boolean {
  return name.length <= NAME_MAX && !UNUSABLE.test(name);
}

/**
 * Finds the user of a name: `alice`, or `alice@ad.example.org`.
 *
 * The name goes into the request as a value of its own, never into a filter's text, so no sign in
 * it can mean anything else.
 */
export function userFilter(typed: string, domain: string | undefined): Filter {
  const suffix = domain === undefined ? "" : `@${domain.toLowerCase()}`;
  const isOurs = suffix.length > 1 && typed.length > suffix.length &&
    typed.toLowerCase().endsWith(suffix);
  const name = isOurs ? typed.slice(0, -suffix.length) : typed;
  const principal = suffix.length > 1 && !name.includes("@") ? `${name}${suffix}` : typed;
  return new AndFilter({
    filters: [
      new EqualityFilter({ attribute: "objectClass", value: "user" }),
      new NotFilter({
        filter: new EqualityFilter({ attribute: "objectClass", value: "computer" }),
      }),
      new OrFilter({
        filters: [
          new EqualityFilter({ attribute: "sAMAccountName", value: name }),
          new EqualityFilter({ attribute: "userPrincipalName", value: principal }),
        ],
      }),
    ],
  });
}

/** Finds every group that holds a user, directly or through other groups. */
export function nestedGroupsFilter(userDn: string): Filter {
  return new AndFilter({
    filters: [
      new EqualityFilter({ attribute: "objectClass", value: "group" }),
      new ExtensibleFilter({ rule: IN_CHAIN, matchType: "member", value: userDn }),
    ],
  });
}

/** As the maps compare them: a directory does not tell case apart. */
export function groupKey(name: string): string {
  return name.trim().toLowerCase();
}

/** The value of a DN's first part when that is a `CN`: `Lab, East` of `CN=Lab\, East,OU=…`. */
export function commonNameOf(dn: string): string | undefined {
  const [prefix] = /^\s*cn\s*=\s*/i.exec(dn) ?? [];
  if (prefix === undefined) return undefined;
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  for (const [part] of dn.slice(prefix.length).matchAll(/\\[0-9a-f]{2}|\\[^]|[^]/giu)) {
    if (part === "," || part === "+") break;
    if (part.length === 3 && part.startsWith("\\")) bytes.push(parseInt(part.slice(1), 16));
    else bytes.push(...encoder.encode(part.startsWith("\\") ? part.slice(1) : part));
  }
  const name = new TextDecoder().decode(Uint8Array.from(bytes)).trim();
  // A number sign begins hexadecimal of another type. Source: RFC 4514 §2.4.
  return name === "" || dn[prefix.length] === "#" ? undefined : name;
}
