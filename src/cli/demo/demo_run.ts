/** One run while it lasts: senders, partners, figures, and the wait until the last row is through. */
import type { Graph } from "../../graph/mod.ts";
import { CommandFailure } from "../failure.ts";
import { archivedControlIds, fileNames } from "./archived.ts";
import type { DataFolder } from "./data_folder.ts";
import type { EngineView } from "./engine_view.ts";
import type { Disposition, DueDelivery, Expectation } from "./expectation.ts";
import { Latencies, type Latency, Rates, type TableRow } from "./figures.ts";
import { type Arrival, healthRecord, laboratory, Partner } from "./partner.ts";
import type { DemoPorts } from "./ports.ts";
import { type LaneResult, type Observation, reconcile } from "./reconcile.ts";
import type { Screen } from "./screen.ts";
import { sendAll } from "./sender.ts";
import type { Progress } from "./table.ts";
import type { InboundName, PlannedMessage } from "./traffic.ts";

export interface DemoRunOptions {
  readonly messages: readonly PlannedMessage[];
  readonly expectation: Expectation;
  readonly outbounds: Graph["outbounds"];
  readonly ports: DemoPorts;
  readonly folder: DataFolder;
  readonly ratePerSecond: number;
  readonly screen: Screen;
  readonly signal: AbortSignal;
}

/** What a run that went to its end found. */
export interface DemoOutcome {
  readonly elapsedMs: number;
  readonly answers: Readonly<Record<string, number>>;
  readonly acknowledged: Latency;
  readonly dispositions: Readonly<Record<Disposition, number>>;
  readonly lanes: readonly LaneResult[];
  readonly latencyOf: (outbound: string) => Latency;
  readonly refusedOnce: number;
  readonly problems: readonly string[];
}

/** Stored before this run began, with `--keep`. */
interface Baseline {
  /** Arrivals so far, by partner port. */
  readonly arrivals: ReadonlyMap<number, number>;
  readonly messages: number;
  readonly dispositions: Readonly<Record<Disposition, number>>;
  /** Files by directory. */
  readonly files: ReadonlyMap<string, ReadonlySet<string>>;
}

const POLL_MS = 100;
/** A queue that does not move for so long is stuck. */
const STUCK_MS = 60_000;
const SAME_SIGNAL_MS = 200;
const EHR_PAUSE_MS = 2_500;
const LAB_REFUSALS = { first: 3, every: 30, most: 3 };

export class DemoRun implements AsyncDisposable {
  readonly #options: DemoRunOptions;
  readonly #partners: readonly Partner[];
  readonly #latencies = new Latencies();
  readonly #rates = new Rates();
  readonly #notes: string[] = [];
  readonly #sentAt = new Map<string, number>();
  /** By partner port and control ID of what arrives. */
  readonly #dueAt = new Map<string, DueDelivery>();
  readonly #answers: Record<string, number> = {};
  #sent = 0;
  #refusedOnce = 0;
  #startedAt = 0;

