import assert from "node:assert/strict";
import { catalogue, type KeySpec } from "../../src/settings/mod.ts";

// Goal: the catalogue holds every key of the published reference with its default, so that a file
// written for it loads. "-" is a key without a default, "secret" one that only a variable can set.
const published: Readonly<Record<string, string>> = {
  store: `backend=sqlite path=./messagefoundry.db synchronous=normal encryption_key=secret
    encryption_keys_retired=secret key_provider=auto require_encryption=false server=- port=-
    database=- auth=sql username=- password=secret encrypt=true trust_server_certificate=false
    pool_size=5 connect_timeout=15 command_timeout=30 db_schema=- application_name=messagefoundry
    lease_ttl_seconds=60`,
  api: `host=127.0.0.1 port=8765 expose_docs=false config_reload_roots=[] tls_cert_file=-
    tls_key_file=- tls_key_password=secret tls_min_version=1.2 tls_ciphers=- tls_client_ca_file=-
    trusted_proxies=[] tls_terminated_upstream=false`,
  inbound: "bind_host=127.0.0.1",
  environments: "dir=environments base_dir=",
  reference: "refresh_interval_seconds=3600 sync_on_startup=true max_staleness_seconds=0",
  auth: `enabled=true session_idle_timeout_minutes=30 session_absolute_hours=12
    max_sessions_per_user=5 password_min_length=15 password_require_uppercase=false
    password_require_lowercase=false password_require_digit=false password_require_symbol=false
    password_check_breached=true password_check_context=true lockout_threshold=5 lockout_minutes=15
    bootstrap_expiry_hours=72 login_rate_limit_enabled=true login_rate_limit_per_ip=10
    login_rate_limit_global=60 login_rate_limit_window_seconds=60 phi_read_rate_limit_enabled=true
    phi_read_rate_limit_per_actor=120 phi_read_rate_limit_global=0
    phi_read_rate_limit_window_seconds=60 notify_security_events=true require_mfa=false
    mfa_recovery_code_count=10 admin_new_ip_step_up=false ad_enabled=false ad_server=- ad_domain=-
    ad_user_search_base=- ad_group_search_base=- ad_bind_dn=- ad_bind_password=secret
    ad_use_nested_groups=true ad_tls_verify=true ad_tls_ca_cert_file=- ad_allow_insecure_ldap=false
    kerberos_enabled=false kerberos_spn=-`,
  ai: `mode=byo data_scope=code_only environment=- data_class=- production=- provider=claude
    model=claude-opus-4-8 baa_attested=false endpoint=-`,
  logging: `level=info format=text forward_enabled=false forward_host=- forward_port=514
    forward_protocol=udp forward_format=json file=- max_bytes=- backups=-`,
  retention: `messages_days=0 dead_letter_days=0 state_max_age_days=0 audit_days=0 max_db_mb=0
    purge_interval_seconds=3600 wal_checkpoint_seconds=0 vacuum_at=`,
  delivery: `retry_max_attempts=- retry_backoff_seconds=5 retry_backoff_multiplier=2
    retry_max_backoff_seconds=300 ordering=fifo internal_error=continue buildup_max_depth=-
    buildup_max_oldest_seconds=300 outbox_workers=- dead_letter=keep`,
  pipeline: "max_correlation_depth=8",
  egress: `allowed_mllp=[] allowed_tcp=[] allowed_file_dirs=[] allowed_http=[] allowed_db=[]
    allowed_remote=[] deny_by_default=false`,
  shadow: "simulate_all_egress=false",
  alerts: `webhook_url=- webhook_timeout=10 webhook_allowed_hosts=[] email_smtp_host=-
    email_smtp_port=587 email_from=- email_to=- email_use_tls=true email_username=-
    email_password=secret email_timeout=30 smtp_allowed_hosts=[] realert_seconds=300 rules=-`,
  cert_monitor: "warn_days=30 check_interval_seconds=43200",
  cluster: `enabled=false node_id=- heartbeat_seconds=10 node_timeout_seconds=30
    reclaim_interval_seconds=30 leader_lease_ttl_seconds=30 leader_fence_timeout_seconds=20`,
  approvals: `enabled=false operations=["connection_purge","dead_letter_replay"] expiry_hours=72`,
  engine: "shutdown_timeout_seconds=30 data_dir=.",
};

/** The default as the table above writes it. */
function shownDefault(spec: KeySpec): string {
  const value: unknown = spec.type === "tables" ? undefined : spec.default;
  if (spec.secret) return "secret";
  return Array.isArray(value) ? JSON.stringify(value) : String(value ?? "-");
}

for (const [section, keys] of Object.entries(published)) {
  Deno.test(`catalogue: [${section}] has the published keys and defaults`, () => {
    const declared = catalogue.find(({ name }) => name === section)?.keys ?? {};
    for (const pair of keys.split(/\s+/)) {
      const cut = pair.indexOf("=");
      const key = pair.slice(0, cut);
      const spec = declared[key];
      assert.equal(spec && shownDefault(spec), pair.slice(cut + 1), `${section}.${key}`);
    }
  });
}
