import assert from "node:assert/strict";
import type { AlertEvent } from "../../src/alerts/mod.ts";
import { decide } from "../../src/alerts/rules.ts";
import { alertsOf } from "./bench.ts";

const transports = `[alerts]
webhook_url = "https://hooks.example.com/x"
email_smtp_host = "smtp.example.com"
email_from = "alerts@example.com"
email_to = ["oncall@example.com"]
`;

/** The rules of the specification's own example. */
const published = alertsOf(`${transports}
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
`);

function buildup(connection: string, depth: number, oldestAgeMs?: number): AlertEvent {
  return { type: "queue_buildup", connection, depth, oldestAgeMs };
}

function stopped(connection: string): AlertEvent {
  return { type: "connection_stopped", connection, code: "TypeError", row: 7 };
}

Deno.test("decide() takes the first rule that matches, and the default when none does", () => {
  const decided = (event: AlertEvent) => decide(event, published);
  assert.deepEqual(decided(stopped("IB_ADT")), {
    severity: "critical",
    transports: ["webhook"],
    cooldownMs: 60_000,
  });
  // No rule names it: nothing is silenced by rules about others.
  const standard = { severity: "warning", transports: undefined, cooldownMs: 300_000 };
  assert.deepEqual(decided(stopped("OB_LAB")), standard);
  assert.deepEqual(decided(buildup("OB_LAB", 1000)), { ...standard, severity: "critical" });
  assert.deepEqual(decided(buildup("OB_LAB", 999)), {
    ...standard,
    severity: "info",
    transports: ["email"],
  });
  // An earlier rule has taken its build-ups already.
  assert.deepEqual(decided(buildup("OB_LOADTEST", 3)).transports, ["email"]);
  assert.deepEqual(decided(stopped("OB_LOADTEST")).transports, []);
});

Deno.test("decide() wants every threshold of a rule, and thresholds only of a queue", () => {
  const settings = alertsOf(
    "[[alerts.rules]]\nmin_depth = 10\nmin_oldest_seconds = 60\nseverity = 'critical'\n",
  );
  const severity = (event: AlertEvent) => decide(event, settings).severity;
  assert.equal(severity(buildup("OB", 10, 60_000)), "critical");
  assert.equal(severity(buildup("OB", 9, 60_000)), "warning");
  assert.equal(severity(buildup("OB", 10, 59_999)), "warning");
  assert.equal(severity(buildup("OB", 10)), "warning");
  assert.equal(severity(stopped("OB")), "warning");
  const depthOnly = alertsOf("[[alerts.rules]]\nmin_depth = 0\nseverity = 'critical'\n");
  assert.equal(decide(stopped("OB"), depthOnly).severity, "warning");
  assert.equal(decide(buildup("OB", 0), depthOnly).severity, "critical");
});

Deno.test("decide() takes the cooldown of the rule, also none at all", () => {
  const settings = alertsOf(
    "[alerts]\nrealert_seconds = 5\n[[alerts.rules]]\ncooldown_seconds = 0\n",
  );
  assert.equal(decide(stopped("OB"), settings).cooldownMs, 0);
  assert.equal(
    decide(stopped("OB"), alertsOf("[alerts]\nrealert_seconds = 5\n")).cooldownMs,
    5_000,
  );
});

// Goal: a file that was written for more events than are raised here loads, and silences nothing.
Deno.test("decide() passes over rules for events that are never raised", () => {
  const names = ["connection_error", "message_stall", "integrity_drift", "update_available"];
  const rules = [...names, "backup_failed"].map((name) =>
    `[[alerts.rules]]\nevent_type = "${name}"\ntransports = []\n`
  );
  const settings = alertsOf(transports + rules.join(""));
  assert.equal(settings.rules.length, 5);
  for (const event of [stopped("OB_LAB"), buildup("OB_LAB", 9)]) {
    assert.equal(decide(event, settings).transports, undefined);
  }
});
