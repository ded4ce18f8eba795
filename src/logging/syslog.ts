/**
 * The syslog message of a record: RFC 5424, and RFC 6587 §3.4.2 (a line each) on a stream.
 *
 * ```
 * <12>1 2026-01-02T03:04:05.678Z - messagefoundry 4711 delivery.retried - {"time":…}
 * ```
 */
import type { LogLevel } from "./logger.ts";
import { type LogFormat, type LogRecord, renderRecord } from "./record.ts";

/** "User-level messages", RFC 5424 §6.2.1: the one facility every collector keeps apart from its own. */
const FACILITY_USER = 1;

/** RFC 5424 §6.2.1. */
const SEVERITY: Readonly<Record<LogLevel, number>> = {
  critical: 2,
  error: 3,
  warning: 4,
  info: 6,
  debug: 7,
};

/**
 * Bytes of one message at most, with its header: what rsyslog takes by default, and what still fits
 * one UDP datagram (RFC 5424 §6.1 asks receivers for 2,048 and leaves them to cut the rest).
 */
export const MESSAGE_BYTES_MAX = 8_192;

const MSGID_MAX = 32;
const LINE_FEED = 0x0a;

/**
 * Writes one message. HOSTNAME is nil: the process may not ask for its name (`--allow-sys`), and the
 * collector knows the sender's address better. MSGID is the event. There is no byte order mark before
 * the text (§6.4 allows its absence): it would stand before the record's first brace.
 */
export function syslogMessage(
  record: LogRecord,
  { format, processId }: { readonly format: LogFormat; readonly processId: number },
): Uint8Array<ArrayBuffer> {
  const priority = FACILITY_USER * 8 + SEVERITY[record.level];
  const time = new Date(record.atMs).toISOString();
  const messageId = record.event.replace(/[^\x21-\x7e]/g, "").slice(0, MSGID_MAX) || "-";
  const header = `<${priority}>1 ${time} - messagefoundry ${processId} ${messageId} - `;
  const whole = encoder.encode(header + renderRecord(record, format));
  if (whole.length <= MESSAGE_BYTES_MAX) return whole;
  return shortMessage(record, { header, format });
}

/** Shortens the record, not the bytes: an object cut in two would be no JSON. */
function shortMessage(
  record: LogRecord,
  { header, format }: { readonly header: string; readonly format: LogFormat },
): Uint8Array<ArrayBuffer> {
  for (let units = record.message.length;; units = Math.floor(units * 0.7)) {
    const bytes = encoder.encode(header + renderRecord(record.shortened(units), format));
    if (bytes.length <= MESSAGE_BYTES_MAX) return bytes;
  }
}

/**
 * Joins messages as a stream carries them: each ends with a line feed, of which a record has none.
 * Source: RFC 6587 §3.4.2, spec pipeline-store-cluster §9.4.
 */
export function lineFramed(messages: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(messages.reduce((sum, { length }) => sum + length + 1, 0));
  let at = 0;
  for (const message of messages) {
    bytes.set(message, at);
    at += message.length;
    bytes[at++] = LINE_FEED;
  }
  return bytes;
}

const encoder = new TextEncoder();
