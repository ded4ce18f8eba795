/**
 * The logger every room uses: an event name and fields, never prose about a message.
 *
 * Sinks, formats and redaction stand in the other files of this room.
 */

import type { AuditRecord } from "./record.ts";

export type LogLevel = "debug" | "info" | "warning" | "error" | "critical";

/** Values of a closed set: names, counts, durations. Free text goes in `reason` and is redacted. */
export type LogFields = Readonly<Record<string, string | number | boolean | null | undefined>>;

export interface Logger {
  log(level: LogLevel, event: string, fields?: LogFields): void;
  debug(event: string, fields?: LogFields): void;
  info(event: string, fields?: LogFields): void;
  warning(event: string, fields?: LogFields): void;
  error(event: string, fields?: LogFields): void;
  /** Tells of an audited act, once its row is durable, whatever the level is. */
  audit(record: AuditRecord): void;
}
