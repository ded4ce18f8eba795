import type { SectionSpec } from "./declaration.ts";

export const diagnostics = {
  name: "diagnostics",
  help: "Records about connections, without message content.",
  keys: {
    response_sent: {
      type: "boolean",
      default: true,
      inEffect: false,
      help: "Record which acknowledgement each message got.",
    },
    connection_events: {
      type: "boolean",
      default: true,
      inEffect: true,
      help: "Record connects, refusals and losses of listeners and partners.",
    },
  },
} as const satisfies SectionSpec;
