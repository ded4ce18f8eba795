import type { SectionSpec } from "./declaration.ts";

export const security = {
  name: "security",
  help: "Reserved; sign-in stands in [auth], keys in [store].",
  keys: {
    encryption_at_rest: {
      type: "boolean",
      default: false,
      inEffect: false,
      help: "Reserved; [store] encryption_key and require_encryption decide.",
    },
  },
} as const satisfies SectionSpec;
