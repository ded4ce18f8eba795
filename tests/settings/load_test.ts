import assert from "node:assert/strict";
import { loadSettings, SettingsError, type SettingsInput } from "../../src/settings/mod.ts";

const FILE = "messagefoundry.toml";

function fromFile(text: string, more: Omit<SettingsInput, "file"> = {}) {
  return loadSettings({ ...more, file: { path: FILE, text } });
}

function problemsOf(act: () => unknown): SettingsError["problems"] {
  try {
    act();
  } catch (thrown) {
    if (thrown instanceof SettingsError) return thrown.problems;
    throw thrown;
  }
  return [];
}

Deno.test("loadSettings() without anything is the defaults, frozen", () => {
  const { settings, sources, warnings } = loadSettings({});
  assert.equal(settings.store.path, "./messagefoundry.db");
  assert.equal(settings.api.port, 8765);
  assert.equal(settings.inbound.bindHost, "127.0.0.1");
  assert.equal(settings.delivery.retryMaxAttempts, undefined);
  assert.equal(settings.delivery.retryBackoffMs, 5_000);
  assert.equal(settings.delivery.retryMaxBackoffMs, 300_000);
  assert.equal(settings.delivery.buildupMaxOldestMs, 300_000);
  assert.equal(settings.pipeline.maxCorrelationDepth, 8);
  assert.deepEqual(settings.egress.allowedMllp, []);
  assert.equal(settings.egress.denyByDefault, false);
  assert.equal(settings.ai.environment, undefined);
  assert.equal(settings.ai.production, undefined);
  assert.equal(sources["store.path"], "default");
  assert.deepEqual(warnings, []);
  assert.throws(() => Object.assign(settings.api, { port: 1 }), TypeError);
  assert.throws(() => Object.assign(settings.egress.allowedMllp, ["x"]), TypeError);
});

Deno.test("loadSettings() prefers flag, then variable, then file, then default", () => {
  const text = "[api]\nport = 1000\nhost = '10.0.0.1'\n[store]\npath = 'file.db'\n";
  const env = { MEFOR_API_PORT: "2000", MEFOR_API_HOST: "10.0.0.2" };
  const { settings, sources } = fromFile(text, { env, flags: { "api.port": "3000" } });
  assert.equal(settings.api.port, 3000);
  assert.equal(settings.api.host, "10.0.0.2");
  assert.equal(settings.store.path, "file.db");
  assert.equal(settings.logging.level, "info");
  assert.deepEqual(
    ["api.port", "api.host", "store.path", "logging.level"].map((key) => sources[key]),
    ["flag", "environment", "file", "default"],
  );
});

Deno.test("loadSettings() takes an empty variable for one that is not set", () => {
  const text = "[egress]\nallowed_mllp = ['lab.example.org:2575']\n";
  const { settings } = fromFile(text, { env: { MEFOR_EGRESS_ALLOWED_MLLP: "" } });
  assert.deepEqual(settings.egress.allowedMllp, ["lab.example.org:2575"]);
});

Deno.test("loadSettings() splits a list variable at commas and reads boolean words", () => {
  const env = {
    MEFOR_EGRESS_ALLOWED_MLLP: "lab:6661, ehr:6662 ,",
    MEFOR_EGRESS_DENY_BY_DEFAULT: "Yes",
    MEFOR_SHADOW_SIMULATE_ALL_EGRESS: "0",
  };
  const { settings } = loadSettings({ env });
  assert.deepEqual(settings.egress.allowedMllp, ["lab:6661", "ehr:6662"]);
  assert.equal(settings.egress.denyByDefault, true);
  assert.equal(settings.shadow.simulateAllEgress, false);
});

Deno.test("loadSettings() names the nearest section and key, with their lines", () => {
  const text = "[stroe]\npath = 'x'\n\n[delivery]\nretry_max_atempts = 3\n[zzzzzz]\n";
  const problems = problemsOf(() => fromFile(text));
  assert.deepEqual(problems.map(({ message, line }) => [line, message]), [
    [1, "Unknown section [stroe]; is [store] meant?"],
    [5, 'Unknown key "retry_max_atempts" in [delivery]; is "retry_max_attempts" meant?'],
    [6, "Unknown section [zzzzzz]"],
  ]);
  assert.ok(problems.every(({ file }) => file === FILE));
});

