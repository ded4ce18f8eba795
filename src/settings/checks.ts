/**
 * Rules between keys, each a named function with one sentence for the operator.
 *
 * A rule sees coerced, complete settings and returns what is wrong, or nothing. Rules never read
 * the world: whether a file exists or a port is free is found where it is used.
 */
import type { Settings } from "./catalogue.ts";

export interface Finding {
  readonly section: string;
  readonly key: string;
  readonly message: string;
}

export type Check = (settings: Settings) => readonly Finding[];

/** The name becomes a file name, so it may not walk the tree. */
export function environmentNameIsPlain({ ai }: Settings): readonly Finding[] {
  const name = ai.environment;
  if (name === undefined || /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) return [];
  return [finding(
    "ai",
    "environment",
    "[ai] environment takes letters, digits, dot, dash and underscore, at most 64, and starts " +
      "with a letter or digit",
  )];
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

/** A key or a client CA without a certificate would be silently useless. */
export function apiTlsHasCertificate({ api }: Settings): readonly Finding[] {
  if (api.tlsCertFile !== undefined) return [];
  const found: Finding[] = [];
  if (api.tlsKeyFile !== undefined) {
    found.push(finding("api", "tls_key_file", "[api] tls_key_file needs tls_cert_file"));
  }
  if (api.tlsClientCaFile !== undefined) {
    found.push(
      finding("api", "tls_client_ca_file", "[api] tls_client_ca_file needs tls_cert_file"),
    );
  }
  return found;
}

/** Believing that a proxy terminates TLS means knowing the proxy. */
export function upstreamTlsNamesProxies({ api }: Settings): readonly Finding[] {
  if (!api.tlsTerminatedUpstream || api.trustedProxies.length > 0) return [];
  return [finding(
    "api",
    "tls_terminated_upstream",
    "[api] tls_terminated_upstream needs trusted_proxies",
  )];
}

/** The reserved value must not look as if it worked. */
export function ackAfterIsIngest({ inbound }: Settings): readonly Finding[] {
  if (inbound.ackAfter === "ingest") return [];
  return [finding(
    "inbound",
    "ack_after",
    '[inbound] ack_after "delivered" is reserved; messages are acknowledged after "ingest"',
  )];
}

export function bindHostIsNamed({ inbound }: Settings): readonly Finding[] {
  if (inbound.bindHost.trim() !== "") return [];
  return [finding("inbound", "bind_host", "[inbound] bind_host must not be empty")];
}

export function forwardingHasHost({ logging }: Settings): readonly Finding[] {
  if (!logging.forwardEnabled || logging.forwardHost !== undefined) return [];
  return [finding("logging", "forward_enabled", "[logging] forward_enabled needs forward_host")];
}

export function vacuumTimeIsClockTime({ retention }: Settings): readonly Finding[] {
  const at = retention.vacuumAt;
  if (at === "" || /^([01]\d|2[0-3]):[0-5]\d$/.test(at)) return [];
  return [finding(
    "retention",
    "vacuum_at",
    '[retention] vacuum_at takes a time of day such as "03:30", or nothing',
  )];
}

/** An entry that can match nothing would close a door nobody meant to close. */
export function egressEntriesAreHosts({ egress }: Settings): readonly Finding[] {
  const lists = {
    allowed_mllp: egress.allowedMllp,
    allowed_tcp: egress.allowedTcp,
    allowed_http: egress.allowedHttp,
    allowed_db: egress.allowedDb,
    allowed_remote: egress.allowedRemote,
    allowed_smtp: egress.allowedSmtp,
  };
  const found: Finding[] = [];
  for (const [key, entries] of Object.entries(lists)) {
    for (const entry of entries) {
      if (parseHostEntry(entry) === undefined) {
        found.push(finding(
          "egress",
          key,
          `[egress] ${key} takes "host" or "host:port" entries, not "${entry}"`,
        ));
      }
    }
  }
  return found;
}

/** An `[egress]` entry: a host, and a port when only that one is allowed. */
export interface HostEntry {
  readonly host: string;
  readonly port: number | undefined;
}

/**
 * Reads `host`, `host:port`, `::1` or `[::1]:2575`; returns undefined for anything else. The host
 * comes back in lower case, without brackets and without a final dot.
 */
export function parseHostEntry(entry: string): HostEntry | undefined {
  const bracketed = /^\[([0-9A-Fa-f:.]+)\](?::(\d{1,5}))?$/.exec(entry);
  const plain = /^([^\s:[\]/@]+)(?::(\d{1,5}))?$/.exec(entry);
  const bareIpv6 = /^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/.test(entry);
  const match = bracketed ?? plain;
  if (match === null) return bareIpv6 ? { host: entry.toLowerCase(), port: undefined } : undefined;
  const port = match[2] === undefined ? undefined : Number(match[2]);
  if (port !== undefined && (port < 1 || port > 65535)) return undefined;
  return { host: (match[1] ?? "").toLowerCase().replace(/\.$/, ""), port };
}

function finding(section: string, key: string, message: string): Finding {
  return { section, key, message };
}

/** Every rule, in the order its findings are shown. */
export const checks: readonly Check[] = [
  environmentNameIsPlain,
  serverStoreIsNamed,
  storeAuthFitsBackend,
  storeKeysAreKeys,
  apiTlsHasCertificate,
  upstreamTlsNamesProxies,
  ackAfterIsIngest,
  bindHostIsNamed,
  forwardingHasHost,
  vacuumTimeIsClockTime,
  egressEntriesAreHosts,
];
