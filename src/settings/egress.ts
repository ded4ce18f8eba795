import type { SectionSpec } from "./declaration.ts";

export const egress = {
  name: "egress",
  help: "Where messages may go; an empty list is open unless deny_by_default is set.",
  keys: {
    allowed_mllp: {
      type: "list",
      default: [],
      inEffect: true,
      help: "MLLP destinations, host or host:port.",
    },
    allowed_tcp: {
      type: "list",
      default: [],
      inEffect: true,
      help: "TCP destinations, host or host:port.",
    },
    allowed_file_dirs: {
      type: "list",
      default: [],
      inEffect: true,
      help: "Directories files may be written to, themselves or below.",
    },
    allowed_http: {
      type: "list",
      default: [],
      inEffect: true,
      help: "HTTP destinations, host or host:port.",
    },
    allowed_db: {
      type: "list",
      default: [],
      inEffect: true,
      help: "Database servers, both ways, host or host:port.",
    },
    allowed_remote: {
      type: "list",
      default: [],
      inEffect: true,
      help: "SFTP and FTP servers, both ways, host or host:port.",
    },
    allowed_smtp: {
      type: "list",
      default: [],
      inEffect: true,
      help: "Mail servers that messages may be sent through, host or host:port.",
    },
    deny_by_default: {
      type: "boolean",
      default: false,
      inEffect: true,
      help: "An empty list refuses every destination of its kind.",
    },
  },
} as const satisfies SectionSpec;
