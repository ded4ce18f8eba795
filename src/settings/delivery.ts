import type { SectionSpec } from "./declaration.ts";

export const delivery = {
  name: "delivery",
  help: "What outbound connections inherit when they declare nothing.",
  keys: {
    retry_max_attempts: {
      type: "integer",
      min: 1,
      inEffect: true,
      help: "Attempts before a delivery becomes a dead letter; unset retries for ever.",
    },
    retry_backoff_seconds: {
      type: "number",
      unit: "seconds",
      default: 5,
      min: 0,
      inEffect: true,
      help: "Wait after the first failed attempt.",
    },
    retry_backoff_multiplier: {
      type: "number",
      default: 2,
      min: 1,
      inEffect: true,
      help: "Factor by which each further wait grows.",
    },
    retry_max_backoff_seconds: {
      type: "number",
      unit: "seconds",
      default: 300,
      min: 0,
      inEffect: true,
      help: "Longest wait between two attempts.",
    },
    ordering: {
      type: "enum",
      values: ["fifo", "unordered"],
      default: "fifo",
      inEffect: true,
      help: "fifo keeps a lane's order and waits for its head; unordered passes failures by.",
    },
    internal_error: {
      type: "enum",
      values: ["continue", "stop"],
      default: "continue",
      inEffect: true,
      help: "After an error of our own: dead-letter the row and continue, or stop the lane.",
    },
    buildup_max_depth: {
      type: "integer",
      min: 1,
      inEffect: true,
      help: "Open rows of a lane that raise queue_buildup; unset is off.",
    },
    buildup_max_oldest_seconds: {
      type: "number",
      unit: "seconds",
      default: 300,
      min: 0,
      inEffect: true,
      help: "Age of a lane's oldest open row that raises queue_buildup; 0 is off.",
    },
    outbox_workers: {
      type: "integer",
      min: 1,
      inEffect: false,
      help: "Deliveries at once; planned.",
    },
    dead_letter: {
      type: "enum",
      values: ["keep", "drop"],
      default: "keep",
      inEffect: false,
      help: "What becomes of dead letters; planned.",
    },
  },
} as const satisfies SectionSpec;
