/** `messagefoundry validate`: everything that is wrong with a bundle, in one go. */
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { exitCodes } from "./failure.ts";
import { offline, type OfflineOptions, openBundle } from "./offline.ts";
import { addAnchorOptions } from "./options.ts";

interface ValidateOptions extends OfflineOptions {
  readonly types: boolean;
}

/** One problem, as editors read it. `line` and `column` count from 1. */
interface Finding {
  readonly message: string;
  readonly file: string | null;
  readonly line: number | null;
  readonly column: number | null;
  readonly severity: "error" | "warning";
}

export function declareValidate(program: CliCommand, context: CliContext): void {
  const command = program.command("validate")
    .description("List every problem of a bundle, without running its handlers");
  addAnchorOptions(command)
    .option("--no-types", "leave out the type checker")
    .option("--json", "one line of JSON");
  command.runs((options: ValidateOptions) =>
    offline(context, options.json, () => validate(options, context))
  );
}

async function validate(options: ValidateOptions, context: CliContext): Promise<number> {
  const { terminal, env } = context;
  const { findings, typesSkipped } = await findProblems(options, env);
  const isValid = findings.every(({ severity }) => severity !== "error");
  if (options.json) terminal.out(JSON.stringify(findings));
  else {
    for (const finding of findings) {
      const style = finding.severity === "error" ? "bad" : "caution";
      terminal.out(
        `${terminal.style(style, `${finding.severity}:`)} ${placeOf(finding)}${finding.message}`,
      );
    }
    if (isValid) {
      const note = typesSkipped === undefined ? "" : ` (types not checked: ${typesSkipped})`;
      terminal.out(`${terminal.style("good", "OK:")} no problems in "${options.config}"${note}`);
    }
  }
  return isValid ? exitCodes.ok : exitCodes.failed;
}

async function findProblems(
  options: ValidateOptions,
  env: CliContext["env"],
): Promise<{ findings: readonly Finding[]; typesSkipped: string | undefined }> {
  using opened = await openBundle({ options, env });
  const findings: Finding[] = opened.declared.problems.map((problem) => ({
    message: problem.message,
    file: problem.file ?? null,
    line: problem.line ?? null,
    column: null,
    severity: problem.severity,
  }));
  if (!options.types) return { findings, typesSkipped: "--no-types" };
  const { checkTypes } = await import("./runtime_tools.ts");
  const types = await checkTypes(opened.anchor.bundleDir);
  if (!types.ran) return { findings, typesSkipped: types.reason };
  findings.push(...types.diagnostics.map((one) => ({ ...one, severity: "error" as const })));
  return { findings, typesSkipped: undefined };
}

function placeOf({ file, line, column }: Finding): string {
  const place = [file, line, column].filter((part) => part !== null).join(":");
  return place === "" ? "" : `${place}: `;
}
