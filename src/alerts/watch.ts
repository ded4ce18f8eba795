/**
 * The clockwork: lanes each second, certificates at their own interval and at start. The size of the
 * store is looked at by the passes of `maintenance/`.
 */
import { timerMsMax } from "../clock.ts";
import type { Alerts } from "./alerts.ts";
import { BuildupMonitor, type BuildupOptions } from "./buildup.ts";
import { type CertificatesOptions, lookAtCertificates } from "./certificates.ts";
import type { AlertEvent } from "./event.ts";

type Without<T> = Omit<T, "raise" | "clock" | "logger">;

export interface WatchOptions {
  readonly alerts: Alerts;
  readonly clock: BuildupOptions["clock"];
  readonly logger: BuildupOptions["logger"];
  readonly lanes: Without<BuildupOptions>;
  /** Whether a connection that stopped has not been started again. */
  readonly isStopped: (connection: string) => boolean;
  /** Whether the store was too large when it was last looked at. */
  readonly isOverSize: () => boolean;
  /** Left out: certificates are not watched. */
  readonly certificates?: Without<CertificatesOptions> & { readonly intervalMs: number };
}

const LOOK_MS = 1_000;

/** Begins to watch; disposing it ends it, and waits for the look under way. */
export function startWatch(options: WatchOptions): AsyncDisposable {
  const { alerts, clock, logger, lanes, certificates } = options;
  const common = { raise: (event: AlertEvent) => alerts.raise(event), clock, logger };
  const buildup = new BuildupMonitor({ ...lanes, ...common });
  let ending: ReadonlySet<string> = new Set();
  const stillHolds = ({ type, connection }: AlertEvent) => {
    switch (type) {
      case "queue_buildup":
        return buildup.isCrossed(connection);
      case "connection_stopped":
        return options.isStopped(connection);
      case "storage_threshold":
        return options.isOverSize();
      case "cert_expiry":
        return ending.has(connection);
    }
  };
  const looking = setInterval(() => {
    buildup.look();
    alerts.tellDue(stillHolds);
  }, LOOK_MS);
  const end = certificates && repeat(async () => {
    ending = await lookAtCertificates({ ...certificates, ...common });
  }, certificates.intervalMs);
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(looking);
      await end?.();
    },
  };
}

/** Does it now and at every interval, never twice at once; returns how to end that. */
function repeat(look: () => Promise<void>, intervalMs: number): () => Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isOver = false;
  const once = async () => {
    await look();
    if (!isOver) timer = setTimeout(() => under = once(), Math.min(intervalMs, timerMsMax));
  };
  let under = once();
  return async () => {
    isOver = true;
    clearTimeout(timer);
    await under;
  };
}
