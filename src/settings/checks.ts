/**
 * Rules between keys, each a named function with one sentence for the operator.
 *
 * A rule sees coerced, complete settings and returns what is wrong, or nothing. Rules never read
 * the world: whether a file exists or a port is free is found where it is used.
 */
import type { Settings } from "./catalogue.ts";
import { negotiatedSuites, permitsNegotiatedSuites } from "./cipher_string.ts";
import { directoryAddress } from "./directory_address.ts";
import { isListedHost, isOneHost, parseHostEntry } from "./hosts.ts";
import { mailAddress } from "./mail_address.ts";

export interface Finding {
  readonly section: string;
  readonly key: string;
  readonly message: string;
  /** The place inside an array of tables. */
  readonly path?: readonly (string | number)[];
}

export type Check = (settings: Settings) => readonly Finding[];

/** The name becomes that of a unit file, and the log files one line of it each. */
export function serviceNamesAreOneLine({ service }: Settings): readonly Finding[] {
  const found: Finding[] = [];
  const { name } = service;
  if (name !== undefined && !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(name)) {
    found.push(finding("service", "name", "[service] name takes letters, digits, -, _ and ."));
  }
  for (
    const [key, file] of [["stdout_log", service.stdoutLog], ["stderr_log", service.stderrLog]]
  ) {
    // deno-lint-ignore no-control-regex
    if (file !== undefined && (file === "" || /[\u0000-\u001f]/.test(file))) {
      found.push(finding("service", key!, `[service] ${key} takes the path of a file`));
    }
  }
  return found;
}

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

