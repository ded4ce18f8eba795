/** Every subcommand, in the order of the help; completions and the help are read from here. */
import { VERSION } from "../version.ts";
import { declareAdmin } from "./admin.ts";
import { declareAiPolicy } from "./ai_policy.ts";
import { declareAlert } from "./alert.ts";
import { declareAuditVerify } from "./audit_verify.ts";
import { declareCheck } from "./check.ts";
import { CliCommand } from "./command.ts";
import { declareCodeSet } from "./codeset.ts";
import { declareCompletion } from "./completion.ts";
import type { CliContext } from "./context.ts";
import { declareConnection } from "./connection.ts";
import { declareDryRun } from "./dryrun.ts";
import { declareGenKey } from "./gen_key.ts";
import { declareGenerate } from "./generate.ts";
import { declareGraph } from "./graph.ts";
import { declareHl7Schema } from "./hl7schema.ts";
import { declareInit } from "./init.ts";
import { declarePermissions } from "./permissions.ts";
import { declareRotateKey } from "./rotate_key.ts";
import { declareServe } from "./serve.ts";
import { declareSettings } from "./settings.ts";
import { declareValidate } from "./validate.ts";

const declarations: readonly ((program: CliCommand, context: CliContext) => void)[] = [
  declareServe,
  declarePermissions,
  declareSettings,
  declareAiPolicy,
  declareAlert,
  declareAdmin,
  declareInit,
  declareValidate,
  declareCheck,
  declareGraph,
  declareConnection,
  declareCodeSet,
  declareDryRun,
  declareGenerate,
  declareHl7Schema,
  declareGenKey,
  declareRotateKey,
  declareAuditVerify,
  declareCompletion,
];

/** Builds the parser; nothing of a command is loaded yet. */
export function buildProgram(context: CliContext): CliCommand {
  const program = new CliCommand("messagefoundry")
    .description("Healthcare integration engine: typed interfaces, acknowledgements you can trust")
    .version(`messagefoundry ${VERSION}`, "--version", "show the version")
    .helpOption("-h, --help", "show this help")
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.terminal.out(text.replace(/\n$/, "")),
      writeErr: (text) => context.terminal.err(text.replace(/\n$/, "")),
    });
  for (const declare of declarations) declare(program, context);
  return program;
}
