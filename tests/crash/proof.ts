/**
 * The crash proof: `deno task proof:crash [--seed S] [--rounds N] [--minutes N] [--from N] [--json]`.
 *
 * Kills the engine at every failpoint and at random under load, restarts it on the same store,
 * drains it and holds what partners, senders and the file say against the invariants. Exit codes: 0
 * all held, 1 one did not (its seed is printed), 2 the command line cannot be read.
 */
import { parseArgs } from "node:util";
import { runCommitFailure } from "./commit_failure.ts";
import { type InvariantName, invariantNames, type Violation } from "./invariants.ts";
import { failpoints, planRound } from "./plan.ts";
import { runPoison } from "./poison.ts";
import { type RoundResult, runRound } from "./round.ts";
import { addRound, newTotals, type Totals } from "./totals.ts";

const USAGE = "Usage: deno task proof:crash [--seed TEXT] [--rounds N] [--minutes N] [--from N] " +
  "[--endings N] [--json]";

interface Options {
  readonly seed: string;
  readonly rounds: number;
  readonly minutes: number;
  /** Number of the first round: a failed one is run again alone. */
  readonly from: number;
  /** Deaths a round. */
  readonly endings: number;
  readonly json: boolean;
}

interface Failure {
  readonly where: string;
  readonly again: string;
  readonly violations: readonly Violation[];
}

const options = readOptions(Deno.args);
if (options === undefined) {
  console.error(USAGE);
  Deno.exit(2);
}
Deno.exit(await prove(options));

async function prove(options: Options): Promise<number> {
  const totals = newTotals();
  const startedAt = performance.now();
  let failure = options.from === 0 ? await proveSpecials(options, totals) : undefined;
  const last = options.from + options.rounds;
  for (let round = options.from; round < last && failure === undefined; round += 1) {
    if (performance.now() - startedAt > options.minutes * 60_000) break;
    const seed = `${options.seed}/${round}`;
    const plan = planRound(seed, { endings: options.endings, turn: round });
    const result = await runRound(plan);
    addRound(totals, result);
    tell(options, `round ${round + 1}/${last}: ${describe(result)}`);
    if (result.violations.length > 0) {
      const again =
        `--seed ${options.seed} --endings ${options.endings} --from ${round} --rounds 1`;
      failure = { where: `round ${round}`, again, violations: result.violations };
    }
  }
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  if (options.json) console.log(toJson({ options, seconds, totals, failure }));
  else print(options, { totals, seconds, failure });
  return failure === undefined ? 0 : 1;
}

/** The two that need no load: a message that ends the process, a disk that does not sync. */
async function proveSpecials(options: Options, totals: Totals): Promise<Failure | undefined> {
  const again = `--seed ${options.seed} --rounds 0`;
  const poison = await runPoison(options.seed);
  totals.poisonCrashes = poison.crashes;
  tell(options, `poison: ended ${poison.crashes} processes, then was given up`);
  if (poison.violations.length > 0) {
    return { where: "poison", again, violations: poison.violations };
  }
  try {
    const { refused, violations } = await runCommitFailure(options.seed);
    totals.refusedWithoutCommit = refused;
    tell(options, `failing disk: ${refused} messages, none acknowledged`);
    if (violations.length > 0) return { where: "failing disk", again, violations };
  } catch (thrown) {
    tell(options, `failing disk: skipped, ${thrown instanceof Error ? thrown.message : thrown}`);
  }
  return undefined;
}

function describe({ sent, deliveries, doubles, lives, violations, tookMs }: RoundResult): string {
  const kills = lives.filter(({ ending }) => ending !== "drained").length;
  const verdict = violations.length === 0 ? "held" : `${violations.length} VIOLATIONS`;
  return `${kills} deaths, ${sent} messages, ${deliveries} deliveries, ${doubles} doubled, ` +
    `${Math.round(tookMs / 1000)} s, ${verdict}`;
}

function tell({ json }: Options, line: string): void {
  if (json) console.error(line);
  else console.log(line);
}

function toJson(result: { totals: Totals; [part: string]: unknown }): string {
  const struck = [...result.totals.struck].sort();
  return JSON.stringify({ ...result, totals: { ...result.totals, struck } }, null, 2);
}

function print(
  options: Options,
  { totals, seconds, failure }: { totals: Totals; seconds: number; failure: Failure | undefined },
): void {
  const rows: [string, string | number][] = [
    ["seed", options.seed],
    ["seconds", seconds],
    ["rounds", totals.rounds],
    ["deaths of the engine", totals.deaths],
    ["  at a failpoint", totals.atFailpoints],
    ["  by the clock", totals.byClock],
    ["  stopped in order", totals.inOrder],
    ["failpoints struck", `${totals.struck.size} of ${failpoints.length}`],
    ["messages sent", totals.sent],
    ["  answered", totals.answered],
    ["  stored", totals.stored],
    ["deliveries", totals.deliveries],
    ["  doubled", totals.doubles],
    ["processes ended by one message", totals.poisonCrashes ?? "not run"],
    ["refused while no commit succeeds", totals.refusedWithoutCommit ?? "not run"],
  ];
  console.log("");
  for (const [name, value] of rows) console.log(`${name.padEnd(34)}${value}`);
  const missed = failpoints.filter(({ name }) => !totals.struck.has(name));
  if (missed.length > 0) {
    console.log(`${"not struck".padEnd(34)}${missed.map(({ name }) => name).join(", ")}`);
  }
  console.log("");
  const broken = new Set(failure?.violations.map(({ invariant }) => invariant));
  for (const [name, sentence] of Object.entries(invariantNames)) {
    const mark = broken.has(name as InvariantName) ? "BROKEN" : "held";
    console.log(`${name.padEnd(10)} ${mark.padEnd(7)} ${sentence}`);
  }
  if (failure === undefined) return;
  console.log("");
  for (const { invariant, detail } of failure.violations) {
    console.log(`${failure.where}: ${invariant} ${detail}`);
  }
  console.log(`Again: deno task proof:crash ${failure.again}`);
}

function readOptions(args: string[]): Options | undefined {
  try {
    const { values } = parseArgs({
      args,
      options: {
        seed: { type: "string" },
        rounds: { type: "string" },
        minutes: { type: "string" },
        from: { type: "string", default: "0" },
        endings: { type: "string", default: "8" },
        json: { type: "boolean", default: false },
      },
    });
    // Without a bound of its own, so many rounds that every failpoint had its turn twice.
    const walk = Math.ceil((failpoints.length * 2) / Math.ceil(Number(values.endings) / 2));
    const rounds = values.minutes === undefined ? walk : Number.MAX_SAFE_INTEGER;
    const read = {
      seed: values.seed ?? crypto.randomUUID().slice(0, 8),
      rounds: values.rounds === undefined ? rounds : Number(values.rounds),
      minutes: values.minutes === undefined ? Infinity : Number(values.minutes),
      from: Number(values.from),
      endings: Number(values.endings),
      json: values.json,
    };
    const numbers = [read.rounds, read.minutes, read.from, read.endings];
    return numbers.every((number) => number >= 0) && read.endings >= 1 ? read : undefined;
  } catch {
    return undefined;
  }
}
