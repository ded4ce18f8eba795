import type { SectionSpec } from "./declaration.ts";

export const inbound = {
  name: "inbound",
  help: "Defaults of inbound connections.",
  keys: {
    bind_host: {
      type: "string",
      default: "127.0.0.1",
      inEffect: true,
      help: "Interface every listener binds unless its connection names bind_address.",
    },
    ack_after: {
      type: "enum",
      values: ["ingest", "delivered"],
      default: "ingest",
      inEffect: true,
      help: "When the sender is acknowledged; delivered is reserved and refused.",
    },
  },
} as const satisfies SectionSpec;