Deno.test("loadSettings() collects every wrong value with section, key, line and value", () => {
  const text = [
    "[api]", // 1
    'port = "abc"', // 2
    "[delivery]", // 3
    "ordering = 'lifo'", // 4
    "retry_backoff_seconds = true", // 5
    "[egress]", // 6
    "allowed_mllp = [1]", // 7
    "[logging]", // 8
    "level = 3", // 9
  ].join("\n");
  const error = (() => {
    try {
      fromFile(text, { env: { MEFOR_PIPELINE_MAX_CORRELATION_DEPTH: "0" } });
    } catch (thrown) {
      return thrown;
    }
  })();
  assert.ok(error instanceof SettingsError);
  assert.equal(error.code, "settings.invalid");
  const byKey = new Map(error.problems.map((problem) => [problem.key, problem]));
  assert.equal(byKey.get("port")?.line, 2);
  assert.equal(
    byKey.get("port")?.message,
    '[api] port wants a whole number from 0 to 65535, not "abc"',
  );
  assert.equal(byKey.get("ordering")?.line, 4);
  assert.equal(byKey.get("retry_backoff_seconds")?.line, 5);
  assert.equal(byKey.get("allowed_mllp")?.line, 7);
  assert.equal(byKey.get("level")?.line, 9);
  assert.equal(byKey.get("max_correlation_depth")?.file, undefined);
  assert.match(
    byKey.get("max_correlation_depth")?.message ?? "",
    /of at least 1, not "0" \(from MEFOR_PIPELINE_MAX_CORRELATION_DEPTH\)/,
  );
  assert.equal(error.problems.length, 6);
  for (const { message } of error.problems) assert.ok(error.message.includes(message));
});

Deno.test("loadSettings() refuses a secret in the file and never shows it", () => {
  const secret = "hunter2-hunter2";
  for (const value of [`'${secret}'`, `['${secret}']`]) {
    const text = `[store]\n\npassword = ${value}\n[auth]\nad_bind_password = '${secret}'\n`;
    const problems = problemsOf(() => fromFile(text));
    assert.equal(problems.length, 2);
    assert.match(problems[0]?.message ?? "", /MEFOR_STORE_PASSWORD/);
    assert.equal(problems[0]?.line, 3);
    assert.match(problems[1]?.message ?? "", /MEFOR_AUTH_AD_BIND_PASSWORD/);
    assert.ok(!JSON.stringify(problems).includes(secret));
  }
});

Deno.test("loadSettings() keeps a secret wrapped", () => {
  const { settings } = loadSettings({ env: { MEFOR_STORE_PASSWORD: "hunter2-hunter2" } });
  assert.equal(settings.store.password?.reveal(), "hunter2-hunter2");
  assert.equal(`${settings.store.password}`, "***");
  assert.ok(!JSON.stringify(settings).includes("hunter2"));
  assert.ok(!Deno.inspect(settings, { depth: 9 }).includes("hunter2"));
});

Deno.test("loadSettings() shows a broken file by line, without quoting it", () => {
  const problems = problemsOf(() => fromFile("[store]\npassword = hunter2-hunter2 oops\n"));
  assert.equal(problems.length, 1);
  assert.equal(problems[0]?.line, 2);
  assert.ok(!(problems[0]?.message ?? "").includes("hunter2"));
});

Deno.test("loadSettings() refuses a mistyped variable of a known section", () => {
  const problems = problemsOf(() => loadSettings({ env: { MEFOR_STORE_PASSWROD: "x" } }));
  assert.deepEqual(problems.map(({ message }) => message), [
    "Unknown variable MEFOR_STORE_PASSWROD; is MEFOR_STORE_PASSWORD meant?",
  ]);
});

Deno.test("loadSettings() leaves values, escapes and foreign variables alone", () => {
  const env = {
    MEFOR_VALUE_EHR_HOST: "x",
    MEFOR_ALLOW_INSECURE_TLS: "1",
    MEFOR_TEST_POSTGRES: "y",
    PATH: "/bin",
    MEFOR_STROE_PATH: "z",
  };
  const { warnings } = loadSettings({ env });
  assert.deepEqual(warnings, [
    "Variable MEFOR_STROE_PATH belongs to no section and is ignored; is [store] meant?",
  ]);
});

