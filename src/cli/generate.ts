/** `messagefoundry generate`: synthetic HL7 v2.5.1 messages, the same bytes for the same seed. */
import { join } from "node:path";
import { nearest } from "../settings/nearest.ts";
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { CommandFailure, exitCodes } from "./failure.ts";
import { offline } from "./offline.ts";
import { ProgressBar } from "./progress_bar.ts";
import type { Terminal } from "./terminal.ts";

interface GenerateOptions {
  readonly type?: string;
  readonly triggers?: string;
  readonly count: string;
  readonly out?: string;
  readonly seed: string;
  readonly list?: boolean;
  readonly json?: boolean;
}

/** More would be a mistake rather than a wish: files of two kilobytes each. */
const COUNT_MAX = 1_000_000;
const PROGRESS_EVERY = 64;

export function declareGenerate(program: CliCommand, context: CliContext): void {
  program.command("generate")
    .description("Write synthetic, conformant messages of one type")
    .option("--type <type>", "message type, such as ADT; --list names them all")
    .option("--triggers <list>", 'trigger events, such as "A01,A08" (default: all of the type)')
    .option("--count <number>", "messages in all", "50")
    .option("--out <dir>", "where to write (default: samples/messages/<type>)")
    .option("--seed <seed>", "same seed, same bytes", "1")
    .option("--list", "name types and trigger events")
    .option("--json", "one line of JSON")
    .runs((options: GenerateOptions) =>
      offline(context, options.json, () => generate(options, context))
    );
}

async function generate(options: GenerateOptions, { terminal }: CliContext): Promise<number> {
  const { listTypes } = await import("../synthetic/mod.ts");
  const types = listTypes();
  if (options.list) {
    if (options.json) terminal.out(JSON.stringify(types));
    else {
      for (const [type, triggers] of Object.entries(types)) {
        terminal.out(`${type}  ${triggers.join(" ")}`);
      }
    }
    return exitCodes.ok;
  }
  const type = typeOf(options.type, types);
  const triggers = triggersOf(options.triggers, { type, known: types[type] ?? [] });
  const count = countOf(options.count);
  const out = options.out ?? join("samples", "messages", type);
  const totals = await write({ type, triggers, count, out, seed: options.seed, terminal });
  if (options.json) {
    terminal.out(JSON.stringify({ type, out, total: count, by_trigger: totals }));
  } else {
    terminal.out(`${count} messages in "${out}":`);
    for (const [trigger, total] of Object.entries(totals)) terminal.out(`  ${trigger}  ${total}`);
  }
  return exitCodes.ok;
}

/** Writes `<out>/<TRIGGER>/NNNN.hl7`, numbered within each trigger. */
async function write(
  { type, triggers, count, out, seed, terminal }: {
    type: string;
    triggers: readonly string[];
    count: number;
    out: string;
    seed: string;
    terminal: Terminal;
  },
): Promise<Readonly<Record<string, number>>> {
  const { generateMessages } = await import("../synthetic/mod.ts");
  const { validateStrict } = await import("../hl7/validation/mod.ts");
  const totals: Record<string, number> = {};
  const bar = new ProgressBar(terminal, count);
  let done = 0;
  for (const { trigger, text } of generateMessages({ type, triggers, count, seed })) {
    const number = (totals[trigger] ?? 0) + 1;
    const file = join(out, trigger, `${String(number).padStart(4, "0")}.hl7`);
    const verdict = validateStrict(text, {});
    if (!verdict.ok) {
      throw new CommandFailure(`Message "${file}" is not conformant: ${verdict.error}`, {});
    }
    if (number === 1) await Deno.mkdir(join(out, trigger), { recursive: true });
    await Deno.writeTextFile(file, text);
    totals[trigger] = number;
    if (++done % PROGRESS_EVERY === 0) bar.show(done);
  }
  bar.clear();
  return Object.fromEntries(Object.entries(totals).sort(([a], [b]) => a < b ? -1 : 1));
}

type Types = Readonly<Record<string, readonly string[]>>;

function typeOf(given: string | undefined, types: Types): string {
  if (given === undefined) {
    throw refused("Name a message type with --type", `There are: ${Object.keys(types).join(", ")}`);
  }
  const type = given.toUpperCase();
  if (Object.hasOwn(types, type)) return type;
  const near = nearest(type, Object.keys(types));
  throw refused(
    `Cannot generate messages of type "${given}"${near === undefined ? "" : `; is ${near} meant?`}`,
    `There are: ${Object.keys(types).join(", ")}`,
  );
}

function triggersOf(
  given: string | undefined,
  { type, known }: { type: string; known: readonly string[] },
): readonly string[] {
  if (given === undefined) return known;
  const triggers = given.split(",").map((trigger) => trigger.trim().toUpperCase())
    .filter((trigger) => trigger !== "");
  const unknown = triggers.find((trigger) => !known.includes(trigger));
  if (unknown === undefined && triggers.length > 0) return triggers;
  throw refused(
    `Cannot generate "${type}^${unknown ?? ""}"`,
    `Trigger events of ${type}: ${known.join(", ")}`,
  );
}

function countOf(given: string): number {
  const count = Number(given);
  if (Number.isInteger(count) && count >= 1 && count <= COUNT_MAX) return count;
  throw refused(`--count takes a whole number from 1 to ${COUNT_MAX}, not "${given}"`);
}

function refused(message: string, hint?: string): CommandFailure {
  return new CommandFailure(message, { exitCode: exitCodes.refused, hint });
}
