/**
 * The cluster proof: `deno task proof:cluster [--seed S] [--rounds N] [--minutes N] [--faults N]
 * [--nodes N] [--from N] [--json]`, or `--figures [--rounds N] [--nodes N] [--json]`.
 *
 * Engines over one PostgreSQL under traffic, faults drawn by the seed, and partner, sender, rows and
 * the lease's history held against the invariants; or how long changes of leaders take. Where machines
 * can be made of network namespaces, some rounds have each node on one of its own; where Debian's
 * faketime is, some move clocks. Exit codes: 0 all held, 1 one did not (its seed is printed), 2 the
 * command line cannot be read.
 */
import { parseArgs } from "node:util";
import { hasFakeClocks } from "./fake_clock.ts";
import { figureLines, isMet, measureFigures } from "./figures.ts";
import { groundOf, hasNetworks, Network } from "./network/network.ts";
import { type RoundResult, runRound } from "./round.ts";

const USAGE = "Usage: deno task proof:cluster [--seed TEXT] [--rounds N] [--minutes N] " +
  "[--faults N] [--nodes N] [--from N] [--json] | --figures [--rounds N] [--nodes N] [--json]";

/** Long enough for several beats of the defaults. */
const IDLE_SECONDS = 30;

const options = readOptions(Deno.args);
if (options === undefined) {
  console.error(USAGE);
  Deno.exit(2);
}
Deno.exit(await run(options));

type Options = NonNullable<ReturnType<typeof readOptions>>;

async function run(given: Options): Promise<number> {
  if (given.figures) return await measure(given);
  return given.network === undefined && await hasNetworks()
    ? await proveAtHub(given)
    : await prove(given);
}

/** Makes machines for the nodes and runs this program between them. */
async function proveAtHub({ nodes }: Options): Promise<number> {
  await using network = await Network.make(nodes);
  const program = network.start(new URL(import.meta.url), Deno.args, "inherit");
  // Ctrl-C reaches both; whoever made the machines is to outlive what runs on them.
  Deno.addSignalListener("SIGINT", () => {});
  Deno.addSignalListener("SIGTERM", () => program.kill("SIGTERM"));
  return (await program.status).code;
}

async function prove({ seed, rounds, minutes, faults, nodes, from, json, network }: Options) {
  const machines = network === undefined ? undefined : groundOf(network);
  const canMoveClocks = hasFakeClocks();
  const say = json ? console.error : console.log;
  const endAt = performance.now() + minutes * 60_000;
  const results: RoundResult[] = [];
  for (let round = from; round < from + rounds && performance.now() < endAt; round++) {
    const result = await runRound({
      ...{ seed: `${seed}/${round}`, faults, nodes, machines, canMoveClocks },
    });
    results.push(result);
    say(`round ${round}: ${describe(result)}`);
    for (const violation of result.violations) say(`  ${violation}`);
    if (result.violations.length > 0) {
      say(
        `Again: deno task proof:cluster --seed ${seed} --from ${round} --rounds 1 ` +
          `--faults ${faults} --nodes ${nodes}`,
      );
      break;
    }
  }
  const totals = totalsOf(results);
  if (json) console.log(JSON.stringify({ seed, ...totals }, null, 2));
  else for (const [name, value] of Object.entries(totals)) say(`${name.padEnd(20)}${value}`);
  return totals.violations === 0 ? 0 : 1;
}

async function measure({ rounds, nodes, json }: Options): Promise<number> {
  const say = json ? console.error : console.log;
  const figures = await measureFigures({ rounds, nodes, idleSeconds: IDLE_SECONDS, say });
  if (json) console.log(JSON.stringify({ nodes, figures }, null, 2));
  else for (const line of ["", ...figureLines(figures)]) console.log(line);
  return figures.every(isMet) ? 0 : 1;
}

function describe(result: RoundResult): string {
  const { struck, acknowledged, duplicates, leaseChanges, longestGapMs, violations } = result;
  return `${struck.join(", ")}; ${acknowledged} acknowledged, ${duplicates} doubled, ` +
    `${leaseChanges} leaders, longest gap ${longestGapMs} ms, ` +
    (violations.length === 0 ? "held" : `${violations.length} VIOLATIONS`);
}

function totalsOf(results: readonly RoundResult[]) {
  const sum = (of: (result: RoundResult) => number) =>
    results.reduce((total, result) => total + of(result), 0);
  return {
    rounds: results.length,
    faults: sum(({ struck }) => struck.length),
    acknowledged: sum(({ acknowledged }) => acknowledged),
    delivered: sum(({ delivered }) => delivered),
    duplicates: sum(({ duplicates }) => duplicates),
    leaders: sum(({ leaseChanges }) => leaseChanges),
    longest_gap_ms: Math.max(0, ...results.map(({ longestGapMs }) => longestGapMs)),
    violations: sum(({ violations }) => violations.length),
  };
}

function readOptions(args: string[]) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        seed: { type: "string" },
        rounds: { type: "string" },
        minutes: { type: "string" },
        faults: { type: "string", default: "6" },
        nodes: { type: "string", default: "3" },
        from: { type: "string", default: "0" },
        json: { type: "boolean", default: false },
        figures: { type: "boolean", default: false },
        // Told by the program that has made it.
        network: { type: "string" },
      },
    });
    const { minutes, figures } = values;
    const rounds = values.rounds ?? (figures ? "3" : undefined);
    const read = {
      seed: values.seed ?? crypto.randomUUID().slice(0, 8),
      rounds: Number(rounds ?? (minutes === undefined ? 10 : Number.MAX_SAFE_INTEGER)),
      minutes: minutes === undefined ? Infinity : Number(minutes),
      faults: Number(values.faults),
      nodes: Number(values.nodes),
      from: Number(values.from),
      json: values.json,
      figures,
      network: values.network,
    };
    const numbers = [read.rounds, read.minutes, read.faults, read.from];
    const isRead = numbers.every((number) => number >= 0) && read.nodes >= 1 && read.nodes <= 9;
    return isRead ? read : undefined;
  } catch {
    return undefined;
  }
}
