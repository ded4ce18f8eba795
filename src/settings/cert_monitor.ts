import type { SectionSpec } from "./declaration.ts";

export const certMonitor = {
  name: "cert_monitor",
  help: "Watching certificates run out.",
  keys: {
    warn_days: {
      type: "integer",
      unit: "days",
      default: 30,
      min: 0,
      inEffect: true,
      help: "Raise cert_expiry this long before the end; 0 is off.",
    },
    check_interval_seconds: {
      type: "number",
      unit: "seconds",
      default: 43200,
      min: 0,
      exclusiveMin: true,
      inEffect: true,
      help: "Time between two looks.",
    },
  },
} as const satisfies SectionSpec;
