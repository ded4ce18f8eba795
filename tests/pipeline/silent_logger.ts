/** Loggers of tests: one that drops everything, one that keeps it. */
import type { LogFields, Logger, LogLevel } from "../../src/logging/logger.ts";
import type { AuditRecord } from "../../src/logging/record.ts";

export interface Logged {
  readonly level: LogLevel;
  readonly event: string;
  readonly fields: LogFields;
}

export class KeepingLogger implements Logger {
  readonly lines: Logged[] = [];

  log(level: LogLevel, event: string, fields: LogFields = {}): void {
    this.lines.push({ level, event, fields });
  }

  debug = (event: string, fields?: LogFields) => this.log("debug", event, fields);
  info = (event: string, fields?: LogFields) => this.log("info", event, fields);
  warning = (event: string, fields?: LogFields) => this.log("warning", event, fields);
  error = (event: string, fields?: LogFields) => this.log("error", event, fields);

  audit({ action, actor, detail }: AuditRecord): void {
    this.log("info", "audit", { action, actor, detail });
  }

  of(event: string): Logged[] {
    return this.lines.filter((line) => line.event === event);
  }
}

export const silentLogger: Logger = {
  log: () => {},
  debug: () => {},
  info: () => {},
  warning: () => {},
  error: () => {},
  audit: () => {},
};
