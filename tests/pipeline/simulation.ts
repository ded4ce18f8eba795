/**
 * A whole pipeline between a fake store, a fake sandbox and scripted partners, driven by a seed
 * through a storm and then left in peace until nothing is open. `rules.ts` looks on.
 */
import { type DeliveryAnswer, DeliveryError } from "../../src/connectors/connector.ts";
import { noFailpoints } from "../../src/failpoints.ts";
import type { InternalErrorPolicy } from "../../src/graph/graph.ts";
import { BACKSTOP_MS, nudgeLanes } from "../../src/pipeline/backstop.ts";
import { ATTEMPTS_MAX } from "../../src/pipeline/ingress_lane.ts";
import { MemoryBudget } from "../../src/pipeline/memory.ts";
import { Pipeline } from "../../src/pipeline/pipeline.ts";
import type { EdgeChange, TouchedLane } from "../../src/store/intent_results.ts";
import type { Intent, Stage } from "../../src/store/intents.ts";
import { FakeConnector, type Script } from "./fake_connectors.ts";
import { FakeDatabase } from "./fake_database.ts";
import { graphOf, inboundDefinition, outboundDefinition } from "./fake_graph.ts";
import { FakeRunner } from "./fake_runner.ts";
import { FakeStore } from "./fake_store.ts";
import { authorOf, HANDLERS, idOf, replyTo, textOf } from "./plan.ts";
import { Ledger } from "./ledger.ts";
import { loseWakes } from "./lost_wakes.ts";
import { Random } from "./random.ts";
import { type Outcome, Rules } from "./rules.ts";
import { silentLogger } from "./silent_logger.ts";
import { VirtualTime } from "./virtual_time.ts";

/** What a storm may hold; failures are probabilities a commit, a batch, a send. */
export interface Weather {
  readonly seed: number;
  readonly inbounds: number;
  readonly outbounds: number;
  /** Some handlers send there, and the first outbounds have answers taken in there. */
  readonly loopbacks: number;
  readonly messages: number;
  /** Memory of all lanes together, in messages. */
  readonly roomFor: number;
  readonly internalError: InternalErrorPolicy;
  readonly commitMs: number;
  readonly storeFails: number;
  readonly sandboxFails: number;
  readonly partnersFail: number;
  readonly partnerMs: number;
  /** Operators' acts during the storm. */
  readonly acts: number;
  readonly crashes: number;
  readonly restarts: number;
  /** Other graphs take the place of the running one: connections go, come back, change. */
  readonly reloads: number;
  /** Steps of the wall clock by up to an hour, either way. */
  readonly wallSteps: number;
  /** Wake-ups that do not arrive, of all that lanes and routing are given. */
  readonly wakesLost: number;
  /** Handlers change between quick and slow. */
  readonly slowHandlers: boolean;
  /** Messages that end the process whenever author code gets them. */
  readonly poisons: number;
  /** Rows whose content no key opens when it is read back from the store. */
  readonly unreadable: number;
  readonly retryMax: number | null;
}

/** One process; the rows outlive it. */
interface Life {
  readonly pipeline: Pipeline;
  readonly store: FakeStore;
  readonly connector: FakeConnector;
  readonly budget: MemoryBudget;
  readonly ledger: Ledger;
}

const STORM_MS = 20_000;
const PEACE_MS = 20 * 60_000;
const GRACE_MS = 300;
const TEXT_BYTES = 500;
const BURSTS = 12;
const OUTCOMES: readonly Outcome[] = ["AE", "AE", "refused", "lost", "AR", "bug"];

/** Runs one weather from beginning to end; returns every rule that was broken. */
export async function simulate(weather: Weather): Promise<readonly string[]> {
  using time = new VirtualTime();
  const chance = new Random(~weather.seed);
  using _lossy = loseWakes(() => chance.chance(weather.wakesLost));
  const simulation = new Simulation(weather, time);
  try {
    await simulation.run();
  } catch (thrown) {
    simulation.rules.defect(`threw ${thrown instanceof Error ? thrown.stack : thrown}`);
  }
  return simulation.rules.defects;
}

