import assert from "node:assert/strict";
import {
  type Check,
  checks,
  loadSettings,
  parseHostEntry,
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

const KEY = "A".repeat(43) + "=";

const refused: readonly (readonly [rule: string, env: string, sentence: RegExp])[] = [
  ["environmentNameIsPlain", "MEFOR_AI_ENVIRONMENT=../etc/passwd", /environment takes letters/],
  ["environmentNameIsPlain", "MEFOR_AI_ENVIRONMENT=.hidden", /starts with a letter/],
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
  ["ackAfterIsIngest", "MEFOR_INBOUND_ACK_AFTER=delivered", /reserved/],
  ["forwardingHasHost", "MEFOR_LOGGING_FORWARD_ENABLED=true", /needs forward_host/],
  ["vacuumTimeIsClockTime", "MEFOR_RETENTION_VACUUM_AT=24:00", /time of day/],
  ["vacuumTimeIsClockTime", "MEFOR_RETENTION_VACUUM_AT=3:30", /time of day/],
  ["egressEntriesAreHosts", "MEFOR_EGRESS_ALLOWED_MLLP=mllp://lab", /host:port/],
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
  "MEFOR_STORE_BACKEND=sqlserver MEFOR_STORE_SERVER=a MEFOR_STORE_DATABASE=b MEFOR_STORE_AUTH=integrated",
  "MEFOR_API_TLS_CERT_FILE=c.pem MEFOR_API_TLS_KEY_FILE=k.pem",
  "MEFOR_API_TLS_TERMINATED_UPSTREAM=true MEFOR_API_TRUSTED_PROXIES=10.0.0.1",
  "MEFOR_RETENTION_VACUUM_AT=03:30",
  "MEFOR_EGRESS_ALLOWED_MLLP=lab,lab:2575,[::1]:2575,::1,10.0.0.1",
];

for (const env of accepted) {
  Deno.test(`checks accept ${env}`, () => assert.deepEqual(messages(variables(env)), []));
}

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

Deno.test("checks has every rule that this file names", () => {
  const names = new Set(checks.map((check: Check) => check.name));
  for (const [rule] of refused) assert.ok(names.has(rule), rule);
});

Deno.test("parseHostEntry() reads hosts, ports and IPv6", () => {
  assert.deepEqual(parseHostEntry("Lab.Example.ORG."), {
    host: "lab.example.org",
    port: undefined,
  });
  assert.deepEqual(parseHostEntry("lab:2575"), { host: "lab", port: 2575 });
  assert.deepEqual(parseHostEntry("[FE80::1]:2575"), { host: "fe80::1", port: 2575 });
  assert.deepEqual(parseHostEntry("::1"), { host: "::1", port: undefined });
  for (const bad of ["", "lab:0", "lab:", "a b", "http://lab", "lab/x", "u@lab", "[lab]:1"]) {
    assert.equal(parseHostEntry(bad), undefined, bad);
  }
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

Deno.test("bindHostIsNamed() refuses a blank bind_host", () => {
  const file = { path: "messagefoundry.toml", text: '\n[inbound]\nbind_host = " "\n' };
  assert.throws(
    () => loadSettings({ file }),
    /messagefoundry\.toml:3: \[inbound\] bind_host must not be empty/,
  );
});
