// Goal: an event goes to those whom its rule names, and mail of other rooms goes the same way.
// Needs Debian's python3-aiosmtpd; skipped aloud without it.
import assert from "node:assert/strict";
import { Alerts } from "../../src/alerts/mod.ts";
import type { Raised } from "../../src/alerts/instances.ts";
import { until } from "../connectors/waiting.ts";
import { alertsOf, readableLog, StandingClock } from "./bench.ts";
import { Receiver } from "./receiver.ts";
import { hasSmtpServer, SmtpServer } from "./smtp_server.ts";

const isHere = await hasSmtpServer();

function open(settings: string) {
  const written: Raised[] = [];
  const { logger, lines } = readableLog();
  const clock = new StandingClock();
  const alerts = new Alerts({
    settings: alertsOf(settings),
    clock,
    logger,
    write(raised) {
      written.push(...raised);
      return Promise.resolve();
    },
  });
  return { alerts, written, lines, clock };
}

function stopped(connection: string) {
  return { type: "connection_stopped", connection, code: "TypeError", row: 7 } as const;
}

Deno.test({
  name:
    "Alerts tells webhook and mail what their rules say, and one that is dead holds up no other",
  ignore: !isHere,
  async fn() {
    await using receiver = await Receiver.start();
    receiver.answer = "never";
    await using server = await SmtpServer.start();
    const { alerts, written, lines } = open(`[alerts]
webhook_url = "${receiver.url()}"
email_smtp_host = "127.0.0.1"
email_smtp_port = ${server.port}
email_use_tls = false
email_from = "MessageFoundry <alerts@example.com>"
email_to = ["one@example.com", "two@example.com"]

[[alerts.rules]]
connection = "IB_*"
severity = "critical"
transports = ["webhook"]

[[alerts.rules]]
connection = "OB_MAIL"
severity = "info"
transports = ["email"]

[[alerts.rules]]
connection = "OB_QUIET"
transports = []
`);
    {
      await using _alerts = alerts;
      for (const name of ["IB_ADT", "OB_QUIET", "OB_MAIL", "OB_ALL"]) alerts.raise(stopped(name));
      await receiver.requests(1);
      const [first, second] = await server.taken(2);
      assert.match(first!.content, /^Subject: \[INFO\] connection_stopped OB_MAIL\r?$/m);
      assert.match(second!.content, /^Subject: \[WARNING\] connection_stopped OB_ALL\r?$/m);
      assert.deepEqual(second!.to, ["one@example.com", "two@example.com"]);
      const { body } = receiver.received[0]!;
      assert.deepEqual(body, {
        type: "connection_stopped",
        connection: "IB_ADT",
        detail: "stopped at row 7: TypeError",
        ts: Date.UTC(2026, 0, 2) / 1000,
        severity: "critical",
      });
    }
    assert.deepEqual(written.map(({ connection }) => connection).toSorted(), [
      "IB_ADT",
      "OB_ALL",
      "OB_MAIL",
      "OB_QUIET",
    ]);
    const raised = lines.filter((line) => line.includes("alert.raised"));
    assert.equal(raised.length, 3);
    assert.deepEqual(alerts.lost, { webhook: 2, email: 0 });
  },
});

Deno.test({
  name: "Alerts sends the mail of other rooms, also where no alert is mailed",
  ignore: !isHere,
  async fn() {
    await using server = await SmtpServer.start();
    const { alerts, lines } = open(`[alerts]
email_smtp_host = "127.0.0.1"
email_smtp_port = ${server.port}
email_use_tls = false
email_from = "alerts@example.com"
`);
    await using _alerts = alerts;
    assert.ok(alerts.hasMail);
    alerts.raise(stopped("OB"));
    const mail = { to: ["ann@example.com"], subject: "Your password was changed", text: "By you?" };
    assert.ok(alerts.sendMail(mail, "password_changed"));
    const refused = { ...mail, to: ["unknown@example.com"] };
    assert.ok(alerts.sendMail(refused, "password_changed"));
    const [taken] = await server.taken(1);
    assert.deepEqual(taken!.to, ["ann@example.com"]);
    assert.match(taken!.content, /^Subject: Your password was changed\r?$/m);
    await until(() => alerts.lost.email === 1, "the refused mail to be given up");
    assert.equal(server.mails.length, 1, "no alert was mailed");
    const failed = lines.find((line) => line.includes("alert.send_failed"));
    assert.match(failed!, /transport=email about=password_changed attempts=1 .*status=550/);
    assert.doesNotMatch(lines.join(), /@|By you/);
  },
});

Deno.test("Alerts without a transport logs, keeps, throttles, and says that it cannot mail", async () => {
  const { alerts, written, lines, clock } = open("");
  const mail = { to: ["ann@example.com"], subject: "x", text: "y" };
  assert.deepEqual([alerts.hasMail, alerts.sendMail(mail, "x"), alerts.lost], [false, false, {}]);
  const told = () => lines.filter((line) => line.includes("alert.raised")).length;
  for (let second = 0; second < 300; second += 1) {
    alerts.raise(stopped("OB"));
    alerts.tellDue(() => true);
    clock.pass(1_000);
  }
  assert.equal(told(), 1);
  alerts.raise(stopped("OB"));
  assert.equal(told(), 2);
  await alerts[Symbol.asyncDispose]();
  assert.equal(written.reduce((sum, { count }) => sum + count, 0), 301);
});

Deno.test("Alerts tells nothing late of what a rule silences by then", async () => {
  const { alerts, lines, clock } = open(`[alerts]
[[alerts.rules]]
event_type = "queue_buildup"
min_depth = 1000
severity = "critical"

[[alerts.rules]]
event_type = "queue_buildup"
transports = []
`);
  const raise = (depth: number) => {
    alerts.raise({ type: "queue_buildup", connection: "OB", depth, oldestAgeMs: 1_000 });
    alerts.tellDue(() => true);
    clock.pass(100_000);
  };
  for (const depth of [1_000, 1_200, 900, 800, 700]) raise(depth);
  const told = () => lines.filter((line) => line.includes("alert.raised"));
  assert.equal(told().length, 1);
  raise(1_500);
  assert.match(told()[1] ?? "", /1500 rows wait/);
  await alerts[Symbol.asyncDispose]();
});
