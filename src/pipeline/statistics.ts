/**
 * Counters of the running engine, in memory: dashboards never scan the store.
 *
 * Source: spec connectors-and-graph §7.2, pipeline-store-cluster §1.9. A reset moves the baseline of
 * what people are shown; the totals behind it go on.
 */

/** Upper bounds of the latency buckets, seconds (spec api §1.6). */
export const LATENCY_BUCKETS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300] as const;

export class InboundStatistics {
  read = 0;
  errored = 0;
  /** Acknowledgements that were not positive. */
  naksSent = 0;
  /** Milliseconds since the epoch; undefined before the first message. */
  lastAt: number | undefined;
  #base = { read: 0, errored: 0 };

  /** What people see: counted from the last reset. */
  get shown(): { readonly read: number; readonly errored: number } {
    return { read: this.read - this.#base.read, errored: this.errored - this.#base.errored };
  }

  reset(): void {
    this.#base = { read: this.read, errored: this.errored };
  }
}

/** One (inbound, outbound) pair that has carried traffic. */
export class EdgeStatistics {
  readonly inbound: string;
  readonly outbound: string;
  written = 0;
  dead = 0;
  /** Sends that will be tried again. */
  retries = 0;
  /** Answers of the partner that were not positive. */
  naksReceived = 0;
  /** Below 0 for the moment between a row's end and the news that an operator had opened it. */
  #open = 0;
  lastDoneAt: number | undefined;
  readonly latency: number[] = new Array(LATENCY_BUCKETS.length + 1).fill(0);
  latencySumSeconds = 0;
  #base = { written: 0, dead: 0 };
  readonly #recent = new Float64Array(60);
  #recentSecond = 0;

  constructor(inbound: string, outbound: string) {
    this.inbound = inbound;
    this.outbound = outbound;
  }

  /** Rows waiting or in flight. */
  get depth(): number {
    return Math.max(0, this.#open);
  }

  /** Rows came into being, or were requeued; negative: they were cancelled. */
  opened(rows: number): void {
    this.#open += rows;
  }

  delivered(nowMs: number, latencySeconds: number): void {
    this.written += 1;
    this.#open -= 1;
    this.lastDoneAt = nowMs;
    const bucket = LATENCY_BUCKETS.findIndex((bound) => latencySeconds <= bound);
    this.latency[bucket < 0 ? LATENCY_BUCKETS.length : bucket]! += 1;
    this.latencySumSeconds += Math.max(0, latencySeconds);
    this.#advance(nowMs);
    this.#recent[this.#recentSecond % 60]! += 1;
  }

  died(): void {
    this.dead += 1;
    this.#open -= 1;
  }

  /** What people see: counted from the last reset. */
  get shown(): { readonly written: number; readonly dead: number } {
    return { written: this.written - this.#base.written, dead: this.dead - this.#base.dead };
  }

  reset(): void {
    this.#base = { written: this.written, dead: this.dead };
  }

  /** Deliveries in the last 60 seconds. */
  recentDone(nowMs: number): number {
    this.#advance(nowMs);
    return this.#recent.reduce((sum, count) => sum + count, 0);
  }

  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    // Seconds that lie ahead were counted before the clock stepped back.
    if (this.#recentSecond - second >= 60) this.#recentSecond = second - 60;
    const steps = Math.min(60, second - this.#recentSecond);
    for (let step = 1; step <= steps; step += 1) {
      this.#recent[(this.#recentSecond + step) % 60] = 0;
    }
    if (second > this.#recentSecond) this.#recentSecond = second;
  }
}

export class Statistics {
  readonly latencyBuckets = LATENCY_BUCKETS;
  readonly inbounds = new Map<string, InboundStatistics>();
  readonly #edges = new Map<string, Map<string, EdgeStatistics>>();
  inbound(name: string): InboundStatistics {
    let statistics = this.inbounds.get(name);
    if (!statistics) this.inbounds.set(name, statistics = new InboundStatistics());
    return statistics;
  }

  edge(inbound: string, outbound: string): EdgeStatistics {
    let ofInbound = this.#edges.get(inbound);
    if (!ofInbound) this.#edges.set(inbound, ofInbound = new Map());
    let edge = ofInbound.get(outbound);
    if (!edge) ofInbound.set(outbound, edge = new EdgeStatistics(inbound, outbound));
    return edge;
  }

  edges(): EdgeStatistics[] {
    return [...this.#edges.values()].flatMap((ofInbound) => [...ofInbound.values()]);
  }
}
