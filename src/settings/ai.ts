import type { SectionSpec } from "./declaration.ts";

export const ai = {
  name: "ai",
  help: "The active environment, its posture, and the policy for coding assistants.",
  keys: {
    mode: {
      type: "enum",
      values: ["off", "byo", "managed_claude", "managed_claude_baa"],
      default: "byo",
      inEffect: true,
      help: "Which coding assistant the editor may use.",
    },
    data_scope: {
      type: "enum",
      values: ["code_only", "synthetic", "deidentified", "phi"],
      default: "code_only",
      inEffect: true,
      help: "The most sensitive data an assistant may see; capped by posture and mode.",
    },
    environment: {
      type: "string",
      inEffect: true,
      flag: "--env",
      help: "Name of the active environment; selects environments/<name>.toml. serve needs one.",
    },
    data_class: {
      type: "enum",
      values: ["synthetic", "phi"],
      inEffect: true,
      help: "Whether real patients stand behind the data; derived for dev, staging and prod.",
    },
    production: {
      type: "boolean",
      inEffect: true,
      help: "Whether this is a production instance; derived for dev, staging and prod.",
    },
    provider: {
      type: "string",
      default: "claude",
      inEffect: false,
      help: "Reserved for the assistant broker.",
    },
    model: {
      type: "string",
      default: "claude-opus-4-8",
      inEffect: false,
      help: "Reserved for the assistant broker.",
    },
    baa_attested: {
      type: "boolean",
      default: false,
      inEffect: false,
      help: "Reserved for the assistant broker.",
    },
    endpoint: { type: "string", inEffect: false, help: "Reserved for the assistant broker." },
  },
} as const satisfies SectionSpec;
