/** `messagefoundry check`: the gate for commits and CI. */
import { systemClock } from "../clock.ts";
import type { CheckResult } from "../graph/mod.ts";
import { findAnchor } from "./anchor.ts";
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { exitCodes } from "./failure.ts";
import { offline, type OfflineOptions } from "./offline.ts";
import { addAnchorOptions } from "./options.ts";
import { checkTypes, diagnosticText, lint, type ToolResult } from "./runtime_tools.ts";

interface CheckOptions extends OfflineOptions {
  readonly messages?: string;
  readonly lint: boolean;
}

export function declareCheck(program: CliCommand, context: CliContext): void {
  const command = program.command("check")
    .description("Decide whether a bundle is fit to be deployed");
  addAnchorOptions(command)
    .option("--messages <dir>", "fixtures: *.hl7, one folder an inbound, <file>.expect beside them")
    .option("--no-lint", "leave out the linter and the type checker")
    .option("--json", "one line of JSON");
  command.runs((options: CheckOptions) =>
    offline(context, options.json, () => check(options, context))
  );
}

async function check(options: CheckOptions, { terminal, env = {} }: CliContext): Promise<number> {
  const { checkBundle, evaluateInSandbox, forgetfulRunner } = await import("../graph/mod.ts");
  const { bundleDir, serviceFile, loaded } = await findAnchor({ options, env });
  const hasService = serviceFile !== undefined || options.env !== undefined;
  const advisory = [
    { name: "types", run: async () => verdictOf(await checkTypes(bundleDir)) },
    { name: "lint", run: async () => verdictOf(await lint(bundleDir)) },
  ];
  const report = await checkBundle({
    bundleDir,
    environment: options.env,
    env,
    evaluate: evaluateInSandbox({ fillReferences: true }),
    messages: options.messages,
    runnerOf: forgetfulRunner,
    settings: hasService ? loaded : undefined,
    advisory: options.lint ? advisory : [],
    ingestTime: systemClock.now() / 1000,
  });
  if (options.json) terminal.out(JSON.stringify(report));
  else {
    for (const result of report.checks) terminal.out(lineOf(result, terminal));
    const failed = report.checks.filter(({ ok, required, skipped }) => !ok && required && !skipped);
    const names = failed.map(({ name }) => name).join(", ");
    terminal.out(
      report.ok ? terminal.style("good", "PASS") : terminal.style("bad", `FAIL: ${names}`),
    );
  }
  return report.ok ? exitCodes.ok : exitCodes.failed;
}

function verdictOf(result: ToolResult) {
  if (!result.ran) return { ok: true, skipped: true, detail: result.reason };
  const lines = result.diagnostics.map(diagnosticText);
  return { ok: lines.length === 0, detail: lines.length === 0 ? "no problems" : lines.join("\n") };
}

function lineOf(
  { name, ok, required, skipped, detail }: CheckResult,
  terminal: CliContext["terminal"],
): string {
  const [style, word] = skipped
    ? ["quiet", "skip"] as const
    : ok
    ? ["good", "ok"] as const
    : required
    ? ["bad", "FAIL"] as const
    : ["caution", "warn"] as const;
  return `${terminal.style(style, word.padEnd(4))}  ${name}: ${
    detail.replaceAll("\n", "\n      ")
  }`;
}
