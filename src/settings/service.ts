import type { SectionSpec } from "./declaration.ts";

export const service = {
  name: "service",
  help: "How the service manager of the machine runs the engine.",
  keys: {
    name: { type: "string", inEffect: false, help: "Name of the service." },
    auto_restart: {
      type: "boolean",
      default: true,
      inEffect: false,
      help: "Restart after a crash.",
    },
    stdout_log: { type: "string", inEffect: false, help: "File that takes standard output." },
    stderr_log: { type: "string", inEffect: false, help: "File that takes standard error." },
  },
} as const satisfies SectionSpec;
