import assert from "node:assert/strict";
import {
  catalogue,
  type KeySpec,
  loadSettings,
  SettingsError,
  variableName,
} from "../../src/settings/mod.ts";

// Goal: the catalogue holds every key of the published reference, so that a file written for it
// loads and means the same. One key a line: name, type, default, and bounds where the reference
// states them. "-" is a key without a default; a secret comes from its variable only.
const published: Readonly<Record<string, string>> = {
  store: `
    backend sqlite|postgres|sqlserver sqlite
    path text ./messagefoundry.db
    synchronous normal|full normal
    encryption_key secret -
    encryption_keys_retired secret -
    key_provider auto|env|dpapi|aws_kms|azure_kv|gcp_kms|vault|pkcs11 auto
    require_encryption bool false
    server text -
    port int - 1..65535
    database text -
    auth sql|integrated|entra sql
    username text -
    password secret -
    encrypt bool true
    trust_server_certificate bool false
    pool_size int 5
    connect_timeout int 15
    command_timeout int 30
    lease_ttl_seconds num 60 >0
    db_schema text -
    application_name text messagefoundry`,
  api: `
    host text 127.0.0.1
    port int 8765
    expose_docs bool false
    config_reload_roots list []
    tls_cert_file text -
    tls_key_file text -
    tls_key_password secret -
    tls_min_version 1.2|1.3 1.2
    tls_ciphers text -
    tls_client_ca_file text -
    trusted_proxies list []
    tls_terminated_upstream bool false
    serve_ui bool false
    public_origin text -
    ws_allowed_origins list []`,
  inbound: `
    bind_host text 127.0.0.1`,
  environments: `
    dir text environments
    base_dir text ""`,
  reference: `
    refresh_interval_seconds num 3600
    sync_on_startup bool true
    max_staleness_seconds num 0`,
  auth: `
    enabled bool true
    session_idle_timeout_minutes int 30
    session_absolute_hours int 12
    max_sessions_per_user int 5 >=0
    step_up_max_age_seconds num 300
    password_min_length int 15
    password_require_uppercase bool false
    password_require_lowercase bool false
    password_require_digit bool false
    password_require_symbol bool false
    password_check_breached bool true
    password_check_context bool true
    check_username bool true
    breach_corpus_file text -
    lockout_threshold int 5
    lockout_minutes int 15
    bootstrap_expiry_hours int 72 >=0
    login_rate_limit_enabled bool true
    login_rate_limit_per_ip int 10 >=0
    login_rate_limit_global int 60 >=0
    login_rate_limit_window_seconds num 60 >0
    phi_read_rate_limit_enabled bool true
    phi_read_rate_limit_per_actor int 120 >=0
    phi_read_rate_limit_global int 0 >=0
    phi_read_rate_limit_window_seconds num 60 >0
    notify_security_events bool true
    require_mfa bool false
    mfa_recovery_code_count int 10 0..50
    admin_new_ip_step_up bool false
    ad_enabled bool false
    ad_server text -
    ad_domain text -
    ad_user_search_base text -
    ad_group_search_base text -
    ad_bind_dn text -
    ad_bind_password secret -
    ad_use_nested_groups bool true
    ad_tls_verify bool true
    ad_tls_ca_cert_file text -
    ad_allow_insecure_ldap bool false
    kerberos_enabled bool false
    kerberos_spn text -`,
  ai: `
    mode off|byo|managed_claude|managed_claude_baa byo
    data_scope code_only|synthetic|deidentified|phi code_only
    environment text -
    data_class synthetic|phi -
    production bool -
    provider text claude
    model text claude-opus-4-8
    baa_attested bool false
    endpoint text -`,
  logging: `
    level debug|info|warning|error|critical info
    format text|json text
    forward_enabled bool false
    forward_host text -
    forward_port int 514 1..65535
    forward_protocol udp|tcp udp
    forward_format json|text json
    file text -
    max_bytes int -
    backups int -`,
  retention: `
    messages_days int 0 >=0
    dead_letter_days int 0 >=0
    state_max_age_days int 0 >=0
    audit_days int 0 >=0
    max_db_mb int 0 >=0
    purge_interval_seconds num 3600
    wal_checkpoint_seconds num 0 >=0
    vacuum_at text ""`,
  delivery: `
    retry_max_attempts int -
    retry_backoff_seconds num 5
    retry_backoff_multiplier num 2
    retry_max_backoff_seconds num 300
    ordering fifo|unordered fifo
    internal_error continue|stop continue
    buildup_max_depth int -
    buildup_max_oldest_seconds num 300 >=0
    outbox_workers int -
    dead_letter keep|drop keep`,
  pipeline: `
    max_correlation_depth int 8 >=1`,
  egress: `
    allowed_mllp list []
    allowed_tcp list []
    allowed_file_dirs list []
    allowed_http list []
    allowed_db list []
    allowed_remote list []
    deny_by_default bool false`,
  shadow: `
    simulate_all_egress bool false`,
  alerts: `
    webhook_url text -
    webhook_timeout num 10
    webhook_allowed_hosts list []
    email_smtp_host text -
    email_smtp_port int 587
    email_from text -
    email_to list -
    email_use_tls bool true
    email_username text -
    email_password secret -
    email_timeout num 30
    smtp_allowed_hosts list []
    realert_seconds num 300
    rules tables -`,
  cert_monitor: `
    warn_days int 30 >=0
    check_interval_seconds num 43200`,
  cluster: `
    enabled bool false
    node_id text -
    heartbeat_seconds num 10 >0
    node_timeout_seconds num 30 >0
    reclaim_interval_seconds num 30 >0
    leader_lease_ttl_seconds num 30 >0
    leader_fence_timeout_seconds num 20 >0`,
  approvals: `
    enabled bool false
    operations connection_purge,dead_letter_replay,config_reload connection_purge,dead_letter_replay
    expiry_hours num 72 >=0`,
  engine: `
    shutdown_timeout_seconds int 30
    data_dir text .`,
};

