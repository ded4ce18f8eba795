/**
 * What stands beside a connection's transport: router, content, acknowledgement, retry, ordering.
 *
 * Upstream: `inbound()` and `outbound()`, and the reader of `connections.toml`; both have the same
 * table and the same refusals. Keys are snake_case. Source: spec connectors-and-graph §1.3, §1.4.
 */
import type { ContentType } from "../hl7/surface.ts";
import type { TransportSchema } from "./connectors/schema.ts";

type Values = Readonly<Record<string, unknown>>;

/** Returns what is wrong with a value, to stand after `Option "key" `, or undefined. */
type Check = (value: unknown) => string | undefined;

/** Every content type an inbound can have. */
export const contentTypes = [
  "hl7v2",
  "json",
  "xml",
  "text",
  "x12",
  "fhir",
  "binary",
  "dicom",
] as const satisfies readonly ContentType[];

export type AckMode = "original" | "enhanced" | "none";
export type Ordering = "fifo" | "unordered";
export type InternalErrorPolicy = "continue" | "stop";

const inboundChecks: Readonly<Record<string, Check>> = {
  router: text,
  content_type: oneOf(contentTypes),
  ack_mode: oneOf(["original", "enhanced", "none"]),
  ack_after: ackAfter,
  strict: flag,
  hl7_version: text,
  bind_address: text,
  source_ip_allowlist: addressList,
  messages_days: days,
  capture_connection_errors: flag,
  metadata: table,
};

/**
 * Options that the connections reference names and this engine does not carry out. A promise that
 * nobody keeps is refused.
 */
const notBuilt: Readonly<Record<string, string>> = {
  priority: "no profile of a disaster recovery reads it",
  shard: "one process takes in all messages",
  stall: 'use "buildup" with max_oldest_seconds',
  capture_ack: "acknowledgements that are sent are not recorded",
  capture_connection_errors: "connection events are recorded for every connection",
  messages_days: "use [retention].messages_days",
  dead_letter_days: "use [retention].dead_letter_days",
  prune_documents_after: "documents are not taken out of messages",
  prune_documents_min_bytes: "documents are not taken out of messages",
  inline: "the engine decides by itself when it routes and transforms at once",
};

const outboundChecks: Readonly<Record<string, Check>> = {
  ordering: oneOf(["fifo", "unordered"]),
  internal_error: oneOf(["continue", "stop"]),
  simulate: flag,
  retry: tableOf({
    max_attempts: wholeOrOff,
    backoff_seconds: atLeast(0),
    backoff_multiplier: atLeast(1),
    max_backoff_seconds: atLeast(0),
  }),
  buildup: tableOf({ max_depth: wholeOrOff, max_oldest_seconds: secondsOrOff }),
  dead_letter_days: days,
  metadata: table,
};

/** Option keys by side, snake_case, nested ones included; for mapping tests and the reference. */
export const optionKeys = {
  inbound: Object.keys(inboundChecks),
  outbound: Object.keys(outboundChecks),
  retry: ["max_attempts", "backoff_seconds", "backoff_multiplier", "max_backoff_seconds"],
  buildup: ["max_depth", "max_oldest_seconds"],
} as const;

/** Returns everything wrong with the options of an inbound. Nothing here is resolved or defaulted. */
export function checkInboundOptions(
  transport: Pick<TransportSchema, "type" | "listen">,
  options: Values,
): readonly string[] {
  const problems = checkTable(inboundChecks, options);
  if (options.router === undefined) problems.push('Option "router" is required');
  if (!transport.listen) {
    for (const key of ["bind_address", "source_ip_allowlist", "capture_connection_errors"]) {
      if (options[key] === undefined || options[key] === false) continue;
      problems.push(`Option "${key}" needs a transport that listens, not "${transport.type}"`);
    }
  }
  if (transport.type === "loopback") {
    for (const key of ["strict", "hl7_version"]) {
      if (options[key] === undefined) continue;
      problems.push(`Option "${key}" needs a partner's messages, and a loopback has no partner`);
    }
    if (options.ack_mode !== undefined && options.ack_mode !== "none") {
      problems.push('Option "ack_mode" must be "none" on a loopback: nobody waits for an answer');
    }
  }
  const isHl7 = (options.content_type ?? "hl7v2") === "hl7v2";
  if (options.strict === true && !isHl7) {
    problems.push('Option "strict" needs content type "hl7v2"');
  }
  if (options.hl7_version !== undefined && options.strict !== true) {
    problems.push('Option "hl7_version" needs "strict"');
  }
  if (!isHl7 && options.ack_mode !== undefined && options.ack_mode !== "none") {
    problems.push('Option "ack_mode" needs content type "hl7v2"');
  }
  return problems;
}

