import type { SectionSpec } from "./declaration.ts";

export const service = {
  name: "service",
  help: "How a service manager runs the engine; read when its unit is written.",
  keys: {
    name: {
      type: "string",
      inEffect: true,
      help: "Name of the unit and of its lines in the journal; messagefoundry when left out.",
    },
    auto_restart: {
      type: "boolean",
      default: true,
      inEffect: true,
      help: "Restart after a crash.",
    },
    stdout_log: {
      type: "string",
      inEffect: true,
      help: "File that takes standard output; the journal when left out.",
    },
    stderr_log: {
      type: "string",
      inEffect: true,
      help: "File that takes standard error; the journal when left out.",
    },
  },
} as const satisfies SectionSpec;
