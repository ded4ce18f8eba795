/**
 * Rules between keys, each a named function with one sentence for the operator.
 *
 * A rule sees coerced, complete settings and returns what is wrong, or nothing. Rules never read
 * the world: whether a file exists or a port is free is found where it is used.
 */
import { alertChecks } from "./alert_checks.ts";
import type { Settings } from "./catalogue.ts";
import { negotiatedSuites, permitsNegotiatedSuites } from "./cipher_string.ts";
import { directoryAddress } from "./directory_address.ts";
import { type Check, type Finding, finding } from "./finding.ts";
import { isOneHost, parseHostEntry } from "./hosts.ts";
import { storeChecks } from "./store_checks.ts";

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

/** Every rule, in the order its findings are shown. */
export const checks: readonly Check[] = [
  environmentNameIsPlain,
  ...storeChecks,
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
  ...alertChecks,
  clusterHasServerStore,
  clusterTimesAreOrdered,
];
