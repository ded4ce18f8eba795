/** What the demonstration shows: a table that is redrawn, or a line now and then; and its last word. */
import type { ClusterSite } from "../cluster_site.ts";
import { judge, type Traffic, type Verdict } from "../traffic.ts";
import type { DemoOptions } from "./options.ts";

/** How often a line is written where nothing can be redrawn. */
const LINE_MS = 2_000;
/** A time without an acknowledgement that is worth a word. */
export const GAP_MS = 1_000;
const NOTES_SHOWN = 3;

/** Where everything is while it runs. */
export function openingLines(site: ClusterSite, front: string): readonly string[] {
  const living = site.living.toSorted((a, b) => a.name.localeCompare(b.name));
  const nodes = living.map((node) => {
    const { host, port } = site.inboundOf(node);
    return `  ${node.name}       MLLP ${host}:${port}, API http://127.0.0.1:${node.apiPort}`;
  });
  const [first] = living;
  return [
    "",
    `  PostgreSQL  psql -h 127.0.0.1 -p ${site.server.port} -U postgres, in ${site.server.dir}`,
    `  in front    ${front}`,
    ...nodes,
    `  graph       ${site.bundle.dir}/graph/pass.ts`,
    "",
    "  From another terminal:",
    `  curl -s http://127.0.0.1:${first?.apiPort}/cluster/nodes`,
    "  All of it is gone at the end. Ctrl-C ends it.",
    "",
  ];
}

export class Picture {
  kills = 0;
  /** Undefined: there is time for none. */
  nextKillMs: number | undefined;
  readonly #site: ClusterSite;
  readonly #traffic: Traffic;
  readonly #options: DemoOptions;
  readonly #isDrawn = Deno.stdout.isTerminal();
  readonly #notes: string[] = [];
  #begunAt = performance.now();
  #height = 0;
  #saidAt = 0;

  constructor(
    { site, traffic, options }: { site: ClusterSite; traffic: Traffic; options: DemoOptions },
  ) {
    this.#site = site;
    this.#traffic = traffic;
    this.#options = options;
  }

  /** Time counts from here. */
  begin(): void {
    this.#begunAt = performance.now();
  }