class Simulation {
  readonly rules: Rules;
  readonly #weather: Weather;
  readonly #time: VirtualTime;
  readonly #database = new FakeDatabase();
  readonly #random: Random;
  #life!: Life;
  #isStorm = true;
  #isSlow = false;
  #isUp = false;
  #runner!: FakeRunner;
  /** Reloads run one after the other, and a stop waits for them. */
  #reloading = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #isWhole = true;
  /** A lane that left with a reload could not give back what it had claimed; the next start does. */
  #hasLeftRows = false;
  #storeDownUntil = 0;
  #ending: "crash" | "restart" | undefined;
  #arrivals = 0;
  readonly #ids: string[] = [];
  readonly #poisons = new Set<string>();
  #deaths = 0;
  /** Replays of them: each begins its attempts anew. */
  #revived = 0;
  /** Rows up to here are readable or not. */
  #looked = 0;

  constructor(weather: Weather, time: VirtualTime) {
    this.#weather = weather;
    this.#time = time;
    this.#random = new Random(weather.seed);
    const { outbounds, loopbacks, retryMax, internalError } = weather;
    this.rules = new Rules({
      database: this.#database,
      outbounds,
      loopbacks,
      retryMax,
      internalError,
      now: () => time.now,
      wall: () => time.clock.now() * 1000,
      isOrdered,
      isClockSteady: weather.wallSteps === 0,
    });
  }

  async run(): Promise<void> {
    const time = this.#time;
    this.#plan();
    await this.#begin();
    while (time.now < STORM_MS) await this.#runUntil(() => false, STORM_MS - time.now);
    this.#isStorm = false;
    await this.#calmDown();
    this.rules.checkEnd();
    await this.#stop();
  }

