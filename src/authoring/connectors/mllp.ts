/**
 * Settings of the MLLP transport: HL7 version 2 over TCP or TLS, framed by 0x0B and 0x1C 0x0D.
 *
 * Source of keys and defaults: the connections reference, spec connectors-and-graph §2.1.
 */
import {
  isEnvironmentReference,
  type SettingDirection,
  type SettingProblem,
  type SettingSpec,
  type SettingValues,
  type TransportSchema,
} from "./schema.ts";

const settings = [
  {
    key: "host",
    type: "string",
    direction: "out",
    required: true,
    elsewhere: 'a listener binds "bind_address", else [inbound].bind_host',
    help: "Name or address of the partner.",
  },
  {
    key: "port",
    type: "integer",
    direction: "both",
    required: true,
    min: 1,
    max: 65_535,
    help: "Port to listen on (inbound) or to connect to (outbound).",
  },
  {
    key: "encoding",
    type: "string",
    direction: "both",
    default: "utf-8",
    help: "Character set of messages and acknowledgements.",
  },
  {
    key: "max_connections",
    type: "integer",
    direction: "in",
    default: 256,
    nullable: true,
    min: 1,
    help: "Connections open at once; a further one is closed at accept.",
  },
  {
    key: "receive_timeout",
    type: "number",
    direction: "in",
    default: 60,
    nullable: true,
    min: 0.001,
    help:
      "Seconds without a byte before the connection is closed; an open frame gets ten times it.",
  },
  {
    key: "max_frame_bytes",
    type: "integer",
    direction: "both",
    default: 16_777_216,
    nullable: true,
    min: 1,
    help: "Largest message taken in (inbound) or acknowledgement read (outbound), in bytes.",
  },
  {
    key: "connect_timeout",
    type: "number",
    direction: "out",
    default: 10,
    min: 0.001,
    help: "Seconds for the TCP connection and the TLS handshake together.",
  },
  {
    key: "timeout_seconds",
    type: "number",
    direction: "out",
    default: 30,
    min: 0.001,
    help: "Seconds to write a message, and again to wait for its acknowledgement.",
  },
  {
    key: "persistent",
    type: "boolean",
    direction: "out",
    default: true,
    help: "Keep one connection and reuse it; false opens one for each message.",
  },
  {
    key: "idle_timeout_seconds",
    type: "number",
    direction: "out",
    default: 60,
    nullable: true,
    min: 0.001,
    help: "Seconds of silence after which a kept connection is not reused.",
  },
  {
    key: "max_connection_age_seconds",
    type: "number",
    direction: "out",
    default: null,
    nullable: true,
    min: 0.001,
    help: "Seconds after which a kept connection is replaced.",
  },
  {
    key: "encoding_characters",
    type: "string",
    direction: "out",
    default: null,
    nullable: true,
    help: "Five distinct characters, MSH-1 then MSH-2: every message is rewritten with them.",
  },
  {
    key: "verify_ack_control_id",
    type: "string",
    direction: "out",
    enum: ["lenient", "strict"],
    help: "An acknowledgement without MSA-2: lenient (default) accepts it, strict does not.",
  },
  {
    key: "capture_response",
    type: "boolean",
    direction: "out",
    default: false,
    help: "Store the partner's acknowledgement with the delivery.",
  },
  {
    key: "reingress_to",
    type: "string",
    direction: "out",
    default: null,
    nullable: true,
    help: "Loopback inbound that takes in the stored acknowledgement as a message.",
  },
  {
    key: "tls",
    type: "boolean",
    direction: "both",
    default: false,
    help: "Speak TLS 1.2 or newer.",
  },
  {
    key: "tls_cert_file",
    type: "string",
    direction: "both",
    default: null,
    nullable: true,
    help: "PEM certificate: the listener's identity, or the client certificate.",
  },
  {
    key: "tls_key_file",
    type: "string",
    direction: "both",
    default: null,
    nullable: true,
    help: "PEM private key of tls_cert_file, when it is not in the same file.",
  },
  {
    key: "tls_key_password",
    type: "string",
    direction: "both",
    default: null,
    nullable: true,
    secret: true,
    help: "Passphrase of an encrypted private key.",
  },
  {
    key: "tls_ca_file",
    type: "string",
    direction: "both",
    default: null,
    nullable: true,
    help: "Inbound: demand client certificates of these authorities. " +
      "Outbound: trust these instead of the system's.",
  },
  {
    key: "tls_verify",
    type: "boolean",
    direction: "out",
    default: true,
    help: "Verify the partner's certificate; false needs MEFOR_ALLOW_INSECURE_TLS=1.",
  },
  {
    key: "tls_check_hostname",
    type: "boolean",
    direction: "out",
    default: true,
    help: "Match the certificate to host; false needs tls_ca_file or MEFOR_ALLOW_INSECURE_TLS=1.",
  },
] as const satisfies readonly SettingSpec[];

export const mllpSchema = {
  type: "mllp",
  listen: true,
  poll: false,
  settings,
  rules: mllpRules,
} as const satisfies TransportSchema;

function mllpRules(
  direction: SettingDirection,
  values: SettingValues,
): readonly SettingProblem[] {
  const problems: SettingProblem[] = [];
  const tell = (key: string, message: string) => problems.push({ key, message });
  if (direction === "in" && values.tls === true && isUnset(values.tls_cert_file)) {
    tell("tls_cert_file", 'Setting "tls_cert_file" is required on a listener with "tls"');
  }
  if (!isUnset(values.tls_key_file) && isUnset(values.tls_cert_file)) {
    tell("tls_cert_file", 'Setting "tls_cert_file" is required with "tls_key_file"');
  }
  if (isWideCharset(values.encoding)) {
    tell(
      "encoding",
      'Setting "encoding" must be a character set in which 0x0B and 0x1C are not part of ' +
        "other characters; UTF-16 and UTF-32 cannot be framed",
    );
  }
  const delimiters = values.encoding_characters;
  if (typeof delimiters === "string" && !isDelimiterSet(delimiters)) {
    tell(
      "encoding_characters",
      'Setting "encoding_characters" must be five distinct visible ASCII characters that are ' +
        "neither letters nor digits",
    );
  }
  return problems;
}

function isUnset(value: unknown): boolean {
  return value === undefined || value === null;
}

function isWideCharset(value: unknown): boolean {
  return !isEnvironmentReference(value) && typeof value === "string" &&
    /^(unicode[ _-]?)?(utf|ucs)[-_ ]?(16|32|2|4)/i.test(value.trim());
}

/** A letter or digit as delimiter would cut every name; a control character breaks the framing. */
function isDelimiterSet(text: string): boolean {
  return /^[!-/:-@[-`{-~]{5}$/.test(text) && new Set(text).size === 5;
}
