import type { SectionSpec } from "./declaration.ts";

export const retention = {
  name: "retention",
  help: "How long bodies are kept; rows, counts and audit stay.",
  keys: {
    messages_days: {
      type: "integer",
      unit: "days",
      default: 0,
      min: 0,
      inEffect: true,
      help: "Age at which bodies of finished messages are blanked; 0 keeps them.",
    },
    dead_letter_days: {
      type: "integer",
      unit: "days",
      default: 0,
      min: 0,
      inEffect: true,
      help: "Age at which bodies of dead letters are blanked; 0 keeps them.",
    },
    state_max_age_days: {
      type: "integer",
      unit: "days",
      default: 0,
      min: 0,
      inEffect: true,
      help: "Age at which transform state is deleted; 0 keeps it.",
    },
    audit_days: {
      type: "integer",
      unit: "days",
      default: 0,
      min: 0,
      inEffect: false,
      help: "Reserved; the audit log is kept for ever.",
    },
    max_db_mb: {
      type: "integer",
      unit: "megabytes",
      default: 0,
      min: 0,
      inEffect: true,
      help: "Database size that raises storage_threshold; 0 is off.",
    },
    purge_interval_seconds: {
      type: "number",
      unit: "seconds",
      default: 3600,
      min: 0,
      exclusiveMin: true,
      inEffect: true,
      help: "Time between two passes.",
    },
    wal_checkpoint_seconds: {
      type: "number",
      unit: "seconds",
      default: 0,
      min: 0,
      inEffect: true,
      help: "Time between two truncating WAL checkpoints (SQLite); 0 leaves it to the database.",
    },
    vacuum_at: {
      type: "string",
      default: "",
      inEffect: true,
      help:
        'Local time "HH:MM" at which free pages are given back each day (SQLite); empty is off.',
    },
  },
} as const satisfies SectionSpec;