  /** Runs until `isDone`, the limit, or one end of the process; returns whether it is done. */
  async #runUntil(isDone: () => boolean, limitMs: number): Promise<boolean> {
    const isOver = () => this.#ending !== undefined || isDone();
    await this.#time.run(isOver, limitMs);
    const ending = this.#ending;
    this.#ending = undefined;
    if (ending === "crash") await this.#crash();
    if (ending === "restart") await this.#restart();
    return ending === undefined && isDone();
  }

  // One life of the process.

  async #begin(): Promise<void> {
    const weather = this.#weather;
    const time = this.#time;
    const random = this.#random;
    const ledger = new Ledger((seq) => this.#database.rows.get(seq)?.stage === "outbound");
    const store = new FakeStore({
      database: this.#database,
      clock: time.clock,
      commitMs: () => this.#isStorm ? random.below(weather.commitMs) : 1,
      batchFails: () =>
        this.#isStorm && (time.now < this.#storeDownUntil || random.chance(weather.storeFails)),
      intentFails: () => this.#isStorm && random.chance(weather.storeFails / 4),
      askMs: () => this.#isStorm ? random.below(30) : 1,
      asksFail: () => this.#isStorm && random.chance(weather.storeFails),
      onRefused: (intent) => this.#noteRefused(intent),
      onCommit: () => this.#lookAtRows(),
      onExecuted: (intent, result) => ledger.note(intent, result),
    });
    const author = authorOf({
      outbounds: weather.outbounds,
      loopbacks: weather.loopbacks,
      mayFail: () => this.#isStorm || weather.internalError === "continue",
      isSlow: () => this.#isSlow,
    });
    this.#newRunner = () =>
      new FakeRunner({
        author: (request, read) => {
          if (this.#poisons.has(idOf(request.text))) this.#poison();
          return author(request, read);
        },
        batchMs: () => this.#isStorm ? random.below(this.#isSlow ? 80 : 5) : 1,
        batchFails: () => this.#isStorm && random.chance(weather.sandboxFails),
        state: this.#database.stateEntries(),
      });
    this.#runner = this.#newRunner();
    this.#reloading = 0;
    this.#hasLeftRows = false;
    this.#turn = Promise.resolve();
    this.#isWhole = true;
    const connector = new FakeConnector((name) => this.#partner(name));
    const budget = new MemoryBudget(weather.roomFor * (TEXT_BYTES + 512));
    const pipeline = new Pipeline({
      store: store.asStore,
      graph: this.#graph(),
      runner: {
        run: (requests) => this.#runner.run(requests),
        commitState: (inbound, entries) => this.#runner.commitState(inbound, entries),
        discardState: (inbound) => this.#runner.discardState(inbound),
      },
      connectors: connectorsOf(connector),
      clock: time.clock,
      logger: silentLogger,
      failpoints: noFailpoints,
      redact: (text) => text,
      validateStrict: () => Promise.resolve({ ok: true }),
      bindHost: "127.0.0.1",
      internalError: weather.internalError,
      simulateAll: false,
      correlationDepthMax: 8,
      allowInsecureTls: false,
      stopGraceMs: GRACE_MS,
      budget,
    });
    this.#life = { pipeline, store, connector, budget, ledger };
    let isStarted: boolean | undefined;
    pipeline.start().then(() => isStarted = true, () => isStarted = false);
    await time.run(() => isStarted !== undefined, 60_000);
    if (weather.wakesLost > 0) this.#watch(pipeline);
    // The store was down: the launcher starts the process again, but not at once.
    if (!isStarted) {
      await time.pass(200);
      return await this.#crash();
    }
    this.#isUp = true;
  }

  /** As the engine does for as long as it runs. */
  #watch(pipeline: Pipeline): void {
    this.#time.schedule(BACKSTOP_MS, () => {
      if (pipeline !== this.#life.pipeline) return;
      if (pipeline.isRunning) nudgeLanes(pipeline);
      this.#watch(pipeline);
    });
  }

  #newRunner!: () => FakeRunner;

  /** `isThere` and `version` say which connections a graph has, and which of them are others. */
  #graph(isThere: () => boolean = () => true, version: () => number = () => 0) {
    const { inbounds, outbounds, loopbacks, retryMax, internalError } = this.#weather;
    const graph = graphOf(
      [
        ...names("IB", inbounds).filter(isThere).map((name) =>
          inboundDefinition(name, { settings: { version: version() } })
        ),
        ...names("LP", loopbacks).map((name) => inboundDefinition(name, { type: "loopback" })),
      ],
      names("OB", outbounds).filter(isThere).map((name) =>
        outboundDefinition(name, {
          settings: { version: version() },
          ordering: isOrdered(name) ? "fifo" : "unordered",
          internalError,
          ...takenIn(name, loopbacks),
          retry: { maxAttempts: retryMax, backoffMs: 50, multiplier: 2, maxBackoffMs: 2_000 },
        })
      ),
      HANDLERS,
    );
    return { ...graph, readsResponses: loopbacks > 0 };
  }

  /** Another graph; a whole one has every connection. */
  #reload(isWhole: boolean): void {
    const random = this.#random;
    const { pipeline, connector } = this.#life;
    if (!this.#isUp) return;
    const graph = this.#graph(
      () => isWhole || random.chance(0.8),
      () => random.below(2),
    );
    this.#reloading += 1;
    this.#turn = this.#turn.then(async () => {
      const next = pipeline.prepare(graph, connectorsOf(connector));
      await pipeline.swap(next, () => {
        for (const name of next.outbounds.removed) this.rules.paused.delete(name);
        // Loaded with what is durable: nothing else may be on its way.
        this.#runner = this.#newRunner();
      });
    }).then(() => {
      this.#reloading -= 1;
      this.#isWhole = isWhole;
    }, (thrown) => this.rules.defect(`a reload failed: ${thrown}`));
  }

  #poison(): void {
    this.#ending = "crash";
    this.#deaths += 1;
    const { poisons, crashes, restarts } = this.#weather;
    if (this.#deaths > (poisons + this.#revived) * ATTEMPTS_MAX + crashes + restarts) {
      this.rules.defect(`I15: author code ended the process ${this.#deaths} times`);
    }
  }

  /** SIGKILL: no timer fires, no answer comes, no promise settles. */
  async #crash(): Promise<void> {
    this.#isUp = false;
    this.#life.store.closedFor = "a crash";
    this.#time.forgetEngine();
    this.#abandon();
    await this.#begin();
  }

  #abandon(): void {
    const held = this.#database.open().filter(({ status }) => status === "inflight");
    this.rules.abandoned(held);
  }

  async #restart(): Promise<void> {
    await this.#stop();
    this.#abandon();
    await this.#begin();
  }

  /** Stops in order; nothing may go on after it. */
  async #stop(): Promise<void> {
    const { rules } = this;
    const time = this.#time;
    const { pipeline, store, ledger } = this.#life;
    this.#isUp = false;
    if (!await time.run(() => this.#reloading === 0, 60_000)) rules.defect("a reload never ended");
    const refusedBefore = store.refused;
    let isOver = false;
    pipeline.stop().then(() => isOver = true, (thrown) => {
      rules.defect(`stop() rejected: ${thrown}`);
      isOver = true;
    });
    if (!await time.run(() => isOver, 60_000)) rules.defect("stop() never came to its end");
    await time.run(() => store.unanswered === 0, 10_000);
    store.closedFor = "stop()";
    await time.settle();
    if (time.pending > 0) rules.defect(`${time.pending} timers outlive stop()`);
    for (const text of store.defects) rules.defect(text);
    const difference = ledger.differs(pipeline);
    if (difference !== undefined) rules.defect(`I75: ${difference}`);
    if (store.marching !== 0) rules.defect(`march() is out of balance by ${store.marching}`);
    if (store.isCrowded) rules.defect("crowd() is out of balance");
    for (const lane of rules.busyLanes) rules.defect(`${lane} is on the wire after stop()`);
    // What the store refused meanwhile, the next start recovers.
    if (store.refused === refusedBefore && !this.#hasLeftRows) rules.checkStopped();
  }

  #lookAtRows(): void {
    this.rules.checkUnfinished();
    const { pipeline, budget } = this.#life;
    if (budget.bytes < 0) this.rules.defect(`memory holds ${budget.bytes} bytes`);
    for (const { name, memory } of [...pipeline.outbounds.values(), ...lanesOf(pipeline)]) {
      if (memory.rows < 0) this.rules.defect(`${name} holds ${memory.rows} rows in memory`);
    }
    const { unreadable } = this.#weather;
    if (unreadable === 0) return;
    for (const { seq } of this.#database.rows.values()) {
      if (seq <= this.#looked) continue;
      this.#looked = seq;
      if (this.#random.chance(unreadable)) this.#database.unreadable.add(seq);
    }
  }

  #noteRefused(intent: Intent): void {
    const isGivingBack = intent.kind === "release" || intent.kind === "resync";
    if (isGivingBack && this.#reloading > 0) this.#hasLeftRows = true;
    if (isResolution(intent)) {
      this.rules.unresolved(intent.seq);
    }
  }

  // Partners.

  #partner(lane: string): Script {
    return async ({ text }, signal): Promise<DeliveryAnswer> => {
      const random = this.#random;
      const { partnersFail } = this.#weather;
      const fails = this.#isStorm && random.chance(partnersFail);
      const outcome = fails ? random.pick(OUTCOMES) : "taken";
      const sent = this.rules.began(lane, text, outcome);
      try {
        await this.#onWire(this.#wireMs(), signal);
      } catch (thrown) {
        sent.outcome = "aborted";
        throw thrown;
      } finally {
        this.rules.ended(sent);
      }
      const answer = answerOf(outcome);
      const reply = replyTo(text);
      return answer.accepted && reply !== undefined
        ? { accepted: true, reply: textOf(reply, 0) }
        : answer;
    };
  }

  /** Now and then a partner takes longer than a stop waits for it. */
  #wireMs(): number {
    const { partnersFail, partnerMs } = this.#weather;
    if (!this.#isStorm) return 1;
    return this.#random.chance(partnersFail / 20)
      ? 200 + this.#random.below(2_000)
      : this.#random.below(partnerMs);
  }

  #onWire(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(new DeliveryError("delivery.aborted", "Aborted", { reached: "unknown" }));
      });
    });
  }

  // The storm.

  #plan(): void {
    const { inbounds, messages, acts, crashes, restarts, wallSteps } = this.#weather;
    const { slowHandlers, storeFails } = this.#weather;
    const time = this.#time;
    const random = this.#random;
    const some = (count: number, act: () => void) => {
      for (let n = 0; n < count; n += 1) time.schedule(random.below(STORM_MS - 2_000), act);
    };
    for (let n = 0; n < messages; n += 1) {
      const inbound = `IB_${random.below(inbounds)}`;
      // In bursts, so that batches hold more than one message.
      const at = random.below(BURSTS) * (STORM_MS / BURSTS - 100) + random.below(40);
      time.schedule(at, () => this.#arrive(inbound));
    }
    some(acts, () => this.#act());
    some(crashes, () => this.#ending = "crash");
    some(restarts, () => this.#ending = "restart");
    some(this.#weather.reloads, () => this.#reload(false));
    some(wallSteps, () => time.stepWall(random.below(7_200_000) - 3_600_000));
    if (slowHandlers) some(7, () => this.#isSlow = !this.#isSlow);
    if (storeFails > 0) some(1, () => this.#storeDownUntil = time.now + random.below(4_000));
  }

  #arrive(inbound: string): void {
    const id = `${inbound}-${this.#arrivals++}`;
    const fed = this.#life.connector.sources.get(inbound)?.feed(textOf(id, TEXT_BYTES));
    if (!fed) return;
    this.#ids.push(id);
    if (this.#poisons.size < this.#weather.poisons && this.#random.chance(0.1)) {
      this.#poisons.add(id);
      this.rules.poisons.add(id);
    }
    this.rules.arrived(inbound, id);
    fed.then(
      ({ stored }) => this.rules.answered(inbound, id, stored),
      (thrown) => this.rules.defect(`receive() rejected: ${thrown}`),
    );
  }

  /** Something an operator does, on whatever there is. */
  #act(): void {
    const random = this.#random;
    if (!this.#isUp) return;
    const { pipeline } = this.#life;
    const { inbounds, outbounds } = this.#weather;
    const name = random.pick(names("OB", outbounds));
    const lane = pipeline.outbounds.get(name);
    const inbound = pipeline.inbounds.get(random.pick(names("IB", inbounds)));
    if (lane === undefined || inbound === undefined) return;
    switch (random.below(9)) {
      case 0:
      case 1:
        this.rules.paused.add(name);
        void lane.pause();
        break;
      case 2:
        this.rules.paused.delete(name);
        lane.resume();
        break;
      case 3:
        void lane.pause();
        lane.resume();
        this.rules.paused.delete(name);
        break;
      case 4:
        void inbound.stop().then(() => inbound.start());
        break;
      case 5:
        void this.#operate(this.#replay(), pipeline);
        break;
      case 6: {
        const destination = random.chance(0.5) ? name : undefined;
        const at = this.#at();
        const { store } = this.#life;
        void this.#operate(
          store.submit({ kind: "replay_dead", channel: undefined, destination, at }),
          pipeline,
        );
        break;
      }
      case 7:
        void this.#operate(this.#cancel(name), pipeline);
        break;
      case 8:
        void pipeline.touched([
          { stage: random.pick<Stage>(["ingress", "routed"]), lane: inbound.name },
          { stage: "outbound", lane: name },
        ]);
    }
  }

  async #replay() {
    const id = this.#random.pick(this.#ids.length > 0 ? this.#ids : [""]);
    const message = [...this.#database.messages.values()]
      .find(({ raw }) => raw === textOf(id, TEXT_BYTES));
    const result = await this.#life.store.submit({
      kind: "replay",
      id: message?.id ?? "none",
      at: this.#at(),
    });
    if (result.requeued > 0) {
      this.rules.replayed(id);
      if (this.#poisons.has(id)) this.#revived += 1;
    }
    return result;
  }

  async #cancel(destination: string) {
    const scope = this.#random.chance(0.8) ? "top" : "all";
    const at = this.#at();
    const { edges } = await this.#life.store.submit({ kind: "cancel", destination, scope, at });
    return { edges, lanes: [{ stage: "outbound" as const, lane: destination }] };
  }

  async #operate(
    act: Promise<{ lanes: readonly TouchedLane[]; edges: readonly EdgeChange[] }>,
    pipeline: Pipeline,
  ): Promise<void> {
    try {
      const { lanes, edges } = await act;
      const lateMs = this.#random.below(60);
      await new Promise<void>((resolve) => this.#time.schedule(lateMs, resolve));
      if (!this.#isUp || pipeline !== this.#life.pipeline) return;
      await pipeline.touched(lanes, edges);
    } catch {
      // The store refused it; the operator is told.
    }
  }

  #at(): number {
    return Math.round(this.#time.clock.now() * 1000);
  }

  // Peace.

  /** What halted before the authors mended it halts no more once an operator starts it again. */
  #startAll(): void {
    const { pipeline } = this.#life;
    // Nobody else is woken: a lane that sleeps over rows that are due must show.
    for (const lane of pipeline.outbounds.values()) {
      if (lane.isPaused || lane.haltedFor !== undefined) lane.resume();
    }
    for (const inbound of pipeline.inbounds.values()) {
      if (inbound.haltedFor !== undefined) inbound.resume();
    }
    this.rules.paused.clear();
  }

  /** A paused lane that is not busy holds nothing in flight, so that it can be purged. */
  #checkPaused(): void {
    const { pipeline, store } = this.#life;
    if (store.unanswered > 0) return;
    for (const { name, isPaused, isBusy } of pipeline.outbounds.values()) {
      if (!isPaused || isBusy) continue;
      const held = this.#database.open("outbound", name).filter((r) => r.status === "inflight");
      if (held.length > 0) this.rules.defect(`${name} is paused, row ${held[0]!.seq} in flight`);
    }
  }

  async #calmDown(): Promise<void> {
    const time = this.#time;
    const end = time.now + PEACE_MS;
    const isQuiet = () =>
      this.#database.open().length === 0 && this.#life.pipeline.openRows === 0 &&
      this.#life.store.unanswered === 0;
    let isOver = false;
    while (!isOver && time.now < end) {
      // Longer than any lane waits for a store that failed.
      await this.#runUntil(() => false, 62_000);
      if (!this.#isWhole) this.#reload(true);
      await this.#runUntil(() => this.#reloading === 0, 60_000);
      this.#checkPaused();
      this.#startAll();
      isOver = await this.#runUntil(isQuiet, end - time.now);
    }
    const { pipeline, store, budget } = this.#life;
    if (!isOver && this.#database.open().length === 0) {
      const lanes = [...pipeline.outbounds.values(), ...lanesOf(pipeline)]
        .filter(({ depth }) => depth !== 0).map(({ name, depth }) => `${name}: ${depth}`);
      this.rules.defect(
        `memory counts ${pipeline.openRows} open rows (${lanes.join()}), the store none`,
      );
    }
    // A lane that was parked counts once more.
    await time.pass(70_000);
    if (!isOver) return;
    if (budget.bytes !== 0) this.rules.defect(`memory holds ${budget.bytes} bytes of nothing`);
    if (store.marching !== 0) this.rules.defect(`${store.marching} lanes march, none has rows`);
    if (store.isCrowded) this.rules.defect("senders are held back, none of them sends");
    if (time.pending > 0) this.rules.defect(`${time.pending} timers run in an idle engine`);
    for (const edge of pipeline.statistics.edges()) {
      if (edge.depth === 0) continue;
      this.rules.defect(`${edge.inbound} to ${edge.outbound} shows depth ${edge.depth}`);
    }
  }
}

