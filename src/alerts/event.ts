/**
 * What can happen that needs a person, and how it is told. Pure.
 *
 * An event holds names, codes, counts and times, each of a shape of its own: there is no field that
 * a text of a message, or of an error about one, could come in by. Source: spec
 * pipeline-store-cluster §8.
 */

export type Severity = "info" | "warning" | "critical";
export type Transport = "webhook" | "email";

/** A lane or a source came to a halt. */
export interface ConnectionStopped {
  readonly type: "connection_stopped";
  readonly connection: string;
  /** A stable code of ours, or the class of an error: `"connector.bind_failed"`, `"TypeError"`. */
  readonly code: string;
  /** The row it stopped at, when it was one. */
  readonly row: number | undefined;
}

/** A lane is deeper, or its oldest row older, than its thresholds allow. */
export interface QueueBuildup {
  readonly type: "queue_buildup";
  readonly connection: string;
  /** Rows waiting or in flight. */
  readonly depth: number;
  /** Undefined while nobody knows. */
  readonly oldestAgeMs: number | undefined;
}

/** The store is larger than `[retention] max_db_mb`. */
export interface StorageThreshold {
  readonly type: "storage_threshold";
  /** Which store: its path. */
  readonly connection: string;
  readonly sizeBytes: number;
  readonly limitBytes: number;
}

/** A certificate has run out, or soon will. */
export interface CertificateExpiry {
  readonly type: "cert_expiry";
  /** A connection, or `api`. */
  readonly connection: string;
  readonly path: string;
  /** Milliseconds since the epoch. */
  readonly notAfter: number;
  /** Whole days left, rounded down; negative once it has run out. */
  readonly daysRemaining: number;
}

export type AlertEvent = ConnectionStopped | QueueBuildup | StorageThreshold | CertificateExpiry;
export type AlertType = AlertEvent["type"];

/** What the throttle and the store's instances tell events apart by. */
export function keyOf({ type, connection }: Pick<AlertEvent, "type" | "connection">): string {
  return `${type} ${connection}`;
}

/** One sentence for people. */
export function reasonOf(event: AlertEvent): string {
  switch (event.type) {
    case "connection_stopped": {
      const at = event.row === undefined ? "" : ` at row ${event.row}`;
      return `stopped${at}: ${plainCode(event.code)}`;
    }
    case "queue_buildup": {
      const age = seconds(event.oldestAgeMs);
      return `${event.depth} rows wait${age === null ? "" : `, the oldest for ${age} s`}`;
    }
    case "storage_threshold":
      return `${event.sizeBytes} bytes, the limit is ${event.limitBytes}`;
    case "cert_expiry": {
      const { path, daysRemaining: days } = event;
      const end = new Date(event.notAfter).toISOString();
      return days < 0
        ? `"${path}" ran out on ${end}`
        : `"${path}" runs out on ${end}, in ${days} d`;
    }
  }
}

/** What a webhook gets of an event beside its severity and its time. */
export function payloadOf(event: AlertEvent): Readonly<Record<string, string | number | null>> {
  const { type, connection } = event;
  switch (event.type) {
    case "connection_stopped":
      return { type, connection, detail: reasonOf(event) };
    case "queue_buildup": {
      const { depth, oldestAgeMs } = event;
      return { type, connection, depth, oldest_age_seconds: seconds(oldestAgeMs) };
    }
    case "storage_threshold":
      return { type, connection, size_bytes: event.sizeBytes, limit_bytes: event.limitBytes };
    case "cert_expiry":
      return {
        type,
        connection,
        path: event.path,
        not_after: new Date(event.notAfter).toISOString(),
        days_remaining: event.daysRemaining,
      };
  }
}

/** A code of ours, or the class of an error; author code may name its own errors what it likes. */
const PLAIN_CODE =
  /^([a-z_]+\.[a-z0-9_]+|([A-Z][A-Za-z0-9]*)?(Error|Exception)|Handler(Timeout|Crash))$/;

function plainCode(code: string): string {
  return code.length <= 64 && PLAIN_CODE.test(code) ? code : "Error";
}

/** To a tenth. */
function seconds(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms / 100) / 10;
}
