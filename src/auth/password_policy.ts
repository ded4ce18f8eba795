/**
 * What a local password must be, and what it must not hold. Length comes first; classes of
 * characters are for who has to demand them. Source: NIST SP 800-63B §5.1.1.2; spec api §2.2.
 */
import type { Settings } from "../settings/mod.ts";
import common from "./data/common_passwords.json" with { type: "json" };
import type { BreachList } from "./breach_list.ts";
import { AuthError } from "./errors.ts";

type AuthSettings = Settings["auth"];

const commonPasswords: ReadonlySet<string> = new Set(
  common.passwords.flatMap((line) => line.split(" ")),
);

/** What anybody would try first here. */
const contextWords = [
  "messagefoundry",
  "mefor",
  "mllp",
  "hl7",
  "corepoint",
  "mirth",
  "rhapsody",
  "changeme",
  "bootstrap",
  "admin",
  "administrator",
  "password",
];
/** A shorter name is in too many words. */
const USERNAME_CHARS_MIN = 4;

/** Clauses that go after "password must"; none when it is good. `isListed`: by a list of one's own. */
export function violationsOf(
  password: string,
  { username, settings, isListed = false }: {
    readonly username: string;
    readonly settings: AuthSettings;
    readonly isListed?: boolean;
  },
): readonly string[] {
  const lower = password.toLowerCase();
  const name = username.toLowerCase();
  const rules: readonly (readonly [boolean, string])[] = [
    [
      [...password].length < settings.passwordMinLength,
      `have at least ${settings.passwordMinLength} characters`,
    ],
    [settings.passwordRequireUppercase && !/\p{Lu}/u.test(password), "hold an upper-case letter"],
    [settings.passwordRequireLowercase && !/\p{Ll}/u.test(password), "hold a lower-case letter"],
    [settings.passwordRequireDigit && !/\p{Nd}/u.test(password), "hold a digit"],
    [settings.passwordRequireSymbol && !/[^\p{L}\p{N}\s]/u.test(password), "hold a symbol"],
    [
      settings.passwordCheckBreached && (isListed || commonPasswords.has(lower)),
      "not be a common or breached password",
    ],
    [
      settings.checkUsername && name.length >= USERNAME_CHARS_MIN && lower.includes(name),
      "not hold the user name",
    ],
    [
      settings.passwordCheckContext && contextWords.some((word) => lower.includes(word)),
      "not hold words of this product or its field",
    ],
  ];
  return rules.filter(([isBroken]) => isBroken).map(([, clause]) => clause);
}

/** @throws {AuthError} `auth.password_policy`, with every clause; `auth.breach_list`. */
export async function requireGoodPassword(
  password: string,
  { username, settings, breachList }: {
    readonly username: string;
    readonly settings: AuthSettings;
    /** Undefined without `[auth] breach_corpus_file`. */
    readonly breachList?: BreachList;
  },
): Promise<void> {
  const isListed = settings.passwordCheckBreached && await breachList?.has(password);
  const clauses = violationsOf(password, { username, settings, isListed });
  if (clauses.length === 0) return;
  throw new AuthError("auth.password_policy", `password must ${clauses.join("; ")}`);
}

/** What a password field takes, in characters. */
const PASSWORD_CHARS_MAX = 1024;

/** 43 or more characters nobody has used before. */
export function makePassword(settings: AuthSettings, username: string): string {
  const bytes = new Uint8Array(
    Math.min(PASSWORD_CHARS_MAX * 3 / 4, Math.max(32, settings.passwordMinLength)),
  );
  for (;;) {
    crypto.getRandomValues(bytes);
    const password = bytes.toBase64({ alphabet: "base64url", omitPadding: true });
    // A class of characters may be missing by chance, a short word be there.
    if (violationsOf(password, { username, settings }).length === 0) return password;
  }
}
