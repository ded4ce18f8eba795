/** Builds the log an operator asked for: standard output always, a collector when one is set. */
import { type Clock, systemClock } from "../clock.ts";
import type { LoggingSettings } from "../settings/mod.ts";
import { startForwarder } from "./forwarder.ts";
import { createLogger, type Log } from "./log.ts";
import { createSink } from "./sink.ts";

export interface OpenLogOptions {
  readonly settings: LoggingSettings;
  /** Writes some of the bytes and returns how many: `Deno.stdout.write`. */
  readonly stdout: (bytes: Uint8Array) => Promise<number>;
  readonly clock?: Clock;
}

export interface OpenLog extends AsyncDisposable {
  readonly logger: Log;
  /** Records lost so far, by sink. */
  dropped(): Readonly<Record<string, number>>;
  /** Resolves when standard output has everything. */
  flush(): Promise<void>;
}

/** Opens the log; disposing it takes a bounded time, whatever its readers do. */
export function openLog({ settings, stdout, clock = systemClock }: OpenLogOptions): OpenLog {
  const { level, format, forwardEnabled, forwardHost } = settings;
  const sink = createSink({ write: stdout, format, clock });
  const logger = createLogger({ level, sinks: [sink], clock });
  const forwarder = forwardEnabled && forwardHost !== undefined
    ? startForwarder({
      protocol: settings.forwardProtocol,
      host: forwardHost,
      port: settings.forwardPort,
      format: settings.forwardFormat,
      logger,
      clock,
    })
    : undefined;
  if (forwarder !== undefined) logger.attach(forwarder);
  return {
    logger,
    dropped: () => ({
      stdout: sink.dropped,
      ...forwarder === undefined ? {} : { syslog: forwarder.dropped },
    }),
    flush: () => sink.flush(),
    async [Symbol.asyncDispose]() {
      // What the forwarder has to say at its end goes to standard output.
      await forwarder?.[Symbol.asyncDispose]();
      await sink[Symbol.asyncDispose]();
    },
  };
}
