/** Rules between the keys of `[store]`: where it is, who signs in, what seals it. */
import type { Settings } from "./catalogue.ts";
import { type Check, type Finding, finding } from "./finding.ts";

/** An empty one is a variable of a shell that is not set: the folder would be the store. */
export function storePathNamesAFile({ store: { path } }: Settings): readonly Finding[] {
  if (path.trim() !== "" && !/[\\/]$/.test(path)) return [];
  return [finding("store", "path", `[store] path takes the path of a file, not "${path}"`)];
}

/** A server database needs to know where it is. Source: A `[store]`. */
export function serverStoreIsNamed({ store }: Settings): readonly Finding[] {
  if (store.backend === "sqlite") return [];
  const missing: Finding[] = [];
  const needs = (key: string, value: string | undefined) => {
    if (value === undefined || value === "") {
      missing.push(finding("store", key, `[store] backend "${store.backend}" needs ${key}`));
    }
  };
  needs("server", store.server);
  needs("database", store.database);
  if (store.backend === "sqlserver" && store.auth === "sql") needs("username", store.username);
  return missing;
}

/** Integrated and Entra sign-in exist on SQL Server only. */
export function storeAuthFitsBackend({ store }: Settings): readonly Finding[] {
  if (store.backend !== "postgres" || store.auth === "sql") return [];
  return [finding("store", "auth", `[store] auth "${store.auth}" works with sqlserver only`)];
}

/**
 * What of SQL Server's ways to sign in can work: a login; a Windows account by NTLM, for Kerberos and
 * the account the engine runs under need native code; a token that somebody else got.
 */
export function sqlServerSignInIsComplete({ store }: Settings): readonly Finding[] {
  if (store.backend !== "sqlserver" || store.auth === "sql") return [];
  const found: Finding[] = [];
  if (store.auth === "integrated") {
    if (!/^[^\\]+\\[^\\]+$/.test(store.username ?? "")) {
      found.push(finding(
        "store",
        "username",
        '[store] auth "integrated" signs in by NTLM and needs a username such as "DOMAIN\\user"',
      ));
    }
    if (store.password === undefined) {
      found.push(finding(
        "store",
        "password",
        '[store] auth "integrated" needs the account\'s password in MEFOR_STORE_PASSWORD',
      ));
    }
    return found;
  }
  if (store.password === undefined) {
    found.push(finding(
      "store",
      "password",
      '[store] auth "entra" needs an access token in MEFOR_STORE_PASSWORD',
    ));
  }
  if (!store.encrypt) {
    found.push(finding("store", "encrypt", '[store] auth "entra" needs encrypt = true'));
  }
  return found;
}

/** It stands in statements, where a name of another kind would have to be written another way. */
export function sqlServerSchemaIsPlain({ store: { backend, dbSchema } }: Settings) {
  if (backend !== "sqlserver" || dbSchema === undefined) return [];
  if (/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(dbSchema)) return [];
  return [finding(
    "store",
    "db_schema",
    "[store] db_schema takes letters, digits and underscore on SQL Server, at most 128, and starts " +
      "with no digit",
  )];
}

/** AES-256 takes 32 bytes. Source: A `[store]` encryption_key. */
const STORE_KEY_BYTES = 32;

/** A key that is none would leave the store unsealed or unreadable. No finding shows any of it. */
export function storeKeysAreKeys({ store }: Settings): readonly Finding[] {
  const found: Finding[] = [];
  const want = `base64 of ${STORE_KEY_BYTES} bytes, as "messagefoundry gen-key" prints it`;
  const { encryptionKey: active, encryptionKeysRetired: retired } = store;
  if (active !== undefined && !isStoreKey(active.reveal())) {
    found.push(finding("store", "encryption_key", `MEFOR_STORE_ENCRYPTION_KEY must be ${want}`));
  }
  const former = retired?.reveal().split(",").filter((text) => text.trim() !== "") ?? [];
  const add = (message: string) => found.push(finding("store", "encryption_keys_retired", message));
  for (const [index, text] of former.entries()) {
    if (isStoreKey(text)) continue;
    add(`Key ${index + 1} of MEFOR_STORE_ENCRYPTION_KEYS_RETIRED must be ${want}`);
  }
  if (former.length > 0 && active === undefined) {
    // Otherwise what is new would lie in clear beside what is sealed.
    add("MEFOR_STORE_ENCRYPTION_KEYS_RETIRED needs MEFOR_STORE_ENCRYPTION_KEY beside it");
  }
  return found;
}

function isStoreKey(text: string): boolean {
  try {
    const key = Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
    return key.length === STORE_KEY_BYTES;
  } catch {
    return false;
  }
}

export const storeChecks: readonly Check[] = [
  storePathNamesAFile,
  serverStoreIsNamed,
  storeAuthFitsBackend,
  sqlServerSignInIsComplete,
  sqlServerSchemaIsPlain,
  storeKeysAreKeys,
];
