import assert from "node:assert/strict";
import { negotiatedSuites } from "../../src/settings/cipher_string.ts";
import {
  type Check,
  checks,
  loadSettings,
  postureOf,
  SettingsError,
} from "../../src/settings/mod.ts";

const variables = (text: string): Record<string, string> =>
  Object.fromEntries(
    text.split(" ").map((pair) => {
      const at = pair.indexOf("=");
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );

function messages(env: Record<string, string>): readonly string[] {
  try {
    loadSettings({ env });
    return [];
  } catch (thrown) {
    if (thrown instanceof SettingsError) return thrown.problems.map(({ message }) => message);
    throw thrown;
  }
}

const SQL_SERVER = "MEFOR_STORE_BACKEND=sqlserver MEFOR_STORE_SERVER=a MEFOR_STORE_DATABASE=b";
const postgres = "MEFOR_STORE_BACKEND=postgres MEFOR_STORE_SERVER=a MEFOR_STORE_DATABASE=b";
const directory = "MEFOR_AUTH_AD_ENABLED=true MEFOR_AUTH_AD_USER_SEARCH_BASE=dc " +
  "MEFOR_AUTH_AD_BIND_DN=cn MEFOR_AUTH_AD_BIND_PASSWORD=x";
const KEY = "A".repeat(43) + "=";

const refused: readonly (readonly [rule: string, env: string, sentence: RegExp])[] = [
  ["environmentNameIsPlain", "MEFOR_AI_ENVIRONMENT=../etc/passwd", /environment takes letters/],
  ["environmentNameIsPlain", "MEFOR_AI_ENVIRONMENT=.hidden", /starts with a letter/],
  ["storePathNamesAFile", "MEFOR_STORE_PATH=data/", /path of a file/],
  ["serverStoreIsNamed", "MEFOR_STORE_BACKEND=postgres", /needs server/],
  ["serverStoreIsNamed", "MEFOR_STORE_BACKEND=sqlserver MEFOR_STORE_SERVER=a", /needs database/],
  [
    "serverStoreIsNamed",
    "MEFOR_STORE_BACKEND=sqlserver MEFOR_STORE_SERVER=a MEFOR_STORE_DATABASE=b",
    /needs username/,
  ],
  [
    "storeAuthFitsBackend",
    "MEFOR_STORE_BACKEND=postgres MEFOR_STORE_SERVER=a MEFOR_STORE_DATABASE=b MEFOR_STORE_AUTH=entra",
    /sqlserver only/,
  ],
  [
    "sqlServerSignInIsComplete",
    `${SQL_SERVER} MEFOR_STORE_AUTH=integrated MEFOR_STORE_USERNAME=mefor MEFOR_STORE_PASSWORD=p`,
    /NTLM and needs a username such as "DOMAIN\\user"$/,
  ],
  [
    "sqlServerSignInIsComplete",
    `${SQL_SERVER} MEFOR_STORE_AUTH=integrated MEFOR_STORE_USERNAME=HOSPITAL\\mefor`,
    /needs the account's password in MEFOR_STORE_PASSWORD$/,
  ],
  ["sqlServerSignInIsComplete", `${SQL_SERVER} MEFOR_STORE_AUTH=entra`, /needs an access token/],
  [
    "sqlServerSignInIsComplete",
    `${SQL_SERVER} MEFOR_STORE_AUTH=entra MEFOR_STORE_PASSWORD=token MEFOR_STORE_ENCRYPT=false`,
    /"entra" needs encrypt = true$/,
  ],
  [
    "sqlServerSchemaIsPlain",
    `${SQL_SERVER} MEFOR_STORE_USERNAME=c MEFOR_STORE_DB_SCHEMA=a]b`,
    /db_schema takes letters, digits and underscore/,
  ],
  ["serviceNamesAreOneLine", "MEFOR_SERVICE_NAME=../x", /^\[service\] name takes letters/],
  ["serviceNamesAreOneLine", "MEFOR_SERVICE_STDOUT_LOG=a\tb", /stdout_log takes the path/],
  ["storeKeysAreKeys", "MEFOR_STORE_ENCRYPTION_KEY=hunter2", /^MEFOR_STORE_ENCRYPTION_KEY must/],
  ["storeKeysAreKeys", `MEFOR_STORE_ENCRYPTION_KEYS_RETIRED=${KEY}`, /needs MEFOR_STORE_ENCR/],
  [
    "storeKeysAreKeys",
    `MEFOR_STORE_ENCRYPTION_KEY=${KEY} MEFOR_STORE_ENCRYPTION_KEYS_RETIRED=${KEY},hunter2`,
    /^Key 2 of MEFOR_STORE_ENCRYPTION_KEYS_RETIRED must be base64 of 32 bytes/,
  ],
  ["apiTlsHasCertificate", "MEFOR_API_TLS_KEY_FILE=k.pem", /tls_key_file needs tls_cert_file/],
  ["apiTlsHasCertificate", "MEFOR_API_TLS_CLIENT_CA_FILE=k.pem", /needs tls_cert_file/],
  ["upstreamTlsNamesProxies", "MEFOR_API_TLS_TERMINATED_UPSTREAM=true", /needs trusted_proxies/],
  ["ciphersAreNegotiated", "MEFOR_API_TLS_CIPHERS=ECDHE+AESGCM", /ECDHE-RSA-CHACHA20-POLY1305/],
  ["ciphersAreNegotiated", "MEFOR_API_TLS_CIPHERS=HIGH:!aECDSA", /tls_ciphers must permit/],
  ["ciphersAreNegotiated", "MEFOR_API_TLS_CIPHERS=!ECDHE:ALL", /tls_ciphers must permit/],
  ["ciphersAreNegotiated", "MEFOR_API_TLS_CIPHERS=RSA", /tls_ciphers must permit/],
  ["trustedProxiesAreAddresses", "MEFOR_API_TRUSTED_PROXIES=10.0.0.1,proxy", /not "proxy"/],
  ["trustedProxiesAreAddresses", "MEFOR_API_TRUSTED_PROXIES=*", /takes IP addresses/],
  ["trustedProxiesAreAddresses", "MEFOR_API_TRUSTED_PROXIES=10.0.0.0/33", /takes IP addresses/],
  ["directoryIsNamed", "MEFOR_AUTH_AD_ENABLED=true", /ad_enabled needs ad_server/],
  [
    "directoryIsNamed",
    "MEFOR_AUTH_AD_ENABLED=true MEFOR_AUTH_AD_SERVER=ldaps://dc1",
    /ad_enabled needs ad_user_search_base/,
  ],
  [
    "directoryIsNamed",
    "MEFOR_AUTH_AD_ENABLED=true MEFOR_AUTH_AD_SERVER=ldaps://dc1 MEFOR_AUTH_AD_USER_SEARCH_BASE=dc",
    /ad_enabled needs ad_bind_dn/,
  ],
  [
    "directoryIsNamed",
    `${directory} MEFOR_AUTH_AD_SERVER=ldaps://dc1 MEFOR_AUTH_AD_BIND_PASSWORD=`,
    /ad_enabled needs MEFOR_AUTH_AD_BIND_PASSWORD/,
  ],
  ...[
    "ldaps://user:word@dc1",
    "ldaps://dc1/dc=example",
    "ldaps://dc1?x",
    "ldaps://",
    "ldaps://dc1:0",
    "ldaps://*.example.org",
    "ldaps://10.0.0.0%2F8",
    "https://dc1",
  ].map((server) =>
    [
      "directoryUsesTls",
      `${directory} MEFOR_AUTH_AD_SERVER=${server} MEFOR_AUTH_AD_ALLOW_INSECURE_LDAP=true`,
      /ad_server takes an address/,
    ] as const
  ),
  [
    "directoryUsesTls",
    `${directory} MEFOR_AUTH_AD_SERVER=ldap://dc1`,
    /ad_server must start with "ldaps:/,
  ],
  [
    "directoryUsesTls",
    `${directory} MEFOR_AUTH_AD_SERVER=dc1 MEFOR_AUTH_AD_ALLOW_INSECURE_LDAP=true`,
    /ad_server takes an address/,
  ],
  ["kerberosNeedsDirectory", "MEFOR_AUTH_KERBEROS_ENABLED=true", /needs ad_enabled/],
  ["webhookUrlIsHttp", "MEFOR_ALERTS_WEBHOOK_URL=hooks.example.org", /takes an address/],
  ["webhookUrlIsHttp", "MEFOR_ALERTS_WEBHOOK_URL=file:///etc/passwd", /takes an address/],
  ["webhookUrlIsHttp", "MEFOR_ALERTS_WEBHOOK_URL=https://*.example.org/t", /of one host/],
  ["mailHostIsOneHost", "MEFOR_ALERTS_EMAIL_SMTP_HOST=10.0.0.0/8", /one host name or address/],
  ["mailHostIsOneHost", "MEFOR_ALERTS_EMAIL_SMTP_HOST=smtp.example.org:25", /in email_smtp_port/],
  ["mailAddressesAreAddresses", "MEFOR_ALERTS_EMAIL_TO=a@b.org,oncall", /email_to .*not "oncall"/],
  ["mailAddressesAreAddresses", "MEFOR_ALERTS_EMAIL_FROM=a@b.org;c@d.org", /email_from takes/],
  [
    "mailLoginUsesTls",
    "MEFOR_ALERTS_EMAIL_USERNAME=me MEFOR_ALERTS_EMAIL_USE_TLS=false",
    /email_username needs email_use_tls/,
  ],
  [
    "alertHostsAreAllowed",
    "MEFOR_ALERTS_WEBHOOK_URL=https://a.org/t MEFOR_ALERTS_WEBHOOK_ALLOWED_HOSTS=b.org",
    /host "a\.org", which is not in webhook_allowed_hosts/,
  ],
  [
    "alertHostsAreAllowed",
    "MEFOR_ALERTS_EMAIL_SMTP_HOST=a.org MEFOR_ALERTS_SMTP_ALLOWED_HOSTS=b.org",
    /"a\.org" is not in smtp_allowed_hosts/,
  ],
  ["clusterHasServerStore", "MEFOR_CLUSTER_ENABLED=true", /needs \[store\] backend "postgres"/],
  [
    "clusterHasServerStore",
    `MEFOR_CLUSTER_ENABLED=true ${postgres} MEFOR_STORE_POOL_SIZE=1`,
    /pool_size of at least 2, not 1/,
  ],
  [
    "clusterTimesAreOrdered",
    "MEFOR_CLUSTER_NODE_TIMEOUT_SECONDS=10",
    /node_timeout_seconds must be above heartbeat_seconds \(10\), not 10/,
  ],
  [
    "clusterTimesAreOrdered",
    "MEFOR_CLUSTER_LEADER_FENCE_TIMEOUT_SECONDS=5",
    /leader_fence_timeout_seconds must be above heartbeat_seconds/,
  ],
  [
    "clusterTimesAreOrdered",
    "MEFOR_CLUSTER_LEADER_LEASE_TTL_SECONDS=20",
    /leader_lease_ttl_seconds must be above leader_fence_timeout_seconds \(20\), not 20/,
  ],
  ["ackAfterIsIngest", "MEFOR_INBOUND_ACK_AFTER=delivered", /reserved/],
  ["forwardingHasHost", "MEFOR_LOGGING_FORWARD_ENABLED=true", /needs forward_host/],
  ["forwardHostIsOneHost", "MEFOR_LOGGING_FORWARD_HOST=*.example.org", /takes one host name/],
  ["forwardHostIsOneHost", "MEFOR_LOGGING_FORWARD_HOST=10.0.0.0/8", /takes one host name/],
  ["forwardHostIsOneHost", "MEFOR_LOGGING_FORWARD_HOST=siem:514", /stands in forward_port/],
  ["forwardHostIsOneHost", "MEFOR_LOGGING_FORWARD_HOST=a.org,b.org", /takes one host name/],
  ["vacuumTimeIsClockTime", "MEFOR_RETENTION_VACUUM_AT=24:00", /time of day/],
  ["vacuumTimeIsClockTime", "MEFOR_RETENTION_VACUUM_AT=3:30", /time of day/],
  ["listenersBindOneHost", "MEFOR_API_HOST=10.0.0.0/8", /\[api\] host takes one host/],
  ["listenersBindOneHost", "MEFOR_INBOUND_BIND_HOST=*", /\[inbound\] bind_host takes one host/],
  ["listenersBindOneHost", "MEFOR_INBOUND_BIND_HOST=lab:2575", /bind_host takes one host/],
  ["egressEntriesAreHosts", "MEFOR_EGRESS_ALLOWED_MLLP=mllp://lab", /host:port/],
  ["egressEntriesAreHosts", "MEFOR_EGRESS_ALLOWED_MLLP=*.example.org", /host:port/],
  ["egressEntriesAreHosts", "MEFOR_EGRESS_ALLOWED_MLLP=10.0.0.0/8", /host:port/],
  ["egressEntriesAreHosts", "MEFOR_EGRESS_ALLOWED_HTTP=lab:99999", /host:port/],
];

for (const [rule, env, sentence] of refused) {
  Deno.test(`${rule}() refuses ${env}`, () => {
    const found = messages(variables(env));
    assert.ok(found.some((message) => sentence.test(message)), found.join("\n"));
  });
}

const accepted = [
  `MEFOR_STORE_ENCRYPTION_KEY=${KEY} MEFOR_STORE_ENCRYPTION_KEYS_RETIRED=${KEY},${KEY},`,
  "MEFOR_AI_ENVIRONMENT=acme-test.2",
  "MEFOR_STORE_BACKEND=postgres MEFOR_STORE_SERVER=a MEFOR_STORE_DATABASE=b",
  "MEFOR_STORE_BACKEND=sqlserver MEFOR_STORE_SERVER=a MEFOR_STORE_DATABASE=b MEFOR_STORE_USERNAME=c",
  `${SQL_SERVER} MEFOR_STORE_AUTH=integrated MEFOR_STORE_USERNAME=HOSPITAL\\mefor MEFOR_STORE_PASSWORD=p`,
  `${SQL_SERVER} MEFOR_STORE_AUTH=entra MEFOR_STORE_PASSWORD=token MEFOR_STORE_DB_SCHEMA=mefor_1`,
  "MEFOR_API_TLS_CERT_FILE=c.pem MEFOR_API_TLS_KEY_FILE=k.pem",
  "MEFOR_API_TLS_TERMINATED_UPSTREAM=true MEFOR_API_TRUSTED_PROXIES=10.0.0.1",
  "MEFOR_LOGGING_FORWARD_ENABLED=true MEFOR_LOGGING_FORWARD_HOST=siem.hospital.local",
  "MEFOR_LOGGING_FORWARD_HOST=10.0.0.1",
  "MEFOR_LOGGING_FORWARD_HOST=::1",
  "MEFOR_LOGGING_FORWARD_HOST=[2001:db8::7]",
  "MEFOR_API_TLS_CIPHERS=DEFAULT",
  "MEFOR_API_TLS_CIPHERS=HIGH:!aNULL:!MD5",
  "MEFOR_API_TLS_CIPHERS=ECDHE+AESGCM:ECDHE+CHACHA20",
  `MEFOR_API_TLS_CIPHERS=${negotiatedSuites.join(":")}`,
  "MEFOR_API_TRUSTED_PROXIES=10.0.0.1,fd00::1,192.168.0.0/16",
  `${directory} MEFOR_AUTH_AD_SERVER=ldaps://dc1:636 MEFOR_AUTH_KERBEROS_ENABLED=true`,
  `${directory} MEFOR_AUTH_AD_SERVER=ldap://dc1 MEFOR_AUTH_AD_ALLOW_INSECURE_LDAP=true`,
  "MEFOR_ALERTS_EMAIL_SMTP_HOST=smtp.example.org MEFOR_ALERTS_EMAIL_USERNAME=me",
  "MEFOR_ALERTS_EMAIL_SMTP_HOST=[::1] MEFOR_ALERTS_EMAIL_USE_TLS=false",
  "MEFOR_ALERTS_WEBHOOK_URL=http://[::1]:8080/t",
  "MEFOR_ALERTS_EMAIL_FROM=alerts@b.org MEFOR_ALERTS_EMAIL_TO=a@b.org,c.d+e@f.org",
  "MEFOR_ALERTS_WEBHOOK_URL=https://A.org/t MEFOR_ALERTS_WEBHOOK_ALLOWED_HOSTS=a.org",
  "MEFOR_ALERTS_WEBHOOK_URL=https://[0::1]/t MEFOR_ALERTS_WEBHOOK_ALLOWED_HOSTS=::1",
  `MEFOR_CLUSTER_ENABLED=true ${postgres}`,
  "MEFOR_CLUSTER_HEARTBEAT_SECONDS=1 MEFOR_CLUSTER_LEADER_FENCE_TIMEOUT_SECONDS=2",
  "MEFOR_RETENTION_VACUUM_AT=03:30",
  "MEFOR_EGRESS_ALLOWED_MLLP=lab,lab:2575,[::1]:2575,::1,10.0.0.1",
];

for (const env of accepted) {
  Deno.test(`checks accept ${env}`, () => assert.deepEqual(messages(variables(env)), []));
}

/** Rules over what only a file can hold, tested below. */
const elsewhere = ["alertRulesReachSomeone"];

Deno.test("storeKeysAreKeys() shows no key and collects with other problems", () => {
  const keys = [`${KEY}AA`, KEY.replace("=", ""), "short", "MSH|^~", "A".repeat(44)];
  for (const key of keys) {
    const found = messages({
      MEFOR_STORE_ENCRYPTION_KEY: key,
      MEFOR_STORE_ENCRYPTION_KEYS_RETIRED: `${KEY},${key}`,
      MEFOR_RETENTION_VACUUM_AT: "24:00",
    });
    assert.equal(found.length, 3, key);
    assert.ok(!found.some((message) => message.includes(key.slice(0, 5))), key);
  }
});

Deno.test("checks and this file name the same rules", () => {
  const names = new Set(checks.map((check: Check) => check.name));
  for (const [rule] of refused) assert.ok(names.has(rule), rule);
  const tested = new Set([...refused.map(([rule]) => rule), ...elsewhere]);
  for (const name of names) assert.ok(tested.has(name), `${name} has no test`);
});

// Goal: the table of A [ai]: names we know imply a posture, any other name states both parts.
Deno.test("postureOf() derives built-in names and demands both parts of a custom one", () => {
  const of = (env: string) => postureOf(loadSettings({ env: variables(env) }).settings.ai);
  const posture = (environment: string, dataClass: "phi" | "synthetic", production: boolean) => ({
    posture: { environment, dataClass, production },
  });
  assert.deepEqual(of("MEFOR_AI_ENVIRONMENT=dev"), posture("dev", "synthetic", false));
  assert.deepEqual(of("MEFOR_AI_ENVIRONMENT=staging"), posture("staging", "phi", false));
  assert.deepEqual(of("MEFOR_AI_ENVIRONMENT=prod"), posture("prod", "phi", true));
  assert.deepEqual(
    of("MEFOR_AI_ENVIRONMENT=dev MEFOR_AI_DATA_CLASS=phi"),
    posture("dev", "phi", false),
  );
  assert.deepEqual(
    of("MEFOR_AI_ENVIRONMENT=poc MEFOR_AI_DATA_CLASS=synthetic MEFOR_AI_PRODUCTION=false"),
    posture("poc", "synthetic", false),
  );
  for (
    const env of [
      "MEFOR_AI_ENVIRONMENT=poc",
      "MEFOR_AI_ENVIRONMENT=poc MEFOR_AI_DATA_CLASS=phi",
      "MEFOR_AI_DATA_CLASS=phi",
    ]
  ) assert.ok("problem" in of(env), env);
});

Deno.test("postureOf() is not fooled by names of Object.prototype", () => {
  const { settings } = loadSettings({ env: { MEFOR_AI_ENVIRONMENT: "constructor" } });
  assert.equal(settings.ai.production, undefined);
  assert.ok("problem" in postureOf(settings.ai));
});

Deno.test("listenersBindOneHost() refuses a blank bind_host and says where it stands", () => {
  const file = { path: "messagefoundry.toml", text: '\n[inbound]\nbind_host = " "\n' };
  assert.throws(
    () => loadSettings({ file }),
    /messagefoundry\.toml:3: \[inbound\] bind_host takes one host name or address/,
  );
});

// Goal: a rule cannot lose an alert by naming a transport that is not set up.
Deno.test("alertRulesReachSomeone() names the rule whose transport is off, and its line", () => {
  const rules = [
    "[alerts]",
    'email_smtp_host = "mail.example.org"',
    "[[alerts.rules]]",
    "transports = []",
    "[[alerts.rules]]",
    'transports = ["email", "webhook"]',
  ];
  const load = (lines: readonly string[]) =>
    loadSettings({ file: { path: "messagefoundry.toml", text: lines.join("\n") } });
  assert.throws(() => load(rules), (thrown) => {
    assert.ok(thrown instanceof SettingsError);
    assert.deepEqual(thrown.problems.map(({ line, message }) => [line, message]), [
      [
        6,
        '[alerts] rules entry 2 tells "email", which needs email_smtp_host, email_from and email_to',
      ],
      [6, '[alerts] rules entry 2 tells "webhook", which needs webhook_url'],
    ]);
    return true;
  });
  const whole = [
    "[alerts]",
    'webhook_url = "https://hooks.example.org/t"',
    'email_from = "a@example.org"',
    'email_to = ["b@example.org"]',
    ...rules.slice(1),
  ];
  assert.equal(load(whole).settings.alerts.rules.length, 2);
});
