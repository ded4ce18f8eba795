import type { SectionSpec } from "./declaration.ts";

export const reference = {
  name: "reference",
  help: "Keeping reference sets in step with their sources.",
  keys: {
    refresh_interval_seconds: {
      type: "number",
      unit: "seconds",
      default: 3600,
      min: 0,
      exclusiveMin: true,
      inEffect: true,
      help: "Time between two reads of a source whose set says nothing of it.",
    },
    sync_on_startup: {
      type: "boolean",
      default: true,
      inEffect: true,
      help: "Read every set before listeners open.",
    },
    max_staleness_seconds: {
      type: "number",
      unit: "seconds",
      default: 0,
      min: 0,
      inEffect: false,
      help: "Reserved; 0 is off.",
    },
  },
} as const satisfies SectionSpec;
