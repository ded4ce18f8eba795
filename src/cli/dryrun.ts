/** `messagefoundry dryrun`: what the graph would do with messages; nothing is sent or stored. */
import { systemClock } from "../clock.ts";
import type { DryRunInbound } from "../graph/mod.ts";
import { nearest } from "../settings/nearest.ts";
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { CommandFailure, exitCodes } from "./failure.ts";
import { offline, type OfflineOptions, openBundle, printJson, requireSound } from "./offline.ts";
import { addAnchorOptions } from "./options.ts";

interface DryRunOptions extends OfflineOptions {
  readonly messages: readonly string[];
  readonly inbound?: string;
  readonly showPhi?: boolean;
  readonly diff?: boolean;
}

export function declareDryRun(program: CliCommand, context: CliContext): void {
  const command = program.command("dryrun")
    .description("Run messages through a graph without sending or storing anything");
  addAnchorOptions(command)
    .requiredOption("--messages <paths...>", "files, or directories of *.hl7")
    .option("--inbound <name>", "the inbound they arrive at; needed when there are several")
    .option("--show-phi", "show content: messages, payloads, state")
    .option("--diff", "add what each delivery changed; needs --show-phi")
    .option("--json", "one line of JSON");
  command.runs((options: DryRunOptions) =>
    offline(context, options.json, () => runMessages(options, context))
  );
}

async function runMessages(options: DryRunOptions, context: CliContext): Promise<number> {
  const { showPhi = false, diff = false } = options;
  if (diff && !showPhi) {
    throw new CommandFailure("--diff shows content and needs --show-phi", {});
  }
  const { collectFixtures, dryRun, dryRunInbounds, forgetfulRunner } = await import(
    "../graph/mod.ts"
  );
  using opened = await openBundle({ options, env: context.env });
  await requireSound(opened);
  const { declared, sandbox } = opened.declared;
  if (declared === undefined || sandbox === undefined) {
    throw new TypeError("A sound bundle can be run");
  }
  const inbound = choose(dryRunInbounds(declared), options.inbound);
  const anyFile = inbound.contentType !== "hl7v2";
  const rows = await dryRun(await collectFixtures(options.messages, { anyFile }), inbound, {
    sandbox: forgetfulRunner(sandbox),
    ingestTime: systemClock.now() / 1000,
    showPhi,
    diff,
  });
  if (!showPhi) context.terminal.err("note: content is redacted; pass --show-phi to see it");
  printJson(context, rows, options.json);
  return exitCodes.ok;
}

function choose(inbounds: readonly DryRunInbound[], name: string | undefined): DryRunInbound {
  const names = inbounds.map((inbound) => inbound.name);
  const [first, second] = inbounds;
  if (first === undefined) throw new CommandFailure("The graph has no inbound", {});
  if (name === undefined) {
    if (second === undefined) return first;
    throw new CommandFailure(`Name the inbound with --inbound: ${names.join(", ")}`, {});
  }
  const chosen = inbounds.find((inbound) => inbound.name === name);
  if (chosen !== undefined) return chosen;
  const near = nearest(name, names);
  throw new CommandFailure(
    `The graph has no inbound "${name}"${near === undefined ? "" : `; is "${near}" meant?`}`,
    { hint: `There are: ${names.join(", ")}` },
  );
}
