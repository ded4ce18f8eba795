/** The engine's logger: makes a safe record of every event and hands it to every sink. */
import { type Clock, systemClock } from "../clock.ts";
import type { LoggingSettings } from "../settings/mod.ts";
import type { LogFields, Logger, LogLevel } from "./logger.ts";
import { type AuditRecord, LogRecord } from "./record.ts";

/** Where records go. `write` must not wait; it may throw, which is counted. */
export interface LogSink {
  write(record: LogRecord): void;
}

export interface LoggerOptions {
  readonly level: LoggingSettings["level"];
  readonly sinks: readonly LogSink[];
  readonly clock?: Clock;
}

export interface Log extends Logger {
  /** Adds a sink that itself has something to log. */
  attach(sink: LogSink): void;
  /** Records lost because a sink threw. */
  readonly lost: number;
}

const RANK: Readonly<Record<LogLevel, number>> = {
  debug: 10,
  info: 20,
  warning: 30,
  error: 40,
  critical: 50,
};

/** Makes a logger over its sinks. A record below `level` costs one comparison. */
export function createLogger(options: LoggerOptions): Log {
  return new RecordLogger(options);
}

class RecordLogger implements Log {
  readonly #rank: number;
  readonly #sinks: LogSink[];
  readonly #clock: Clock;
  #lost = 0;

  constructor({ level, sinks, clock = systemClock }: LoggerOptions) {
    this.#rank = RANK[level];
    this.#sinks = [...sinks];
    this.#clock = clock;
  }

  get lost(): number {
    return this.#lost;
  }

  attach(sink: LogSink): void {
    this.#sinks.push(sink);
  }

  log(level: LogLevel, event: string, fields?: LogFields): void {
    if (RANK[level] < this.#rank) return;
    this.#hand(LogRecord.of(level, event, { fields, atMs: this.#clock.now() }));
  }

  debug(event: string, fields?: LogFields): void {
    this.log("debug", event, fields);
  }

  info(event: string, fields?: LogFields): void {
    this.log("info", event, fields);
  }

  warning(event: string, fields?: LogFields): void {
    this.log("warning", event, fields);
  }

  error(event: string, fields?: LogFields): void {
    this.log("error", event, fields);
  }

  audit(record: AuditRecord): void {
    this.#hand(LogRecord.audit(record, this.#clock.now()));
  }

  /** A record that cannot be written must not fail what it reports on. */
  #hand(record: LogRecord): void {
    for (const sink of this.#sinks) {
      try {
        sink.write(record);
      } catch {
        this.#lost++;
      }
    }
  }
}

/** Logs nothing. */
export const nullLogger: Logger = {
  log: () => {},
  debug: () => {},
  info: () => {},
  warning: () => {},
  error: () => {},
  audit: () => {},
};