Deno.test("loadSettings() loads the example file of the reference and warns of what waits", () => {
  const text = `
[store]
backend = "sqlserver"
server = "sql01.hospital.local"
database = "MessageFoundry"
auth = "sql"
username = "mefor_service"
encrypt = true

[api]
host = "127.0.0.1"
port = 8765

[logging]
level = "info"
format = "json" # structured stdout
forward_enabled = true
forward_host = "siem.hospital.local"
forward_port = 514
forward_protocol = "tcp"

[retention]
messages_days = 30
dead_letter_days = 90
vacuum_at = "03:30"
`;
  const { settings, warnings } = fromFile(text, { env: { MEFOR_STORE_PASSWORD: "x" } });
  assert.equal(settings.store.server, "sql01.hospital.local");
  assert.equal(settings.retention.vacuumAt, "03:30");
  assert.ok(
    !warnings.some((reason) => reason.startsWith("[store] auth")),
  );
  assert.ok(!warnings.some((warning) => warning.includes("[api] port")));
});

Deno.test("loadSettings() loads the cluster and alert examples of the reference", () => {
  const text = `
[store]
backend = "postgres"
server = "db.internal"
database = "messagefoundry"
username = "mefor"
pool_size = 5

[cluster]
enabled = true
heartbeat_seconds = 10.0
node_timeout_seconds = 30.0
reclaim_interval_seconds = 30.0
leader_lease_ttl_seconds = 30.0
leader_fence_timeout_seconds = 20.0

[cert_monitor]
warn_days = 45

[alerts]
webhook_url = "https://hooks.example.com/services/XXX"
email_smtp_host = "smtp.example.com"
email_from = "alerts@example.com"
email_to = ["oncall@example.com"]

[[alerts.rules]]
event_type = "connection_stopped"
connection = "IB_*"
severity = "critical"
transports = ["webhook"]
cooldown_seconds = 60

[[alerts.rules]]
event_type = "queue_buildup"
min_depth = 1000
severity = "critical"

[[alerts.rules]]
event_type = "queue_buildup"
severity = "info"
transports = ["email"]

[[alerts.rules]]
connection = "OB_LOADTEST"
transports = []
`;
  const { settings } = fromFile(text, { env: { MEFOR_STORE_PASSWORD: "x" } });
  assert.equal(settings.cluster.leaderFenceTimeoutMs, 20_000);
  assert.equal(settings.alerts.rules.length, 4);
  assert.equal(settings.alerts.rules[0]?.cooldownMs, 60_000);
});

Deno.test("loadSettings() reads alert rules and names the line of a bad one", () => {
  const good = "[[alerts.rules]]\nevent_type = 'queue_buildup'\nmin_oldest_seconds = 5\n";
  const { settings } = fromFile(good + "transports = []\n");
  assert.deepEqual(settings.alerts.rules[0]?.transports, []);
  assert.equal(settings.alerts.rules[0]?.minOldestMs, 5_000);
  assert.equal(settings.alerts.rules[0]?.connection, "*");

  const bad = "[[alerts.rules]]\nseverty = 'info'\nmin_depth = 'many'\ntransports = ['fax']\n";
  const problems = problemsOf(() => fromFile(`${good}\n${bad}`));
  assert.deepEqual(problems.map(({ line, message }) => [line, message]), [
    [6, 'Unknown key "severty" in [[alerts.rules]] entry 2; is "severity" meant?'],
    [7, '[alerts] rules min_depth of entry 2 wants a whole number of at least 0, not "many"'],
    [8, '[alerts] rules transports of entry 2 wants a list of "webhook", "email", not ["fax"]'],
  ]);
});

Deno.test("loadSettings() throws a defect for a flag of no key", () => {
  assert.throws(() => loadSettings({ flags: { "api.prot": 1 } }), TypeError);
});

Deno.test("loadSettings() shows broken rules beside wrong values", () => {
  const text = "[logging]\nforward_enabled = true\nlevel = 3\n[retention]\nvacuum_at = '3'\n";
  const problems = problemsOf(() => fromFile(text));
  assert.deepEqual(problems.map(({ line, key }) => [line, key]), [
    [3, "level"],
    [2, "forward_enabled"],
    [5, "vacuum_at"],
  ]);
});

