/**
 * What the engine says about itself: events with fields, one record a line.
 *
 * Upstream: every room, through `Logger`. Downstream: standard output, read by the service manager,
 * and a syslog collector when one is set; every record passes the redactor first, always.
 * Not here: the audit log itself (`audit/`), alerts, and whatever would print a message.
 */
export { type CollectorAddress, datagramSource } from "./collector_link.ts";
export { type Forwarder, type ForwarderOptions, startForwarder } from "./forwarder.ts";
export { createLogger, type Log, type LoggerOptions, type LogSink, nullLogger } from "./log.ts";
export type { LogFields, Logger, LogLevel } from "./logger.ts";
export { type OpenLog, openLog, type OpenLogOptions } from "./open.ts";
export { type AuditRecord, type LogFormat, LogRecord, renderRecord } from "./record.ts";
export { redact, safeText, scrubControls } from "./redact.ts";
export { createSink, type Sink, type SinkOptions } from "./sink.ts";
