import type { SectionSpec } from "./declaration.ts";

export const shadow = {
  name: "shadow",
  help: "Running beside the engine that still delivers.",
  keys: {
    simulate_all_egress: {
      type: "boolean",
      default: false,
      inEffect: true,
      help: "Every outbound only pretends to send.",
    },
  },
} as const satisfies SectionSpec;