// Goal: the default that takes the place of a wrong value accuses nobody.
Deno.test("loadSettings() asks no rule about a value that could not be read", () => {
  const text = "[cluster]\nheartbeat_seconds = 'x'\nleader_fence_timeout_seconds = 5\n";
  assert.deepEqual(problemsOf(() => fromFile(text)).map(({ line }) => line), [2]);
  const broken = "[logging]\nforward_enabled = true\nforward_host = \n";
  assert.deepEqual(problemsOf(() => fromFile(broken)).map(({ line }) => line), [3]);
});

Deno.test("loadSettings() refuses what stands twice, by name", () => {
  const cases: readonly (readonly [string, number, string])[] = [
    ["[api]\nport = 1\nhost = 'a'\nport = 2\n", 4, "[api] port stands twice"],
    ["[api]\nport = 1\n[store]\n[api]\nhost = 'a'\n", 4, "[api] stands twice"],
    ["[api]\nhost = 'a\n", 2, "Cannot read the settings file at [api] host: "],
  ];
  for (const [text, line, message] of cases) {
    const problems = problemsOf(() => fromFile(text));
    assert.deepEqual(problems.map((problem) => [problem.file, problem.line]), [[FILE, line]]);
    assert.ok(problems[0]?.message.startsWith(message), problems[0]?.message);
  }
});

// Goal: the rest of a secret that looks like a key is not taken for one.
Deno.test("loadSettings() names only declared keys of a broken file", () => {
  const problems = problemsOf(() => fromFile("[store]\nhunter2 = = 'x'\n"));
  assert.ok(!JSON.stringify(problems).includes("hunter2"));
  assert.match(problems[0]?.message ?? "", /^Cannot read the settings file at \[store\]: /);
});

Deno.test("loadSettings() tells of an unreadable file beside wrong variables", () => {
  const file = { path: FILE, fault: "Cannot read the settings file: it is a directory" };
  const env = { MEFOR_API_PORT: "x", MEFOR_LOGGING_FORWARD_ENABLED: "true" };
  const problems = problemsOf(() => loadSettings({ file, env }));
  assert.deepEqual(problems.map((problem) => [problem.file, problem.key]), [
    [FILE, undefined],
    [undefined, "port"],
  ]);
});

Deno.test("loadSettings() shows a number that no key takes as it is written", () => {
  const [problem] = problemsOf(() => fromFile("[delivery]\nretry_backoff_seconds = inf\n"));
  assert.match(problem?.message ?? "", /, not Infinity$/);
});

Deno.test("what is allowed and does nothing is said", () => {
  const warningsOf = (text: string) => fromFile(text).warnings;
  assert.deepEqual(warningsOf('[alerts]\nemail_to = ["ops@example.org"]\n'), [
    "[alerts] email_to gets no mail: email_smtp_host and email_from must be set too",
  ]);
  assert.deepEqual(
    warningsOf(
      '[alerts]\nemail_to = ["ops@example.org"]\nemail_smtp_host = "mail.example.org"\n' +
        'email_from = "engine@example.org"\n',
    ),
    [],
  );
  // Security notices go to the users' own addresses.
  assert.deepEqual(warningsOf('[alerts]\nemail_smtp_host = "mail.example.org"\n'), []);
  const rule = (lines: string) => warningsOf(`[[alerts.rules]]\n${lines}\n`);
  assert.deepEqual(rule('event_type = "cert_expiry"\nmin_depth = 5'), [
    "[alerts] rules entry 1 matches nothing: min_depth is of queue_buildup alone",
  ]);
  assert.deepEqual(rule('event_type = "connection_stopped"\nmin_oldest_seconds = 5'), [
    "[alerts] rules entry 1 matches nothing: min_oldest_seconds is of queue_buildup alone",
  ]);
  assert.deepEqual(rule('event_type = "any"\nmin_depth = 5'), []);
});

Deno.test("a flag of a shell variable that is not set names no store", () => {
  for (const path of ["", " "]) {
    assert.throws(() => loadSettings({ flags: { "store.path": path } }), /path of a file/);
  }
});
