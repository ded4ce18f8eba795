/**
 * One record as it may leave: every part is redacted and free of control characters.
 *
 * Sinks take nothing else, and only this file makes one, so no sink can be reached past the redactor.
 * Source: pipeline-store-cluster §9.1–9.3.
 */
import type { LogFields, LogLevel } from "./logger.ts";
import { redactKnown, safeText, scrubControls } from "./redact.ts";

export type LogFormat = "text" | "json";

/** What the audit log hands over after its commit. `detail` is closed-set text, redacted anyway. */
export interface AuditRecord {
  readonly ts: number;
  readonly action: string;
  readonly actor: string | null;
  readonly channelId: string | null;
  readonly detail: string | null;
}

/** Fields that may hold anybody's words; every other field holds names, codes and numbers. */
const FREE_TEXT: ReadonlySet<string> = new Set(["reason", "error", "exception", "stack", "detail"]);

/** Most of one free text that is looked at, in UTF-16 units: a log line is no place for more. */
const FREE_TEXT_MAX = 16_384;
/** Names of events are ours and short. */
const EVENT_MAX = 128;
/** What a cut could have torn, so that a rule no longer knows it: the end goes with the rest. */
const TORN_MAX = 256;

export class LogRecord {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly level: LogLevel;
  readonly logger: string;
  readonly event: string;
  /** The event and its fields, without the two below. */
  readonly message: string;
  readonly exception: string | undefined;
  readonly stack: string | undefined;
  /** Private, so that no object made elsewhere passes for a record. */
  readonly #size: number;

  private constructor(
    parts: Pick<LogRecord, "atMs" | "level" | "logger" | "event" | "message"> & {
      readonly exception?: string;
      readonly stack?: string;
    },
  ) {
    this.atMs = parts.atMs;
    this.level = parts.level;
    this.logger = parts.logger;
    this.event = parts.event;
    this.message = parts.message;
    this.exception = parts.exception;
    this.stack = parts.stack;
    this.#size = 128 + this.message.length + (this.exception?.length ?? 0) +
      (this.stack?.length ?? 0);
  }

  /** Makes the record of an event; the room's name before the dot names the logger. */
  static of(
    level: LogLevel,
    event: string,
    { fields = {}, atMs }: { readonly fields?: LogFields; readonly atMs: number },
  ): LogRecord {
    const { exception, stack, ...rest } = fields;
    const name = scrubControls(redactKnown(wellCut(event, EVENT_MAX)));
    return new LogRecord({
      atMs,
      level,
      logger: `messagefoundry.${name.split(".", 1)[0]}`,
      event: name,
      message: `${name}${fieldText(rest)}`,
      exception: freeText(exception),
      stack: freeText(stack),
    });
  }

  /** Makes the record of an audited act: INFO, whatever the level of the log is. */
  static audit({ ts, action, actor, channelId, detail }: AuditRecord, atMs: number): LogRecord {
    const known = (text: string | null) => text === null ? null : scrubControls(redactKnown(text));
    const message = JSON.stringify({
      event: "audit",
      ts,
      action: known(action),
      actor: known(actor),
      channel_id: known(channelId),
      detail: freeText(detail) ?? null,
    });
    return new LogRecord({
      atMs,
      level: "info",
      logger: "messagefoundry.audit",
      event: "audit",
      message,
    });
  }

  /** About what it holds in memory, in UTF-16 units. */
  get size(): number {
    return this.#size;
  }

  /** Returns it without what is longest, its message at most `messageMax` units long. */
  shortened(messageMax: number): LogRecord {
    return new LogRecord({
      ...this,
      message: this.message.length <= messageMax
        ? this.message
        : `${wellCut(this.message, messageMax)} [cut]`,
      exception: undefined,
      stack: undefined,
    });
  }
}

/** Renders one line: `time LEVEL logger: message`, or an object with the keys collectors expect. */
export function renderRecord(record: LogRecord, format: LogFormat): string {
  const { atMs, logger, message, exception, stack } = record;
  const time = `${new Date(atMs).toISOString().slice(0, 19)}Z`;
  const level = record.level.toUpperCase();
  if (format === "json") {
    return JSON.stringify({ time, level, logger, message, exception, stack });
  }
  const rest = (exception === undefined ? "" : ` exception=${quoted(exception)}`) +
    (stack === undefined ? "" : ` stack=${quoted(stack)}`);
  return `${time} ${level} ${logger}: ${message}${rest}`;
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
  return quoted(FREE_TEXT.has(key) ? freeText(value) ?? "" : scrubControls(redactKnown(value)));
}

function quoted(safe: string): string {
  return /^[^\s"=\\]+$/.test(safe) ? safe : `"${safe.replaceAll('"', '\\"')}"`;
}

/** Anything but text holds nobody's words and has no place where text is expected. */
function freeText(value: LogFields[string]): string | undefined {
  if (typeof value !== "string") return undefined;
  if (value.length <= FREE_TEXT_MAX) return safeText(value);
  const safe = safeText(wellCut(value, FREE_TEXT_MAX));
  return `${wellCut(safe, Math.max(0, safe.length - TORN_MAX))} [cut]`;
}

/** Cuts between characters, never inside a surrogate pair. */
function wellCut(text: string, max: number): string {
  const last = text.charCodeAt(max - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? max - 1 : max);
}
