import type { SectionSpec } from "./declaration.ts";

export const pipeline = {
  name: "pipeline",
  help: "Limits of the walk itself.",
  keys: {
    max_correlation_depth: {
      type: "integer",
      default: 8,
      min: 1,
      inEffect: true,
      help: "How often a reply may come back in as a message before the chain is cut.",
    },
  },
} as const satisfies SectionSpec;
