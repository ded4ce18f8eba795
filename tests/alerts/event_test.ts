import assert from "node:assert/strict";
import { type AlertEvent, payloadOf, reasonOf } from "../../src/alerts/event.ts";
import { noticeMail } from "../../src/alerts/notice_mail.ts";

const events: readonly AlertEvent[] = [
  { type: "connection_stopped", connection: "OB_LAB", code: "TypeError", row: 12 },
  { type: "connection_stopped", connection: "IB", code: "connector.bind_failed", row: undefined },
  { type: "queue_buildup", connection: "OB_LAB", depth: 7, oldestAgeMs: 301_249 },
  { type: "queue_buildup", connection: "OB_LAB", depth: 7, oldestAgeMs: undefined },
  { type: "storage_threshold", connection: "/x/m.db", sizeBytes: 2_000_001, limitBytes: 2_000_000 },
  {
    type: "cert_expiry",
    connection: "api",
    path: "/etc/tls/api.pem",
    notAfter: Date.UTC(2026, 1, 3),
    daysRemaining: -1,
  },
];

Deno.test("payloadOf() tells each event by the fields of its kind", () => {
  assert.deepEqual(events.map(payloadOf), [
    {
      type: "connection_stopped",
      connection: "OB_LAB",
      detail: "stopped at row 12: TypeError",
    },
    { type: "connection_stopped", connection: "IB", detail: "stopped: connector.bind_failed" },
    { type: "queue_buildup", connection: "OB_LAB", depth: 7, oldest_age_seconds: 301.2 },
    { type: "queue_buildup", connection: "OB_LAB", depth: 7, oldest_age_seconds: null },
    {
      type: "storage_threshold",
      connection: "/x/m.db",
      size_bytes: 2_000_001,
      limit_bytes: 2_000_000,
    },
    {
      type: "cert_expiry",
      connection: "api",
      path: "/etc/tls/api.pem",
      not_after: "2026-02-03T00:00:00.000Z",
      days_remaining: -1,
    },
  ]);
});

Deno.test("reasonOf() words every event in one line", () => {
  assert.deepEqual(events.map(reasonOf), [
    "stopped at row 12: TypeError",
    "stopped: connector.bind_failed",
    "7 rows wait, the oldest for 301.2 s",
    "7 rows wait",
    "2000001 bytes, the limit is 2000000",
    '"/etc/tls/api.pem" ran out 1 d ago',
  ]);
});

// Goal: an author's code may throw an error by any name; a patient's is not passed on.
Deno.test("reasonOf() shows nothing of an error but what is the name of a class or a code", () => {
  const codes = ["DOE^JOHN", "Doe", "MRN 4711", "PID|1||4711", "internal error: x", "a".repeat(99)];
  for (const code of codes) {
    const event = { type: "connection_stopped", connection: "OB", code, row: 1 } as const;
    assert.equal(reasonOf(event), "stopped at row 1: Error", code);
    assert.equal(payloadOf(event).detail, "stopped at row 1: Error");
  }
  for (const code of ["TypeError", "HandlerTimeout", "Hl7PathError", "connector.bind_in_use"]) {
    const event = { type: "connection_stopped", connection: "OB", code, row: 1 } as const;
    assert.equal(reasonOf(event), `stopped at row 1: ${code}`);
  }
});

Deno.test("noticeMail() puts the severity before everything else of the subject", () => {
  const mail = noticeMail({
    event: events[2]!,
    severity: "critical",
    transports: ["email"],
    cooldownMs: 0,
    at: Date.UTC(2026, 0, 2),
  }, ["oncall@example.com"]);
  assert.equal(mail.subject, "[CRITICAL] queue_buildup OB_LAB");
  assert.match(mail.text, /^OB_LAB: 7 rows wait, the oldest for 301\.2 s\n\nseverity: critical\n/);
  assert.match(mail.text, /\nat: 2026-01-02T00:00:00\.000Z\n/);
});
