import type { SectionSpec } from "./declaration.ts";

export const logging = {
  name: "logging",
  help: "What is written to standard output, and what leaves for a collector.",
  keys: {
    level: {
      type: "enum",
      values: ["debug", "info", "warning", "error", "critical"],
      default: "info",
      inEffect: true,
      flag: "--log-level",
      help: "Lowest level written; production refuses debug.",
    },
    format: {
      type: "enum",
      values: ["text", "json"],
      default: "text",
      inEffect: true,
      help: "One line of text a record, or one JSON object.",
    },
    forward_enabled: {
      type: "boolean",
      default: false,
      inEffect: true,
      help: "Send a copy of every record to a syslog collector; needs forward_host.",
    },
    forward_host: {
      type: "string",
      inEffect: true,
      help: "Host name or address of the collector.",
    },
    forward_port: {
      type: "integer",
      default: 514,
      min: 1,
      max: 65535,
      inEffect: true,
      help: "Port of the collector.",
    },
    forward_protocol: {
      type: "enum",
      values: ["udp", "tcp"],
      default: "udp",
      inEffect: true,
      help: "How records travel: as datagrams, or over one connection; in the clear.",
    },
    forward_format: {
      type: "enum",
      values: ["json", "text"],
      default: "json",
      inEffect: true,
      help: "Form of forwarded records, whatever format says.",
    },
    file: { type: "string", inEffect: false, help: "Log file; planned." },
    max_bytes: {
      type: "integer",
      unit: "bytes",
      min: 0,
      inEffect: false,
      help: "Size at which the log file is rotated; planned.",
    },
    backups: {
      type: "integer",
      min: 0,
      inEffect: false,
      help: "Rotated files kept; planned.",
    },
  },
} as const satisfies SectionSpec;
