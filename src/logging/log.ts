/**
 * The engine's logger: one record a line, text or JSON, free text redacted on its way out.
 *
 * Source of the record's form: pipeline-store-cluster §9.3.
 */
import { type Clock, systemClock } from "../clock.ts";
import type { LoggingSettings } from "../settings/mod.ts";
import type { LogFields, Logger, LogLevel } from "./logger.ts";
import { safeText, scrubControls } from "./redact.ts";

export interface LoggerOptions {
  readonly level: LoggingSettings["level"];
  readonly format: LoggingSettings["format"];
  /** Takes one record without its line end. Must not block; may throw, which is counted. */
  readonly write: (line: string) => void;
  readonly clock?: Clock;
}

/** What the audit log hands over after its commit. `detail` is closed-set text, redacted anyway. */
export interface AuditRecord {
  readonly ts: number;
  readonly action: string;
  readonly actor: string | null;
  readonly channelId: string | null;
  readonly detail: string | null;
}

export interface Log extends Logger {
  /** Writes an audit record as INFO whatever the level is. */
  audit(record: AuditRecord): void;
  /** Records lost because the sink threw. */
  readonly lost: number;
}

const RANK: Readonly<Record<LogLevel, number>> = {
  debug: 10,
  info: 20,
  warning: 30,
  error: 40,
  critical: 50,
};

/** Fields that may hold anybody's words; every other field holds names, codes and numbers. */
const FREE_TEXT: ReadonlySet<string> = new Set(["reason", "error", "exception", "stack", "detail"]);

/** Makes a logger over one sink. A record below `level` costs one comparison. */
export function createLogger(options: LoggerOptions): Log {
  return new LineLogger(options);
}

class LineLogger implements Log {
  readonly #rank: number;
  readonly #json: boolean;
  readonly #write: (line: string) => void;
  readonly #clock: Clock;
  #lost = 0;
  #second = -1;
  #stamp = "";

  constructor({ level, format, write, clock = systemClock }: LoggerOptions) {
    this.#rank = RANK[level];
    this.#json = format === "json";
    this.#write = write;
    this.#clock = clock;
  }

  get lost(): number {
    return this.#lost;
  }

  log(level: LogLevel, event: string, fields?: LogFields): void {
    if (RANK[level] < this.#rank) return;
    this.#emit(level, `messagefoundry.${event.split(".", 1)[0]}`, { event, fields });
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

  audit({ ts, action, actor, channelId, detail }: AuditRecord): void {
    const message = JSON.stringify({
      event: "audit",
      ts,
      action,
      actor,
      channel_id: channelId,
      detail: detail === null ? null : safeText(detail),
    });
    this.#deliver(this.#line("info", "messagefoundry.audit", { message }));
  }

  #emit(
    level: LogLevel,
    logger: string,
    { event, fields = {} }: { event: string; fields?: LogFields },
  ): void {
    // In JSON a stack has its own key, as collectors expect; in text it is a field like others.
    const { exception, stack, ...rest } = this.#json ? fields : { ...fields, exception: undefined };
    const shown = this.#json ? rest : fields;
    this.#deliver(this.#line(level, logger, {
      message: `${scrubControls(event)}${fieldText(shown)}`,
      exception: this.#json ? exception : undefined,
      stack: this.#json ? stack : undefined,
    }));
  }

  #line(
    level: LogLevel,
    logger: string,
    { message, exception, stack }: {
      message: string;
      exception?: LogFields[string];
      stack?: LogFields[string];
    },
  ): string {
    const time = this.#time();
    const name = scrubControls(logger);
    if (!this.#json) return `${time} ${level.toUpperCase()} ${name}: ${message}`;
    return JSON.stringify({
      time,
      level: level.toUpperCase(),
      logger: name,
      message,
      exception: typeof exception === "string" ? safeText(exception) : undefined,
      stack: typeof stack === "string" ? safeText(stack) : undefined,
    });
  }

  /** A log line that cannot be written must not fail what it reports on. */
  #deliver(line: string): void {
    try {
      this.#write(line);
    } catch {
      this.#lost++;
    }
  }

  /** `YYYY-MM-DDTHH:MM:SSZ`; rendered once a second. */
  #time(): string {
    const second = Math.floor(this.#clock.now() / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#stamp = `${new Date(second * 1000).toISOString().slice(0, 19)}Z`;
    }
    return this.#stamp;
  }
}

function fieldText(fields: LogFields): string {
  let text = "";
  for (const [key, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    text += ` ${key.replace(/[^A-Za-z0-9_.]/g, "_")}=${valueText(key, value)}`;
  }
  return text;
}

function valueText(key: string, value: string | number | boolean | null): string {
  if (typeof value !== "string") return String(value);
  const safe = FREE_TEXT.has(key) ? safeText(value) : scrubControls(value);
  return /^[^\s"=\\]+$/.test(safe) ? safe : `"${safe.replaceAll('"', '\\"')}"`;
}

/** Logs nothing. */
export const nullLogger: Logger = {
  log: () => {},
  debug: () => {},
  info: () => {},
  warning: () => {},
  error: () => {},
};
