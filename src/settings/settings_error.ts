/** Everything that is wrong with the settings, found in one pass. */
import { EngineError } from "../errors.ts";

export interface SettingsProblem {
  /** One sentence; never holds a secret. */
  readonly message: string;
  readonly section?: string;
  readonly key?: string;
  /** Settings file, when the value came from it. */
  readonly file?: string;
  /** Counts from 1. */
  readonly line?: number;
}

/** The settings cannot be used; `problems` holds every reason. */
export class SettingsError extends EngineError {
  readonly problems: readonly SettingsProblem[];

  constructor(problems: readonly SettingsProblem[]) {
    super("settings.invalid", describe(problems), {
      hint: "Correct the settings named above; nothing was started",
    });
    this.problems = problems;
  }
}

function describe(problems: readonly SettingsProblem[]): string {
  const lines = problems.map(problemText);
  if (lines.length === 1) return `Cannot use the settings: ${lines[0]}`;
  return `Cannot use the settings, ${lines.length} problems:\n${
    lines.map((line) => `  - ${line}`).join("\n")
  }`;
}

/** Returns the problem with its place in front: `messagefoundry.toml:12: …`. */
export function problemText(problem: SettingsProblem): string {
  const { file, line, message } = problem;
  if (file === undefined) return message;
  return line === undefined ? `${file}: ${message}` : `${file}:${line}: ${message}`;
}