/** `[[alerts.rules]]`. */
const publishedRules = `
    event_type any|connection_stopped|queue_buildup|storage_threshold|cert_expiry|connection_error|message_stall|integrity_drift|update_available|backup_failed any
    connection text *
    min_depth int -
    min_oldest_seconds num -
    severity info|warning|critical warning
    transports webhook,email -
    cooldown_seconds num -`;

/** Keys of our own, and those the reference leaves to the service manager or to later. */
const ours: readonly string[] = [
  "inbound.ack_after",
  "store.tls_ca_file",
  "store.allow_unencrypted_phi",
  "egress.allowed_smtp",
  "diagnostics.response_sent",
  "diagnostics.connection_events",
  "service.name",
  "service.auto_restart",
  "service.stdout_log",
  "service.stderr_log",
  "security.encryption_at_rest",
];

interface Row {
  readonly section: string;
  readonly key: string;
  readonly type: string;
  readonly fallback: string;
  readonly bounds: string | undefined;
}

function rowsOf(section: string, text: string): readonly Row[] {
  return text.trim().split("\n").map((line) => {
    const [key = "", type = "", fallback = "", bounds] = line.trim().split(" ");
    return { section, key, type, fallback, bounds };
  });
}

const rows = Object.entries(published).flatMap(([section, text]) => rowsOf(section, text));

function specOf({ section, key }: { section: string; key: string }): KeySpec {
  const spec = catalogue.find(({ name }) => name === section)?.keys[key];
  assert.ok(spec, `${section}.${key} is not declared`);
  return spec;
}

/** Type, default and, when the reference states them, bounds, as the table writes them. */
function described(spec: KeySpec, { bounds }: Row): Omit<Row, "section" | "key"> {
  const value: unknown = spec.type === "tables" ? undefined : spec.default;
  const list = Array.isArray(value) && value.length > 0 ? value.join(",") : JSON.stringify(value);
  return {
    type: typeOf(spec),
    fallback: Array.isArray(value) ? list : value === "" ? '""' : String(value ?? "-"),
    bounds: bounds && boundsOf(spec),
  };
}

function typeOf(spec: KeySpec): string {
  if (spec.secret) return "secret";
  if (spec.type === "enum") return spec.values.join("|");
  if (spec.type === "list" && spec.values !== undefined) return spec.values.join(",");
  const names: Readonly<Record<string, string>> = {
    string: "text",
    boolean: "bool",
    integer: "int",
    number: "num",
  };
  return names[spec.type] ?? spec.type;
}

function boundsOf(spec: KeySpec): string {
  if (spec.type !== "integer" && spec.type !== "number") return "none";
  const { min, max, exclusiveMin } = spec;
  if (max !== undefined) return `${min}..${max}`;
  return exclusiveMin ? `>${min}` : `>=${min}`;
}

