/** What is wrong with a bundle: every reason at once, each with its place. */
import { GraphError } from "../authoring/errors.ts";
import type { SourcePosition } from "../sandbox/protocol.ts";

export type Severity = "error" | "warning";

/** One finding. The message may quote names and keys, never a value. */
export interface GraphProblem {
  readonly message: string;
  readonly severity: Severity;
  /** Relative to the bundle, with `/`; absolute for files outside it. */
  readonly file: string | undefined;
  /** Counts from 1. */
  readonly line: number | undefined;
}

/** Makes an error at a place. */
export function problemAt(
  position: Partial<SourcePosition> | undefined,
  message: string,
): GraphProblem {
  return { message, severity: "error", file: position?.file, line: position?.line };
}

/** Makes a warning at a place. */
export function warningAt(
  position: Partial<SourcePosition> | undefined,
  message: string,
): GraphProblem {
  return { ...problemAt(position, message), severity: "warning" };
}

/**
 * Returns why the operating system, or this process's permissions, did not let something be read;
 * undefined for what is no such failure.
 */
export function readFault(thrown: unknown): string | undefined {
  if (thrown instanceof Deno.errors.NotCapable) return "this process may not";
  if (thrown instanceof Deno.errors.PermissionDenied) return "the operating system refuses it";
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  return /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}

/** Returns the finding with its place in front: `graph/adt.ts:12: …`. */
export function graphProblemText({ file, line, message }: GraphProblem): string {
  if (file === undefined) return message;
  return line === undefined ? `${file}: ${message}` : `${file}:${line}: ${message}`;
}

/** The bundle cannot be run; `problems` holds every reason, and the warnings beside them. */
export class BundleError extends GraphError {
  readonly problems: readonly GraphProblem[];

  constructor(bundleDir: string, problems: readonly GraphProblem[]) {
    const errors = problems.filter(({ severity }) => severity === "error");
    super("graph.invalid", describe(bundleDir, errors), {
      hint:
        'Run "messagefoundry validate" on the bundle, and "messagefoundry permissions --env NAME" ' +
        "for values and [egress]; a graph that runs goes on unchanged",
    });
    this.problems = problems;
  }
}

function describe(bundleDir: string, errors: readonly GraphProblem[]): string {
  const lines = errors.map(graphProblemText);
  if (lines.length === 1) return `Cannot load graph "${bundleDir}": ${lines[0]}`;
  return `Cannot load graph "${bundleDir}", ${lines.length} problems:\n${
    lines.map((line) => `  - ${line}`).join("\n")
  }`;
}

/** Sorts by file, then line; findings without a place come first. */
export function inOrder(problems: readonly GraphProblem[]): readonly GraphProblem[] {
  const unique = new Map(problems.map((problem) => [graphProblemText(problem), problem]));
  return [...unique.values()].sort((a, b) =>
    compareText(a.file ?? "", b.file ?? "") || (a.line ?? 0) - (b.line ?? 0)
  );
}

/** Compares by code units, the same on every machine. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
