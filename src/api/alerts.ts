/** Routes over alerts: which are live, who looks after them, and which rules there are. */
import { Hono } from "@hono/hono";
import { z } from "zod";
import {
  acknowledgeAlert,
  type AlertInstance,
  liveAlerts,
  resolveAlert,
} from "../operations/mod.ts";
import { type AlertsSettings, alertTransports } from "../settings/mod.ts";
import { allow } from "./allow.ts";
import { actOf, type ApiContext, type ApiEnv, secondsOf } from "./env.ts";
import { gives, takes } from "./exchange.ts";
import { integer } from "./input.ts";
import * as models from "./models/mod.ts";

const activeQuery = z.object({ limit: integer({ min: 1, max: 1000 }).default(200) });
const alertPath = z.object({ alert_id: integer({ min: 1, max: Number.MAX_SAFE_INTEGER }) });

export function alertRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    .get(
      "/alerts/active",
      allow("monitoring:diagnose"),
      takes({ query: activeQuery }),
      gives(models.alertInstances),
      async (c) => {
        const { limit } = c.req.valid("query");
        const alerts = await liveAlerts(engine, { actor: c.var.actor, limit });
        return c.json({ alerts: alerts.map(instanceShape) });
      },
    )
    .post(
      "/alerts/:alert_id/ack",
      allow("monitoring:diagnose"),
      takes({ path: alertPath }),
      gives(models.alertInstance),
      async (c) => {
        const { alert_id: id } = c.req.valid("param");
        return c.json(instanceShape(await acknowledgeAlert.perform(actOf(engine, c), { id })));
      },
    )
    .post(
      "/alerts/:alert_id/resolve",
      allow("monitoring:diagnose"),
      takes({ path: alertPath }),
      gives(models.alertInstance),
      async (c) => {
        const { alert_id: id } = c.req.valid("param");
        return c.json(instanceShape(await resolveAlert.perform(actOf(engine, c), { id })));
      },
    )
    .get(
      "/alerts/rules",
      allow("monitoring:read"),
      gives(models.alertsConfig),
      (c) => c.json(rulesShape(engine.settings.alerts)),
    );
}

function instanceShape(instance: AlertInstance) {
  const { ackedAt, resolvedAt } = instance;
  return {
    id: instance.id,
    event_type: instance.eventType,
    connection: instance.connection,
    severity: instance.severity,
    status: instance.status,
    first_seen: secondsOf(instance.firstSeen),
    last_seen: secondsOf(instance.lastSeen),
    count: instance.count,
    reason: instance.reason,
    acked_by: instance.ackedBy,
    acked_at: ackedAt === null ? null : secondsOf(ackedAt),
    resolved_at: resolvedAt === null ? null : secondsOf(resolvedAt),
  };
}

/** No address, no recipient, no secret: how many and whether. */
function rulesShape(alerts: AlertsSettings) {
  const configured = alertTransports(alerts);
  return {
    webhook_configured: configured.includes("webhook"),
    webhook_timeout: alerts.webhookTimeoutMs / 1000,
    webhook_allowed_hosts: alerts.webhookAllowedHosts,
    email_configured: configured.includes("email"),
    email_smtp_port: alerts.emailSmtpPort,
    email_use_tls: alerts.emailUseTls,
    email_recipient_count: alerts.emailTo?.length ?? 0,
    smtp_allowed_hosts: alerts.smtpAllowedHosts,
    realert_seconds: alerts.realertMs / 1000,
    rules: alerts.rules.map((rule) => ({
      event_type: rule.eventType,
      connection: rule.connection,
      min_depth: rule.minDepth ?? null,
      min_oldest_seconds: seconds(rule.minOldestMs),
      severity: rule.severity,
      transports: rule.transports ?? null,
      cooldown_seconds: seconds(rule.cooldownMs),
    })),
  };
}

function seconds(ms: number | undefined): number | null {
  return ms === undefined ? null : ms / 1000;
}
