/**
 * What the engine says about itself: events with fields, one record a line.
 *
 * Upstream: every room, through `Logger`. Downstream: standard output, read by the service
 * manager; free text passes the redactor first, always.
 * Not here: the audit log itself (`audit/`), alerts, and whatever would print a message.
 */
export { type AuditRecord, createLogger, type Log, type LoggerOptions, nullLogger } from "./log.ts";
export type { LogFields, Logger, LogLevel } from "./logger.ts";
export { redact, safeError, safeErrorChain, safeText, scrubControls } from "./redact.ts";
export { createSink, type Sink, type SinkOptions } from "./sink.ts";
