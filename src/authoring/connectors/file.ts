/**
 * Settings of the File transport: a polled directory, or one file for each message.
 *
 * Source of keys and defaults: the connections reference, spec connectors-and-graph §2.3.
 */
import type {
  SettingDirection,
  SettingProblem,
  SettingSpec,
  SettingValues,
  TransportSchema,
} from "./schema.ts";

const settings = [
  {
    key: "directory",
    type: "string",
    direction: "both",
    required: true,
    help: "Directory to read from or to write to; created when missing.",
  },
  {
    key: "pattern",
    type: "string",
    direction: "in",
    default: "*.hl7",
    help: "Which file names are read: * ? [a-z] [!a-z], no path.",
  },
  {
    key: "poll_seconds",
    type: "number",
    direction: "in",
    default: 1,
    min: 0.01,
    max: 86_400,
    help: "Seconds between scans.",
  },
  {
    key: "min_age_seconds",
    type: "number",
    direction: "in",
    default: 0,
    min: 0,
    help:
      "Skip files changed more recently than this many seconds ago; longer than a writer may pause.",
  },
  {
    key: "after_read",
    type: "string",
    direction: "in",
    default: "move",
    enum: ["move", "delete"],
    help: "What becomes of a file whose messages are all stored.",
  },
  {
    key: "sort",
    type: "string",
    direction: "in",
    default: "name",
    enum: ["name", "mtime"],
    help: "Order in which the files of one scan are read.",
  },
  {
    key: "recursive",
    type: "boolean",
    direction: "in",
    default: false,
    help: "Read directories below it too; a moved file keeps its sub-path.",
  },
  {
    key: "max_file_bytes",
    type: "integer",
    direction: "in",
    default: 16_777_216,
    nullable: true,
    min: 1,
    help: "Largest file read, in bytes; a larger one goes to error_subdir.",
  },
  {
    key: "processed_subdir",
    type: "string",
    direction: "in",
    default: ".processed",
    help: "Where read files go, below directory; never scanned.",
  },
  {
    key: "error_subdir",
    type: "string",
    direction: "in",
    default: ".error",
    help: "Where files that cannot be taken in go, below directory; never scanned.",
  },
  {
    key: "filename",
    type: "string",
    direction: "out",
    default: "{MSH-10}.hl7",
    help: "Name of each file; {SEG-F}, {SEG-F.C} and {SEG-F.C.S} read from the payload.",
  },
  {
    key: "overwrite",
    type: "boolean",
    direction: "out",
    default: false,
    help: "Replace a file of the same name; false writes name-1, name-2 and so on.",
  },
  {
    key: "encoding",
    type: "string",
    direction: "both",
    default: "utf-8",
    help: "Character set of the files.",
  },
] as const satisfies readonly SettingSpec[];

export const fileSchema = {
  type: "file",
  listen: false,
  poll: true,
  settings,
  rules: fileRules,
} as const satisfies TransportSchema;

function fileRules(
  direction: SettingDirection,
  values: SettingValues,
): readonly SettingProblem[] {
  if (direction !== "in") return [];
  const problems: SettingProblem[] = [];
  for (const key of ["processed_subdir", "error_subdir"]) {
    const path = values[key];
    if (typeof path === "string" && !staysBelow(path)) {
      problems.push({ key, message: `Setting "${key}" must be a path below "directory"` });
    }
  }
  const processed = values.processed_subdir ?? ".processed";
  if (typeof processed === "string" && processed === (values.error_subdir ?? ".error")) {
    problems.push({
      key: "error_subdir",
      message: 'Setting "error_subdir" must differ from "processed_subdir"',
    });
  }
  if (typeof values.pattern === "string" && /[/\\]/.test(values.pattern)) {
    problems.push({
      key: "pattern",
      message: 'Setting "pattern" matches file names and must not hold a path',
    });
  }
  return problems;
}

function staysBelow(path: string): boolean {
  if (/^[/\\]|^[A-Za-z]:/.test(path)) return false;
  const parts = path.split(/[/\\]/);
  return parts.every((part) => part !== ".." && part !== "." && part !== "");
}
