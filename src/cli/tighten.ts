/** `messagefoundry permissions --tighten`: what could be narrower, and the lists that pin the graph. */
import type { CliContext } from "./context.ts";
import { exitCodes } from "./failure.ts";
import { type ServeOptions, settingFlags } from "./serve/options.ts";
import type { Tightened } from "./serve/tighten.ts";
import type { Terminal } from "./terminal.ts";

/** Prints the findings; that there are some is no failure. */
export async function showTightenings(
  options: ServeOptions & { readonly json?: boolean },
  { terminal, env = {} }: CliContext,
): Promise<number> {
  const { findAnchor } = await import("./anchor.ts");
  const { tightenInstance } = await import("./serve/instance.ts");
  const anchor = await findAnchor({ options, env, flags: settingFlags(options) });
  const tightened = await tightenInstance(anchor, {
    env,
    allowInsecureBind: options.allowInsecureBind === true,
  });
  const { sources, settings } = anchor.loaded;
  const overriding = Object.entries(sources)
    .filter(([name, source]) => name.startsWith("egress.") && source === "environment")
    .map(([name]) => `MEFOR_${name.toUpperCase().replace(".", "_")}`);
  const environment = settings.ai.environment ?? null;
  if (options.json === true) {
    const { findings, egress = null } = tightened;
    terminal.out(JSON.stringify({ environment, findings, egress, overriding }));
  } else {
    print(terminal, tightened, { environment, overriding });
  }
  return exitCodes.ok;
}

function print(
  terminal: Terminal,
  { findings, egress }: Tightened,
  { environment, overriding }: {
    readonly environment: string | null;
    readonly overriding: readonly string[];
  },
): void {
  const where = environment === null ? "" : ` for environment "${environment}"`;
  if (findings.length === 0) {
    terminal.out(`Nothing to tighten${where}`);
    return;
  }
  terminal.out(`${findings.length} to tighten${where}:`);
  for (const { subject, problem, advice } of findings) {
    terminal.out(`  ${subject} ${problem}`);
    terminal.out(`    ${terminal.style("quiet", advice)}`);
  }
  if (egress === undefined) return;
  terminal.out("");
  terminal.out("# Allows what this graph reaches today and nothing else; in place of [egress]:");
  terminal.out(egress);
  for (const variable of overriding) {
    terminal.err(`warning: ${variable} is set and wins over the file`);
  }
}
