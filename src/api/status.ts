/** Routes that say how the engine is, without a message in sight. */
import { Hono } from "@hono/hono";
import type { Engine } from "../engine.ts";
import { VERSION } from "../version.ts";
import { nobody } from "../operations/mod.ts";
import { allow, allowKnown } from "./allow.ts";
import type { ApiContext, ApiEnv } from "./env.ts";
import { gives } from "./exchange.ts";
import * as models from "./models/mod.ts";
import { METRICS_TYPE, metricsText } from "./metrics.ts";
import { rowFigures } from "./outbox.ts";

export function statusRoutes({ engine }: ApiContext): Hono<ApiEnv> {
  return new Hono<ApiEnv>()
    // For load balancers: asks nobody, and without a token not even the store.
    .get("/health", allowKnown(), gives(models.health), (c) => {
      const version = c.var.actor === nobody ? null : VERSION;
      return c.json({ status: "ok", version });
    })
    .get(
      "/stats",
      allow("monitoring:read"),
      gives(models.stats),
      async (c) => c.json(await stats(engine)),
    )
    .get(
      "/status",
      allow("monitoring:read"),
      gives(models.systemStatus),
      async (c) => c.json(await status(engine)),
    )
    .get(
      "/metrics",
      allow("monitoring:read"),
      gives(undefined, { type: METRICS_TYPE }),
      async (c) => c.body(await metricsText(engine), 200, { "content-type": METRICS_TYPE }),
    );
}

async function stats(engine: Engine) {
  const { store } = engine;
  const [rows, counters] = await Promise.all([rowFigures(engine), store.counters()]);
  const { commits, statements, intents, checkpoints } = counters;
  return {
    outbox_by_status: rows.outboxByStatus,
    in_pipeline: rows.inPipeline,
    // Lanes are woken by their rows, so nothing is ever claimed in vain.
    empty_claims: 0,
    empty_claims_idle_poll: 0,
    empty_claims_wake_fanout: 0,
    executor_queue_depth: null,
    executor_busy: null,
    diagnostics: {
      commits,
      statements,
      intents,
      // Where no commit waits for the disk a checkpoint does.
      fsyncs: store.synchronous === "normal" ? checkpoints : commits,
      checkpoints,
      sandbox: { leaked_threads: engine.leakedThreads },
    },
  };
}

async function status(engine: Engine) {
  const { store, pipeline, clock, startedAt } = engine;
  const [{ outboxByStatus }, totals, [audited]] = await Promise.all([
    rowFigures(engine),
    store.totals(),
    store.register("auditCount"),
  ]);
  const inbounds = [...pipeline.inbounds.values()];
  const running = inbounds.filter(({ state }) => state === "running").length;
  return {
    engine: {
      version: VERSION,
      uptime_seconds: Math.max(0, (clock.now() - startedAt) / 1e3),
      pid: Deno.pid,
      channels_total: inbounds.length,
      channels_running: running,
      channels_stopped: inbounds.length - running,
      outbox_by_status: outboxByStatus,
    },
    db: {
      path: store.path,
      size_bytes: totals.sizeBytes,
      // The runtime asks for a permission about the system, and the engine has none of that kind.
      disk_free_bytes: null,
      journal_mode: "wal",
      messages: totals.messages,
      events: totals.events,
      audit: Number(audited?.total ?? 0),
      synchronous: store.synchronous ?? null,
    },
    logs: null,
    update: null,
    pool: null,
  };
}
