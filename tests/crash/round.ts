/**
 * One round of the proof: an engine under load dies several times on one store, then drains.
 *
 * Upstream: `proof.ts` and `crash_test.ts` with a plan. Downstream: engine processes, partners and
 * senders on loopback, in a directory that goes with the round.
 */
import type { EngineChild } from "./engine_child.ts";
import {
  checkAfterCrash,
  checkAtEnd,
  doublesIn,
  type InvariantName,
  type Testimony,
  type Violation,
} from "./invariants.ts";
import { Sender } from "./load.ts";
import type { Ending, RoundPlan } from "./plan.ts";
import { Site } from "./site.ts";

/** How one life of the engine went. */
export interface Life {
  readonly ending: Ending | "drained";
  /** The blow fell where it was planned to; false: it was struck by the clock instead. */
  readonly reached: boolean;
  readonly upMs: number;
}

export interface RoundResult {
  readonly plan: RoundPlan;
  readonly lives: readonly Life[];
  readonly sent: number;
  readonly answered: number;
  readonly stored: number;
  readonly deliveries: number;
  readonly doubles: number;
  readonly violations: readonly Violation[];
  readonly tookMs: number;
}

const FAILPOINT_MS = 4_000;
/** How long an engine runs before it is told to stop, where the stop itself is to be hit. */
const BEFORE_STOP_MS = 600;
const DRAIN_MS = 40_000;
const STOP_MS = 15_000;

/** Runs a round. @throws {Error} when the engine cannot be started at all. */
export async function runRound(plan: RoundPlan): Promise<RoundResult> {
  await using site = await Site.open(plan.seed, plan.synchronous);
  const round = new Round(plan, site);
  try {
    return await round.run();
  } finally {
    site.child.signal("SIGKILL");
    await round.stopSenders();
  }
}

class Round {
  readonly #plan: RoundPlan;
  readonly #site: Site;
  readonly #senders: readonly Sender[];
  readonly #lives: Life[] = [];
  readonly #endedInOrder = new Set<number>();
  readonly #violations: Violation[] = [];
  #startedAt = 0;

  constructor(plan: RoundPlan, site: Site) {
    this.#plan = plan;
    this.#site = site;
    const senders = (["IB_FAST", "IB_FAST", "IB_COUNT", "IB_SLOW"] as const)
      .filter((inbound) => plan.inbounds.includes(inbound));
    this.#senders = senders.map((inbound, index) =>
      new Sender({ inbound, name: `S${index}`, port: site.ports[inbound], plan })
    );
  }

  async run(): Promise<RoundResult> {
    const startedAt = performance.now();
    this.#site.partner("OB_BLOCKED").blocked = true;
    for (const sender of this.#senders) sender.start();
    for (const [life, ending] of this.#plan.endings.entries()) {
      const outage = this.#plan.outages[life];
      if (outage) this.#site.partner(outage).blocked = true;
      await this.#live(ending);
      if (outage) this.#site.partner(outage).blocked = false;
      this.#violations.push(...checkAfterCrash(this.#site.evidence(), this.#testimony()));
      if (this.#violations.length > 0) break;
    }
    if (this.#violations.length === 0) await this.#drain();
    await this.stopSenders();
    const { messages, rows } = this.#site.evidence();
    const { sent, exchanges } = this.#testimony();
    return {
      plan: this.#plan,
      lives: this.#lives,
      sent: sent.length,
      answered: sent.filter(({ code }) => code !== undefined).length,
      stored: messages.length,
      deliveries: rows.filter(({ status }) => status === "done").length,
      doubles: doublesIn(exchanges),
      violations: this.#violations,
      tookMs: performance.now() - startedAt,
    };
  }

  async stopSenders(): Promise<void> {
    await Promise.all(this.#senders.map((sender) => sender.stop()));
  }

  /** One life, from start to its planned end. */
  async #live(ending: Ending): Promise<void> {
    this.#startedAt = performance.now();
    const failpoint = ending.by === "failpoint" ? `${ending.name}@${ending.hit}` : undefined;
    const child = this.#site.spawn(failpoint);
    const reached = await this.#end(child, ending);
    const { success, signal } = await child.ended;
    this.#lives.push({ ending, reached, upMs: performance.now() - this.#startedAt });
    if (success) this.#endedInOrder.add(this.#lives.length);
    else if (signal !== "SIGKILL") this.#violate("I66", `the engine ended itself: ${child.errors}`);
  }

  /** Strikes as planned; returns whether the blow fell where it was meant to. */
  async #end(child: EngineChild, ending: Ending): Promise<boolean> {
    if (ending.by === "time") {
      const ended = await child.endsWithin(ending.afterMs);
      child.signal("SIGKILL");
      return !ended;
    }
    const isReady = await child.becomesReady();
    if (ending.by === "stop" || ending.stop) {
      await child.endsWithin(ending.by === "stop" ? ending.afterMs : BEFORE_STOP_MS);
      await this.#stop(child);
      return ending.by === "stop" || child.status?.signal === "SIGKILL";
    }
    if (!isReady || await child.endsWithin(FAILPOINT_MS)) return true;
    child.signal("SIGKILL");
    return false;
  }

  async #stop(child: EngineChild): Promise<void> {
    child.signal("SIGTERM");
    if (await child.endsWithin(STOP_MS)) return;
    this.#violate("I66", `the engine did not stop in ${STOP_MS} ms`);
    child.signal("SIGKILL");
    await child.ended;
  }

  /** The last life: the load ends, everything flows off, the engine stops in order. */
  async #drain(): Promise<void> {
    this.#startedAt = performance.now();
    const child = this.#site.spawn();
    if (!await child.becomesReady()) {
      return this.#violate("I66", `the engine did not come back: ${child.errors}`);
    }
    await child.endsWithin(300);
    await this.stopSenders();
    const others = await this.#site.flowsOff(DRAIN_MS, "OB_BLOCKED");
    if (others > 0) this.#violate("I27", `${others} rows wait beside a blocked lane`);
    this.#site.partner("OB_BLOCKED").blocked = false;
    const rest = await this.#site.flowsOff(DRAIN_MS);
    if (rest > 0) this.#violate("I66", `${rest} rows stay open`);
    await this.#stop(child);
    const upMs = performance.now() - this.#startedAt;
    this.#lives.push({ ending: "drained", reached: true, upMs });
    for (const sender of this.#senders) {
      for (const detail of sender.wrongAnswers) this.#violate("I4", detail);
    }
    this.#violations.push(...checkAtEnd(this.#site.evidence(), this.#testimony()));
  }

  #testimony(): Testimony {
    return {
      sent: this.#senders.flatMap(({ sent }) => sent),
      exchanges: this.#site.exchanges,
      endedInOrder: this.#endedInOrder,
    };
  }

  #violate(invariant: InvariantName, detail: string): void {
    this.#violations.push({ invariant, detail });
  }
}