/** The runtime cannot be kept from any of its suites, so leaving one out must not look done. */
export function ciphersAreNegotiated({ api }: Settings): readonly Finding[] {
  if (api.tlsCiphers === undefined || permitsNegotiatedSuites(api.tlsCiphers)) return [];
  return [finding(
    "api",
    "tls_ciphers",
    `[api] tls_ciphers must permit every suite of TLS 1.2 that the runtime negotiates: ${
      negotiatedSuites.join(", ")
    }`,
  )];
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

/** Each becomes a permission, which is good for reaching out as well as for listening. */
export function listenersBindOneHost({ api, inbound }: Settings): readonly Finding[] {
  const named = [["api", "host", api.host], ["inbound", "bind_host", inbound.bindHost]] as const;
  return named.filter(([, , host]) => !isOneHost(host)).map(([section, key]) =>
    finding(section, key, `[${section}] ${key} takes one host name or address`)
  );
}

/** Whoever is believed here says where every request came from. Source: A `[api]`. */
export function trustedProxiesAreAddresses({ api }: Settings): readonly Finding[] {
  return api.trustedProxies.filter((entry) => !isAddress(entry)).map((entry) =>
    finding("api", "trusted_proxies", `[api] trusted_proxies takes IP addresses, not "${entry}"`)
  );
}

export function forwardingHasHost({ logging }: Settings): readonly Finding[] {
  if (!logging.forwardEnabled || logging.forwardHost !== undefined) return [];
  return [finding("logging", "forward_enabled", "[logging] forward_enabled needs forward_host")];
}

/** It becomes a permission: a pattern, a range or a port would grant something else. */
export function forwardHostIsOneHost({ logging: { forwardHost } }: Settings): readonly Finding[] {
  if (forwardHost === undefined || isOneHost(forwardHost)) return [];
  return [finding(
    "logging",
    "forward_host",
    "[logging] forward_host takes one host name or address; the port stands in forward_port",
  )];
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

/** Source: A `[auth]`. */
export function directoryIsNamed({ auth }: Settings): readonly Finding[] {
  if (!auth.adEnabled) return [];
  const missing: Finding[] = [];
  for (
    const [key, value] of [
      ["ad_server", auth.adServer],
      ["ad_user_search_base", auth.adUserSearchBase],
      ["ad_bind_dn", auth.adBindDn],
    ] as const
  ) {
    if (value === undefined || value.trim() === "") {
      missing.push(finding("auth", key, `[auth] ad_enabled needs ${key}`));
    }
  }
  // A bind without a password succeeds as nobody (RFC 4513 §5.1.2).
  if ((auth.adBindPassword?.reveal() ?? "") === "") {
    const message = "[auth] ad_enabled needs MEFOR_AUTH_AD_BIND_PASSWORD";
    missing.push(finding("auth", "ad_bind_password", message));
  }
  return missing;
}

/** A password would cross the network in the clear. Source: A `[auth]`. */
export function directoryUsesTls({ auth }: Settings): readonly Finding[] {
  const { adServer, adEnabled, adAllowInsecureLdap } = auth;
  if (!adEnabled || adServer === undefined || adServer.trim() === "") return [];
  const address = directoryAddress(adServer);
  if (address !== undefined && (address.isSecure || adAllowInsecureLdap)) return [];
  return [finding(
    "auth",
    "ad_server",
    adAllowInsecureLdap || /^ldaps:/i.test(adServer.trim())
      ? '[auth] ad_server takes an address such as "ldaps://dc1.example.org:636"'
      : '[auth] ad_server must start with "ldaps://", or ad_allow_insecure_ldap be true',
  )];
}

export function kerberosNeedsDirectory({ auth }: Settings): readonly Finding[] {
  if (!auth.kerberosEnabled || auth.adEnabled) return [];
  return [finding("auth", "kerberos_enabled", "[auth] kerberos_enabled needs ad_enabled")];
}

/** Nodes meet in a database server, and one connection would make them wait. Source: A `[cluster]`. */
export function clusterHasServerStore({ cluster, store }: Settings): readonly Finding[] {
  if (!cluster.enabled) return [];
  const found: Finding[] = [];
  if (store.backend === "sqlite") {
    found.push(finding(
      "cluster",
      "enabled",
      '[cluster] enabled needs [store] backend "postgres" or "sqlserver"',
    ));
  }
  if (store.poolSize < 2) {
    found.push(finding(
      "store",
      "pool_size",
      `[cluster] enabled needs [store] pool_size of at least 2, not ${store.poolSize}`,
    ));
  }
  return found;
}

/**
 * A leader must have stopped before its lease can end, and may miss a heartbeat before that; a node
 * that beats in time must not count as dead. Source: A `[cluster]`.
 */
export function clusterTimesAreOrdered({ cluster }: Settings): readonly Finding[] {
  const { heartbeatMs, nodeTimeoutMs, leaderFenceTimeoutMs, leaderLeaseTtlMs } = cluster;
  const found: Finding[] = [];
  const above = (key: string, ms: number, [name, lowerMs]: readonly [string, number]) => {
    if (ms > lowerMs) return;
    found.push(finding(
      "cluster",
      key,
      `[cluster] ${key} must be above ${name} (${lowerMs / 1000}), not ${ms / 1000}`,
    ));
  };
  above("node_timeout_seconds", nodeTimeoutMs, ["heartbeat_seconds", heartbeatMs]);
  above("leader_fence_timeout_seconds", leaderFenceTimeoutMs, ["heartbeat_seconds", heartbeatMs]);
  above("leader_lease_ttl_seconds", leaderLeaseTtlMs, [
    "leader_fence_timeout_seconds",
    leaderFenceTimeoutMs,
  ]);
  return found;
}

/** The address may carry a token, so it is not shown. */
export function webhookUrlIsHttp({ alerts }: Settings): readonly Finding[] {
  if (alerts.webhookUrl === undefined || webhookHost(alerts) !== undefined) return [];
  return [finding(
    "alerts",
    "webhook_url",
    '[alerts] webhook_url takes an address of one host that starts with "https://" or "http://"',
  )];
}

/** Source: A `[alerts]`: an empty list is any host. */
export function alertHostsAreAllowed({ alerts }: Settings): readonly Finding[] {
  const { webhookAllowedHosts, smtpAllowedHosts, emailSmtpHost } = alerts;
  const found: Finding[] = [];
  const host = webhookHost(alerts);
  if (host !== undefined && !isListedHost(host, webhookAllowedHosts)) {
    found.push(finding(
      "alerts",
      "webhook_url",
      `[alerts] webhook_url names host "${host}", which is not in webhook_allowed_hosts`,
    ));
  }
  if (emailSmtpHost !== undefined && !isListedHost(emailSmtpHost, smtpAllowedHosts)) {
    found.push(finding(
      "alerts",
      "email_smtp_host",
      `[alerts] email_smtp_host "${emailSmtpHost}" is not in smtp_allowed_hosts`,
    ));
  }
  return found;
}

function webhookHost({ webhookUrl }: Settings["alerts"]): string | undefined {
  const url = URL.parse(webhookUrl ?? "");
  const isWeb = url?.protocol === "https:" || url?.protocol === "http:";
  // It becomes a permission, and a URL may have a star in its host.
  return isWeb && isOneHost(url.hostname) ? url.hostname : undefined;
}

/** The transports that have all they need. Source: A `[alerts]`. */
export function alertTransports(
  { webhookUrl, emailSmtpHost, emailFrom, emailTo = [] }: Settings["alerts"],
): readonly ("webhook" | "email")[] {
  const hasMail = emailSmtpHost !== undefined && emailFrom !== undefined && emailTo.length > 0;
  return [
    ...(webhookUrl === undefined ? [] : ["webhook" as const]),
    ...(hasMail ? ["email" as const] : []),
  ];
}

/** A rule for a transport that is off would lose its alerts without a word. Source: A `[alerts]`. */
export function alertRulesReachSomeone({ alerts }: Settings): readonly Finding[] {
  const configured: readonly string[] = alertTransports(alerts);
  const needs: Readonly<Record<string, string>> = {
    webhook: "webhook_url",
    email: "email_smtp_host, email_from and email_to",
  };
  return alerts.rules.flatMap(({ transports = [] }, index) =>
    transports.filter((name) => !configured.includes(name)).map((name) => ({
      ...finding(
        "alerts",
        "rules",
        `[alerts] rules entry ${index + 1} tells "${name}", which needs ${needs[name]}`,
      ),
      path: [index, "transports"],
    }))
  );
}

/** It becomes a permission; the port stands in its own key. */
export function mailHostIsOneHost({ alerts: { emailSmtpHost } }: Settings): readonly Finding[] {
  if (emailSmtpHost === undefined || isOneHost(emailSmtpHost)) return [];
  return [finding(
    "alerts",
    "email_smtp_host",
    "[alerts] email_smtp_host takes one host name or address; the port stands in email_smtp_port",
  )];
}

/** Mail to what is no address would be lost. */
export function mailAddressesAreAddresses({ alerts }: Settings): readonly Finding[] {
  const { emailFrom, emailTo = [] } = alerts;
  const named = [
    ...(emailFrom === undefined ? [] : [["email_from", emailFrom] as const]),
    ...emailTo.map((to) => ["email_to", to] as const),
  ];
  return named.filter(([, text]) => mailAddress(text) === undefined).map(([key, text]) =>
    finding("alerts", key, `[alerts] ${key} takes addresses such as "a@example.org", not "${text}"`)
  );
}

/** The password would cross the network in the clear. */
export function mailLoginUsesTls({ alerts }: Settings): readonly Finding[] {
  if (alerts.emailUsername === undefined || alerts.emailUseTls) return [];
  return [finding("alerts", "email_use_tls", "[alerts] email_username needs email_use_tls")];
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

/** `10.0.0.1`, `fe80::1`, or a network of them: `10.0.0.0/8`. */
function isAddress(entry: string): boolean {
  const [address = "", bits, ...rest] = entry.split("/");
  if (rest.length > 0) return false;
  const isIpv6 = address.includes(":") && URL.canParse(`http://[${address}]/`);
  const isIpv4 = /^(\d{1,3})(\.\d{1,3}){3}$/.test(address) &&
    address.split(".").every((part) => Number(part) <= 255);
  if (!isIpv6 && !isIpv4) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (isIpv6 ? 128 : 32));
}

function finding(section: string, key: string, message: string): Finding {
  return { section, key, message };
}

/** Every rule, in the order its findings are shown. */
export const checks: readonly Check[] = [
  environmentNameIsPlain,
  serverStoreIsNamed,
  storeAuthFitsBackend,
  sqlServerSignInIsComplete,
  sqlServerSchemaIsPlain,
  storeKeysAreKeys,
  apiTlsHasCertificate,
  ciphersAreNegotiated,
  upstreamTlsNamesProxies,
  trustedProxiesAreAddresses,
  ackAfterIsIngest,
  listenersBindOneHost,
  directoryIsNamed,
  directoryUsesTls,
  kerberosNeedsDirectory,
  forwardingHasHost,
  forwardHostIsOneHost,
  vacuumTimeIsClockTime,
  serviceNamesAreOneLine,
  egressEntriesAreHosts,
  webhookUrlIsHttp,
  alertHostsAreAllowed,
  alertRulesReachSomeone,
  mailHostIsOneHost,
  mailAddressesAreAddresses,
  mailLoginUsesTls,
  clusterHasServerStore,
  clusterTimesAreOrdered,
];