/** Returns everything wrong with the options of an outbound. */
export function checkOutboundOptions(options: Values): readonly string[] {
  return checkTable(outboundChecks, options);
}

function checkTable(checks: Readonly<Record<string, Check>>, values: Values): string[] {
  const problems: string[] = [];
  for (const [key, value] of Object.entries(values)) {
    const check = Object.hasOwn(checks, key) ? checks[key] : undefined;
    const problem = check === undefined
      ? Object.hasOwn(notBuilt, key) ? `is not supported: ${notBuilt[key]}` : "is unknown"
      : value === undefined
      ? undefined
      : check(value);
    if (problem !== undefined) problems.push(`Option "${key}" ${problem}`);
  }
  return problems;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value.trim() !== ""
    ? undefined
    : "must be a string that is not blank";
}

function flag(value: unknown): string | undefined {
  return typeof value === "boolean" ? undefined : "must be true or false";
}

function table(value: unknown): string | undefined {
  return isTable(value) ? undefined : "must be a table";
}

function isTable(value: unknown): value is Values {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function oneOf(values: readonly string[]): Check {
  const wanted = values.map((value) => `"${value}"`).join(", ");
  return (value) =>
    typeof value === "string" && values.includes(value) ? undefined : `must be one of ${wanted}`;
}

function atLeast(least: number): Check {
  return (value) =>
    typeof value === "number" && Number.isFinite(value) && value >= least
      ? undefined
      : `must be a number of at least ${least}`;
}

/** null and 0 switch it off; TOML has no null. */
function wholeOrOff(value: unknown): string | undefined {
  return value === null || (Number.isSafeInteger(value) && (value as number) >= 0)
    ? undefined
    : "must be a whole number of at least 1, or null or 0 for none";
}

/** Whole days, as `[retention]` has them. */
function days(value: unknown): string | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0
    ? undefined
    : "must be a whole number of days, or 0 to keep";
}

function secondsOrOff(value: unknown): string | undefined {
  return value === null || atLeast(0)(value) === undefined
    ? undefined
    : "must be a number of at least 0, or null or 0 for none";
}

function tableOf(checks: Readonly<Record<string, Check>>): Check {
  return (value) => {
    if (!isTable(value)) return "must be a table";
    const problem = checkTable(checks, value)[0];
    return problem && `cannot be taken: ${problem.replace(/^Option/, "key")}`;
  };
}

function ackAfter(value: unknown): string | undefined {
  if (value === "ingest") return undefined;
  return value === "delivered"
    ? 'cannot be "delivered": that is reserved, and a message is acknowledged once it is stored'
    : 'must be "ingest"';
}

function addressList(value: unknown): string | undefined {
  if (!Array.isArray(value)) return "must be a list of addresses";
  return value.every((entry) => typeof entry === "string" && isAddressRange(entry))
    ? undefined
    : "must hold IP addresses and CIDR ranges only";
}

function isAddressRange(entry: string): boolean {
  const [address = "", bits, ...rest] = entry.split("/");
  if (rest.length > 0) return false;
  const width = isIpv4(address) ? 32 : isIpv6(address) ? 128 : 0;
  return width > 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= width));
}

function isIpv4(address: string): boolean {
  const parts = address.split(".");
  return parts.length === 4 &&
    parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
}

/** Source: RFC 4291 §2.2. */
function isIpv6(address: string): boolean {
  const halves = address.split("::");
  if (halves.length > 2) return false;
  let groups = 0;
  for (const [index, half] of halves.entries()) {
    if (half === "") continue;
    const parts = half.split(":");
    const isLast = index === halves.length - 1;
    if (isLast && isIpv4(parts.at(-1) ?? "")) parts.splice(-1, 1, "0", "0");
    if (!parts.every((part) => /^[0-9a-fA-F]{1,4}$/.test(part))) return false;
    groups += parts.length;
  }
  return halves.length === 2 ? groups <= 7 : groups === 8;
}