  /** Something happened. */
  note(text: string): void {
    const at = ((performance.now() - this.#begunAt) / 1_000).toFixed(0);
    this.#notes.push(`${at.padStart(4)} s  ${text}`);
    if (!this.#isDrawn) console.log(this.#notes.at(-1));
  }

  async show({ isLast = false } = {}): Promise<void> {
    const figures = this.#figures();
    if (this.#isDrawn) return this.#draw([...await this.#nodeLines(), "", ...rowsOf(figures)]);
    if (isLast) return console.log(`\n${rowsOf(figures).join("\n")}`);
    if (performance.now() - this.#saidAt < LINE_MS) return;
    this.#saidAt = performance.now();
    console.log(figures.map(([name, value]) => `${name} ${value}`).join("  "));
  }

  /** Goes back over its own lines; one that wraps would be two. */
  #draw(lines: readonly string[]): void {
    const notes = this.#notes.slice(-NOTES_SHOWN);
    while (notes.length < NOTES_SHOWN) notes.push("");
    const columns = columnsOf();
    const all = [...lines, "", ...notes].map((line) => `\x1b[2K${line.slice(0, columns)}`);
    const up = this.#height === 0 ? "" : `\x1b[${this.#height}A`;
    console.log(`${up}${all.join("\n")}`);
    this.#height = all.length;
  }

  async #nodeLines(): Promise<string[]> {
    const byName = new Map(this.#site.living.map((node) => [node.name, node]));
    const names = Array.from({ length: this.#options.nodes }, (_, index) => `node${index + 1}`);
    return await Promise.all(names.map(async (name) => {
      const node = byName.get(name);
      const ready = await node?.readiness();
      const role = ready?.role ?? (node === undefined ? "" : "starting");
      return `  ${name}  process ${String(node?.pid ?? "").padEnd(9)}${role}`;
    }));
  }

  #figures(): readonly (readonly [string, string])[] {
    const { acknowledged, gapMs, gapsMs } = this.#traffic;
    const verdict = judge(this.#traffic, this.#site.partner);
    const seconds = Math.round((performance.now() - this.#begunAt) / 1_000);
    const next = this.nextKillMs === undefined
      ? ""
      : `, the next in ${Math.max(0, Math.round(this.nextKillMs / 1_000))} s`;
    const gaps = gapsMs.filter((ms) => ms > GAP_MS).slice(-8);
    return [
      ["seconds", `${seconds} of ${this.#options.seconds}`],
      ["leaders killed", `${this.kills}${next}`],
      ["acknowledged", String(acknowledged.length)],
      ["delivered", String(verdict.delivered)],
      ["gap", `${(gapMs / 1_000).toFixed(1)} s`],
      ["gaps over 1 s", gaps.map((ms) => `${(ms / 1_000).toFixed(1)} s`).join(", ") || "none"],
      // What a later message has overtaken on the way to the partner does not come any more.
      ["lost", String(verdict.overtaken.length)],
      ["duplicated", String(verdict.duplicates)],
      ["sent twice", String(verdict.duplicatesOfSender)],
      ["out of order", String(verdict.inversions.length)],
    ];
  }
}

function rowsOf(figures: readonly (readonly [string, string])[]): string[] {
  return figures.map(([name, value]) => `  ${name.padEnd(16)}${value}`);
}

function columnsOf(): number {
  try {
    // A terminal that does not know says 0.
    return Math.max(40, (Deno.consoleSize().columns || 121) - 1);
  } catch {
    return 120;
  }
}

interface Outcome {
  readonly verdict: Verdict;
  readonly traffic: Traffic;
  readonly kills: number;
  /** Traffic went on to the end, and every row was delivered. */
  readonly isFlowing: boolean;
}

/** The last word, and whether all is well. */
export function closingLines(
  { verdict, traffic, kills, isFlowing }: Outcome,
): { readonly lines: readonly string[]; readonly isSound: boolean } {
  const { lost, inversions, gapsInState, duplicates, duplicatesOfSender } = verdict;
  const problems = [
    ...(isFlowing ? [] : ["traffic did not go on to the end"]),
    ...(lost.length > 0 ? [`${lost.length} acknowledged messages never arrived`] : []),
    ...(inversions.length > 0 ? [`${inversions.length} messages arrived out of order`] : []),
    ...(gapsInState.length > 0 ? [`${gapsInState.length} writes of state were lost`] : []),
  ];
  const isSound = problems.length === 0;
  const longest = (Math.max(0, ...traffic.gapsMs) / 1_000).toFixed(1);
  const said = isSound
    ? [
      `All ${traffic.acknowledged.length} messages that were acknowledged arrived, in order, through ` +
      `${kills} ${kills === 1 ? "failover" : "failovers"}; the longest gap was ${longest} s.`,
      `${duplicates} arrived twice: ${duplicatesOfSender} the sender had sent again for want of an ` +
      `answer, ${
        duplicates - duplicatesOfSender
      } the cluster, for they were on the wire when a leader fell.`,
    ]
    : ["It does not add up:", ...problems.map((problem) => `  - ${problem}`)];
  return {
    isSound,
    lines: [
      "",
      ...said,
      "",
      "What to try next:",
      "  deno task cluster:demo --every 6 --seconds 300   leaders that live shorter",
      "  deno task cluster:demo --nodes 1                 what one engine alone costs",
      "  deno task proof:cluster --minutes 10             faults of every kind, drawn by a seed",
      "  deno task proof:cluster --figures                how long a failover and a switchover take",
      "  docs/operating/cluster.md                        a cluster of your own",
    ],
  };
}