for (const [section, text] of Object.entries(published)) {
  Deno.test(`catalogue: [${section}] has the published keys, types, defaults and bounds`, () => {
    for (const row of rowsOf(section, text)) {
      const { type, fallback, bounds } = row;
      assert.deepEqual(described(specOf(row), row), { type, fallback, bounds }, row.key);
    }
  });
}

Deno.test("catalogue: [[alerts.rules]] has the published keys, types and defaults", () => {
  const spec = specOf({ section: "alerts", key: "rules" });
  assert.ok(spec.type === "tables");
  const expected = rowsOf("rules", publishedRules);
  assert.deepEqual(Object.keys(spec.keys), expected.map(({ key }) => key));
  for (const row of expected) {
    const { type, fallback } = row;
    assert.deepEqual(
      described(spec.keys[row.key]!, row),
      { type, fallback, bounds: undefined },
      row.key,
    );
  }
});

Deno.test("catalogue: no key beyond the published ones but those named here", () => {
  const known = new Set([...rows.map(({ section, key }) => `${section}.${key}`), ...ours]);
  const declared = catalogue.flatMap(({ name, keys }) =>
    Object.keys(keys).map((key) => `${name}.${key}`)
  );
  assert.deepEqual(declared.filter((name) => !known.has(name)), []);
  assert.deepEqual([...known].filter((name) => !declared.includes(name)), []);
});

Deno.test("catalogue: a key that names its unit has it, and the others that need one", () => {
  const units: Readonly<Record<string, string>> = { mb: "megabytes" };
  const unnamed = new Set([
    "store.connect_timeout",
    "store.command_timeout",
    "alerts.webhook_timeout",
    "alerts.email_timeout",
  ]);
  for (const { name, keys } of catalogue) {
    for (const [key, spec] of Object.entries(keys)) {
      const [, ending] = /_(seconds|minutes|hours|days|bytes|mb)$/.exec(key) ?? [];
      const expected = unnamed.has(`${name}.${key}`) ? "seconds" : units[ending ?? ""] ?? ending;
      assert.equal("unit" in spec ? spec.unit : undefined, expected, `${name}.${key}`);
    }
  }
});

/** A value the key takes that is not its default, as a variable writes it. */
function otherText(spec: KeySpec): string {
  switch (spec.type) {
    case "enum":
      return spec.values.find((value) => value !== spec.default) ?? "";
    case "boolean":
      return String(spec.default !== true);
    case "integer":
    case "number":
      return String((spec.default ?? spec.min ?? 1) + 1);
    case "list":
      return spec.values?.at(-1) ?? "10.0.0.9";
    default:
      return "other";
  }
}

function asToml(spec: KeySpec, text: string): string {
  if (spec.type === "list") return JSON.stringify([text]);
  return ["boolean", "integer", "number"].includes(spec.type) ? text : JSON.stringify(text);
}

/** Base64 of 32 bytes. */
const KEY = "A".repeat(43) + "=";

const DIRECTORY = "MEFOR_AUTH_AD_SERVER=ldaps://dc MEFOR_AUTH_AD_USER_SEARCH_BASE=b " +
  "MEFOR_AUTH_AD_BIND_DN=cn MEFOR_AUTH_AD_BIND_PASSWORD=secret";

/** What each key needs beside it, or takes in place of the value that the walk would choose. */
const company: Readonly<Record<string, string>> = {
  "store.encryption_keys_retired": `MEFOR_STORE_ENCRYPTION_KEY=${KEY}`,
  "store.backend": "MEFOR_STORE_SERVER=a MEFOR_STORE_DATABASE=b",
  "store.auth": "MEFOR_STORE_BACKEND=sqlserver MEFOR_STORE_SERVER=a MEFOR_STORE_DATABASE=b",
  "api.tls_key_file": "MEFOR_API_TLS_CERT_FILE=c",
  "api.tls_client_ca_file": "MEFOR_API_TLS_CERT_FILE=c",
  "api.tls_terminated_upstream": "MEFOR_API_TRUSTED_PROXIES=10.0.0.9",
  "logging.forward_enabled": "MEFOR_LOGGING_FORWARD_HOST=h",
  "auth.ad_enabled": DIRECTORY,
  "auth.kerberos_enabled": `MEFOR_AUTH_AD_ENABLED=1 ${DIRECTORY}`,
  "cluster.enabled": "MEFOR_STORE_BACKEND=postgres MEFOR_STORE_SERVER=a MEFOR_STORE_DATABASE=b",
};
const instead: Readonly<Record<string, string>> = {
  "store.encryption_key": KEY,
  "store.encryption_keys_retired": `b${KEY.slice(1)}`,
  "api.tls_ciphers": "DEFAULT",
  "alerts.webhook_url": "https://hooks.example.org/t",
  "alerts.email_from": "alerts@example.org",
  "alerts.email_to": "oncall@example.org",
  "retention.vacuum_at": "03:30",
};

