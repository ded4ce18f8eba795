import type { SectionSpec } from "./declaration.ts";

export const environments = {
  name: "environments",
  help: "Where the values behind env() come from.",
  keys: {
    dir: {
      type: "string",
      default: "environments",
      inEffect: true,
      help: "Directory of the <environment>.toml value files, relative to base_dir.",
    },
    base_dir: {
      type: "string",
      default: "",
      inEffect: true,
      flag: "--project-root",
      help: "Anchor of dir; empty is the working directory.",
    },
  },
} as const satisfies SectionSpec;