function answerOf(outcome: Outcome): DeliveryAnswer {
  switch (outcome) {
    case "AE":
      return { accepted: false, code: "AE", permanent: false };
    case "AR":
      return { accepted: false, code: "AR", permanent: true };
    case "refused":
      throw new DeliveryError("delivery.connect_failed", "Refused", { reached: "no" });
    case "lost":
      throw new DeliveryError("delivery.unconfirmed", "No answer", { reached: "unknown" });
    case "bug":
      throw new TypeError("a defect of the connector");
    default:
      return { accepted: true };
  }
}

function isResolution(intent: Intent) {
  return intent.kind === "complete" || intent.kind === "complete_with_response" ||
    intent.kind === "dead_letter";
}

function connectorsOf(connector: FakeConnector) {
  return new Map([["fake", connector], ["loopback", connector]]);
}

/** As many outbounds as there are loopbacks have their partners' answers taken in. */
function takenIn(outbound: string, loopbacks: number) {
  const number = Number(outbound.slice(3));
  return number < loopbacks ? { captureResponse: true, reingressTo: `LP_${number}` } : {};
}

function lanesOf(pipeline: Pipeline) {
  return [...pipeline.inbounds.values()].map(({ lane }) => lane);
}

/** Every fourth outbound takes its rows in any order. */
function isOrdered(lane: string): boolean {
  return Number(lane.slice(3)) % 4 !== 3;
}

function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}_${index}`);
}
