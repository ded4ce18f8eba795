import type { SectionSpec } from "./declaration.ts";

export const engine = {
  name: "engine",
  help: "The process itself.",
  keys: {
    shutdown_timeout_seconds: {
      type: "integer",
      unit: "seconds",
      default: 30,
      min: 0,
      inEffect: true,
      help: "Time a clean stop may take before what is left is cancelled.",
    },
    data_dir: {
      type: "string",
      default: ".",
      inEffect: true,
      help: "Base of relative data paths.",
    },
  },
} as const satisfies SectionSpec;