  constructor(options: DemoRunOptions) {
    this.#options = options;
    const { ports, outbounds, expectation } = options;
    const portOf = (outbound: string) => outbounds.get(outbound)?.settings.port;
    for (const due of expectation.due) {
      this.#dueAt.set(`${portOf(due.outbound)} ${due.controlId}`, due);
    }
    const atEhr = expectation.due.filter(({ outbound }) => portOf(outbound) === ports.ehr).length;
    this.#partners = [
      new Partner({
        name: "health record",
        port: ports.ehr,
        decide: healthRecord({
          pauseAt: Math.max(2, Math.round(atEhr * 0.4)),
          pauseMs: EHR_PAUSE_MS,
          onPause: () =>
            this.#note(`The health record pauses for ${EHR_PAUSE_MS / 1000} s: its lanes queue.`),
        }),
        onArrival: (arrival) => this.#arrived(ports.ehr, arrival),
      }),
      new Partner({
        name: "laboratory",
        port: ports.lab,
        decide: laboratory({
          ...LAB_REFUSALS,
          onRefused: (controlId) => {
            this.#refusedOnce += 1;
            this.#note(
              `The laboratory answers AE to ${controlId}: its lane waits and tries again.`,
            );
          },
        }),
        onArrival: (arrival) => this.#arrived(ports.lab, arrival),
      }),
    ];
  }

  /** Messages sent so far. */
  get sent(): number {
    return this.#sent;
  }

  /**
   * Sends everything, waits until the queues are empty, compares; undefined when interrupted.
   *
   * @throws {CommandFailure} when the engine ends or its queues stand still.
   */
  async play(view: EngineView, hasEnded: () => boolean): Promise<DemoOutcome | undefined> {
    try {
      return await this.#play(view, hasEnded);
    } catch (thrown) {
      // Ctrl-C reaches the engine too, and may be felt there first.
      await pause(SAME_SIGNAL_MS);
      if (this.#options.signal.aborted) return undefined;
      // A broken connection is how the engine's end is often felt first.
      throw hasEnded() ? engineGone() : thrown;
    }
  }

  async #play(view: EngineView, hasEnded: () => boolean): Promise<DemoOutcome | undefined> {
    const { messages, expectation, screen, signal } = this.#options;
    // What an interrupted run left behind comes first, and does not count.
    await this.#drained(view, hasEnded, async () => {});
    const baseline = await this.#baseline(view);
    this.#startedAt = performance.now();
    let shownAt = 0;
    const show = async () => {
      if (performance.now() - shownAt < screen.intervalMs) return;
      screen.show(await this.#progress(view));
      shownAt = performance.now();
    };
    await this.#sendWhile(async () => {
      if (hasEnded()) throw engineGone();
      await show();
    });
    await this.#drained(view, hasEnded, show);
    if (signal.aborted) return undefined;
    const elapsedMs = performance.now() - this.#startedAt;
    screen.end(await this.#progress(view, { isWhole: true }));
    const dispositions = difference(await view.dispositions(), baseline.dispositions);
    const { lanes, problems } = reconcile({
      expectation,
      sent: { messages: messages.length, answers: this.#answers },
      refusals: messages.filter(({ isUnreadable }) => isUnreadable).length,
      stored: { messages: await view.messages() - baseline.messages, dispositions },
      observed: await this.#observe(baseline),
    });
    return {
      elapsedMs,
      answers: { ...this.#answers },
      acknowledged: this.#latencies.of("acknowledged"),
      dispositions,
      lanes,
      latencyOf: (outbound) => this.#latencies.of(outbound),
      refusedOnce: this.#refusedOnce,
      problems,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const partner of this.#partners) await partner[Symbol.asyncDispose]();
  }

  /** Runs the senders; calls `tick` again and again until the last is done. */
  async #sendWhile(tick: () => Promise<void>): Promise<void> {
    const { messages, ports, ratePerSecond, signal } = this.#options;
    const failed = new AbortController();
    const scheduled = messages.map((message, index) => ({
      ...message,
      dueMs: ratePerSecond === 0 ? 0 : index * 1000 / ratePerSecond,
    }));
    const senders: readonly (readonly [InboundName, number])[] = [
      ["IB_HOSPITAL_ADT", ports.adt],
      ["IB_LAB_ORU", ports.oru],
      ["IB_WARD_ORM", ports.orm],
    ];
    let isDone = false;
    const sending = Promise.all(senders.map(([inbound, port]) =>
      sendAll({
        port,
        messages: scheduled.filter((message) => message.inbound === inbound),
        onSent: ({ controlId }) => {
          this.#sent += 1;
          this.#sentAt.set(controlId, performance.now());
        },
        onAnswered: (_, code, tookMs) => {
          this.#answers[code] = (this.#answers[code] ?? 0) + 1;
          this.#latencies.add(inbound, tookMs);
          this.#latencies.add("acknowledged", tookMs);
        },
      }, AbortSignal.any([signal, failed.signal]))
    )).finally(() => isDone = true);
    try {
      while (!isDone) {
        await tick();
        await Promise.race([sending, pause(POLL_MS)]);
      }
    } finally {
      failed.abort();
      await sending;
    }
  }

  /** Waits until nothing is in the pipeline; an interruption ends the wait. */
  async #drained(
    view: EngineView,
    hasEnded: () => boolean,
    tick: () => Promise<void>,
  ): Promise<void> {
    let changedAt = performance.now();
    let before = -1;
    for (;;) {
      if (hasEnded()) throw engineGone();
      const left = await view.inPipeline();
      if (left !== before) changedAt = performance.now();
      before = left;
      if (left === 0 || this.#options.signal.aborted) return;
      if (performance.now() - changedAt > STUCK_MS) {
        throw new CommandFailure(
          `The demo does not end: ${left} rows have not moved for ${STUCK_MS / 1000} seconds`,
          { hint: "Read the engine's log in the demo's folder" },
        );
      }
      await tick();
      await pause(POLL_MS);
    }
  }

  async #baseline(view: EngineView): Promise<Baseline> {
    const files = new Map<string, ReadonlySet<string>>();
    for (const { type, settings } of this.#options.outbounds.values()) {
      const directory = String(settings.directory);
      if (type === "file" && this.#isOurs(directory)) {
        files.set(directory, new Set(await fileNames(directory)));
      }
    }
    const arrivals = new Map(this.#partners.map((partner) => [
      partner.port,
      partner.arrivals.length,
    ]));
    const [messages, dispositions] = [await view.messages(), await view.dispositions()];
    return { arrivals, messages, dispositions, files };
  }

  async #observe({ arrivals, files }: Baseline): Promise<ReadonlyMap<string, Observation>> {
    const observed = new Map<string, Observation>();
    for (const { name, type, settings } of this.#options.outbounds.values()) {
      const partner = this.#partners.find(({ port }) => type === "mllp" && port === settings.port);
      const before = files.get(String(settings.directory));
      if (partner !== undefined) {
        const controlIds = partner.arrivals.slice(arrivals.get(partner.port))
          .filter(({ code }) => code === "AA").map(({ controlId }) => controlId);
        observed.set(name, { kind: "mllp", to: `the ${partner.name}`, controlIds });
      } else if (type === "file" && before !== undefined) {
        const directory = String(settings.directory);
        const controlIds = await archivedControlIds(directory, { before });
        observed.set(name, { kind: "file", to: directory, controlIds });
      } else {
        observed.set(name, { kind: "elsewhere", to: String(settings.host ?? settings.directory) });
      }
    }
    return observed;
  }

  #isOurs(directory: string): boolean {
    return directory.startsWith(this.#options.folder.dir);
  }

  /** What the table shows; rates over the last seconds, or over the whole run. */
  async #progress(view: EngineView, { isWhole = false } = {}): Promise<Progress> {
    const at = performance.now();
    const elapsedMs = at - this.#startedAt;
    const rows: readonly TableRow[] = (await view.connections()).map((figures) => {
      const count = figures.direction === "in" ? figures.received : figures.delivered;
      const perSecond = isWhole
        ? count * 1000 / elapsedMs
        : this.#rates.perSecond(figures.name, count, at);
      return { ...figures, ...this.#latencies.of(figures.name), perSecond };
    });
    const { messages } = this.#options;
    return { sent: this.#sent, messages: messages.length, elapsedMs, rows, notes: this.#notes };
  }

  #arrived(port: number, { controlId, code, at }: Arrival): void {
    const due = this.#dueAt.get(`${port} ${controlId}`);
    const sentAt = due && this.#sentAt.get(due.from);
    if (code !== "AA" || sentAt === undefined) return;
    this.#latencies.add(due!.outbound, at - sentAt);
  }

  #note(text: string): void {
    this.#notes.push(text);
    this.#options.screen.note(text);
  }
}

function difference(
  now: Readonly<Record<Disposition, number>>,
  before: Readonly<Record<Disposition, number>>,
): Record<Disposition, number> {
  return {
    processed: now.processed - before.processed,
    filtered: now.filtered - before.filtered,
    unrouted: now.unrouted - before.unrouted,
    error: now.error - before.error,
  };
}

function engineGone(): CommandFailure {
  return new CommandFailure("The engine ended while the demo was running", {
    hint: "Read its log in the demo's folder",
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
