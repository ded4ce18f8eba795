import type { SectionSpec } from "./declaration.ts";

export const approvals = {
  name: "approvals",
  help: "Acts that need a second person.",
  keys: {
    enabled: {
      type: "boolean",
      default: false,
      inEffect: true,
      help: "Hold the listed operations for an approver.",
    },
    operations: {
      type: "list",
      values: ["connection_purge", "dead_letter_replay", "config_reload"],
      default: ["connection_purge", "dead_letter_replay"],
      inEffect: true,
      help: "Operations that are held.",
    },
    expiry_hours: {
      type: "number",
      unit: "hours",
      default: 72,
      min: 0,
      inEffect: true,
      help: "Time after which a request can no longer be approved; 0 never.",
    },
  },
} as const satisfies SectionSpec;
