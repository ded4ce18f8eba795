import assert from "node:assert/strict";
import {
  catalogue,
  loadSettings,
  settingRows,
  settingsReference,
  settingsSummary,
} from "../../src/settings/mod.ts";
import { coerce } from "../../src/settings/coerce.ts";
import { propertyName } from "../../src/settings/declaration.ts";
import { nearest } from "../../src/settings/nearest.ts";

Deno.test("catalogue: names are snake_case and unique, help is one sentence line", () => {
  const names = catalogue.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  for (const { name, keys } of catalogue) {
    assert.match(name, /^[a-z]+(_[a-z]+)*$/);
    for (const [key, spec] of Object.entries(keys)) {
      assert.match(key, /^[a-z0-9]+(_[a-z0-9]+)*$/, `${name}.${key}`);
      assert.match(spec.help, /^[^\n]+\.$/, `${name}.${key}`);
    }
  }
});

Deno.test("catalogue: properties do not collide and every default passes its own rule", () => {
  for (const { name, keys } of catalogue) {
    const properties = Object.entries(keys).map(([key, spec]) => propertyName(key, spec));
    assert.equal(new Set(properties).size, properties.length, name);
    for (const [key, spec] of Object.entries(keys)) {
      if (spec.type === "tables" || spec.default === undefined) continue;
      assert.ok(coerce(spec, spec.default, "toml").ok, `${name}.${key}`);
      assert.ok(!spec.secret, `${name}.${key}: a secret has no default`);
    }
  }
});

Deno.test("propertyName() turns seconds into milliseconds and nothing else", () => {
  const base = { help: "x.", inEffect: true };
  const seconds = { ...base, type: "number", unit: "seconds" } as const;
  assert.equal(propertyName("retry_backoff_seconds", seconds), "retryBackoffMs");
  assert.equal(propertyName("connect_timeout", seconds), "connectTimeoutMs");
  assert.equal(propertyName("warn_days", { ...base, type: "integer", unit: "days" }), "warnDays");
});

Deno.test("settingsReference() has a row for every key", () => {
  const page = settingsReference();
  for (const { name, keys } of catalogue) {
    assert.ok(page.includes(`## [${name}]`));
    for (const key of Object.keys(keys)) assert.ok(page.includes(`| \`${key}\` |`), key);
  }
});

Deno.test("settingsSummary() shows what was set, in the key's unit, secrets masked", () => {
  const loaded = loadSettings({
    env: { MEFOR_STORE_PASSWORD: "hunter2", MEFOR_DELIVERY_RETRY_BACKOFF_SECONDS: "1.5" },
    flags: { "ai.environment": "dev" },
  });
  assert.deepEqual(settingsSummary(loaded), [
    "store.password = *** (environment)",
    'ai.environment = "dev" (flag)',
    'ai.data_class = "synthetic" (derived)',
    "ai.production = false (derived)",
    "delivery.retry_backoff_seconds = 1.5 (environment)",
  ]);
});

Deno.test("settingRows() shows the host of a webhook, and nothing else of its address", () => {
  const url = "https://user:TOKEN@hooks.example.com:8443/services/TOKEN?key=TOKEN";
  const text = `[alerts]\nwebhook_url = "${url}"\n`;
  const loaded = loadSettings({ file: { path: "messagefoundry.toml", text }, env: {} });
  assert.equal(loaded.settings.alerts.webhookUrl, url);
  const row = settingRows(loaded).find(({ key }) => key === "webhook_url");
  assert.equal(row?.value, "https://hooks.example.com:8443/***");
  assert.doesNotMatch(settingsSummary(loaded).join(), /TOKEN|user/);
});

Deno.test("settingRows() gives every key as the file writes it, secrets masked", () => {
  const text = "[delivery]\nretry_backoff_seconds = 0.25\n[[alerts.rules]]\nmin_depth = 3\n" +
    "min_oldest_seconds = 5\n";
  const rows = settingRows(loadSettings({
    file: { path: "messagefoundry.toml", text },
    env: { MEFOR_STORE_PASSWORD: "hunter2" },
    flags: { "ai.environment": "prod" },
  }));
  assert.equal(rows.length, catalogue.flatMap(({ keys }) => Object.keys(keys)).length);
  const of = (section: string, key: string) => {
    const { section: _, key: __, ...rest } = rows.find((row) =>
      row.section === section && row.key === key
    )!;
    return Object.values(rest);
  };
  assert.deepEqual(of("store", "password"), ["***", null, "environment", true, true]);
  assert.deepEqual(of("store", "encryption_key").slice(0, 4), [null, null, "default", true]);
  assert.deepEqual(of("delivery", "retry_backoff_seconds"), [0.25, 5, "file", false, true]);
  assert.deepEqual(of("delivery", "retry_max_attempts"), [null, null, "default", false, true]);
  assert.deepEqual(of("ai", "production"), [true, null, "derived", false, true]);
  assert.deepEqual(of("alerts", "rules")[0], [{
    event_type: "any",
    connection: "*",
    min_depth: 3,
    min_oldest_seconds: 5,
    severity: "warning",
    transports: null,
    cooldown_seconds: null,
  }]);
  assert.ok(!JSON.stringify(rows).includes("hunter2"));
});

Deno.test("nearest() finds typos and stays silent on strangers", () => {
  const words = ["store", "api", "logging", "retry_max_attempts"];
  assert.equal(nearest("stroe", words), "store");
  assert.equal(nearest("Loging", words), "logging");
  assert.equal(nearest("retry_attempts", words), "retry_max_attempts");
  assert.equal(nearest("zebra", words), undefined);
});