/** The walk over every key that one value stands for. */
const single = rows.filter(({ type }) => type !== "tables");

Deno.test("loadSettings() takes every key from variable and file, in that order", () => {
  for (const row of single) {
    const { section, key } = row;
    const name = `${section}.${key}`;
    const spec = specOf(row);
    const text = instead[name] ?? otherText(spec);
    const variable = variableName(section, key);
    const env = Object.fromEntries(
      (company[name] ?? "").split(" ").filter(Boolean).map((pair) => pair.split(/=(.*)/, 2)),
    ) as Record<string, string>;
    const fileText = spec.secret ? "" : `[${section}]\n${key} = ${asToml(spec, text)}\n`;
    const file = { path: "messagefoundry.toml", text: fileText };
    const ofFile = loadSettings({ env, file });
    if (!spec.secret) assert.equal(ofFile.sources[name], "file", name);
    const ofVariable = loadSettings({ env: { ...env, [variable]: text }, file });
    assert.equal(ofVariable.sources[name], "environment", name);
    const warning = `[${section}] ${key} is accepted but not in effect in this version`;
    assert.equal(ofVariable.warnings.includes(warning), !spec.inEffect, name);
    if (spec.secret) assert.ok(!JSON.stringify(ofVariable).includes(text), name);
    else assert.deepEqual(ofVariable.settings, ofFile.settings, name);
  }
});

Deno.test("loadSettings() lets a flag win over the variable of every key", () => {
  for (const row of single) {
    const name = `${row.section}.${row.key}`;
    const spec = specOf(row);
    if (spec.flag === undefined) continue;
    const text = otherText(spec);
    const env = { [variableName(row.section, row.key)]: otherText(spec) };
    const { sources } = loadSettings({ env, flags: { [name]: text } });
    assert.equal(sources[name], "flag", name);
  }
});

// Goal: whatever key is wrong, the operator reads where it stands, what stands there and what
// would be right; and reads it for all of them at once.
Deno.test("loadSettings() tells of every key of the catalogue that is wrong, in one go", () => {
  const lines: string[] = [];
  const expected: { section: string; key: string; line: number; secret: boolean }[] = [];
  for (const [section, text] of Object.entries(published)) {
    lines.push(`[${section}]`);
    for (const row of rowsOf(section, text)) {
      const secret = specOf(row).secret === true;
      // No key takes a date.
      lines.push(`${row.key} = ${secret ? '"hunter2-hunter2"' : "2001-02-03"}`);
      expected.push({ section, key: row.key, line: lines.length, secret });
    }
  }
  assert.throws(
    () => loadSettings({ file: { path: "messagefoundry.toml", text: lines.join("\n") } }),
    (thrown) => {
      assert.ok(thrown instanceof SettingsError);
      assert.ok(!thrown.message.includes("hunter2"));
      const shown = thrown.problems.map(({ section, key, file, line }) => ({
        section,
        key,
        file,
        line,
      }));
      assert.deepEqual(
        shown,
        expected.map(({ section, key, line }) => ({
          section,
          key,
          file: "messagefoundry.toml",
          line,
        })),
      );
      for (const [index, { section, key, secret }] of expected.entries()) {
        const message = thrown.problems[index]?.message ?? "";
        if (secret) assert.ok(message.endsWith(`set ${variableName(section, key)}`), message);
        else assert.match(message, /^\[\w+\] \w+ wants .+, not a date$/);
      }
      return true;
    },
  );
});

Deno.test("loadSettings() names the nearest key for a slip in any of them", () => {
  for (const { section, key } of rows) {
    const slip = `${key}x`;
    assert.throws(
      () => loadSettings({ file: { path: "f.toml", text: `[${section}]\n\n${slip} = 1\n` } }),
      (thrown) => {
        assert.ok(thrown instanceof SettingsError);
        const [problem] = thrown.problems;
        assert.equal(problem?.line, 3);
        assert.equal(
          problem.message,
          `Unknown key "${slip}" in [${section}]; is "${key}" meant?`,
        );
        return true;
      },
    );
  }
});
