/**
 * The running graph: intake, routing, transform and delivery of every connection.
 *
 * Upstream: `engine.ts` hands it a graph, a sandbox and a store. Downstream: connectors and rows.
 */
import type { BuildupLimits, ConnectionStopped, LaneGauge } from "../alerts/mod.ts";
import type { Clock } from "../clock.ts";
import type { Connector, Destination, Source } from "../connectors/connector.ts";
import type { Failpoints } from "../failpoints.ts";
import type { Graph, InternalErrorPolicy } from "../graph/graph.ts";
import type { Logger } from "../logging/logger.ts";
import type { EdgeChange, TouchedLane } from "../store/intent_results.ts";
import type { Store } from "../store/store.ts";
import { ConnectionBuilder } from "./connections.ts";
import { EventLog } from "./event_log.ts";
import { laneGauges } from "./gauges.ts";
import { type Change, changeOf, isSameInbound, isSameOutbound } from "./graph_change.ts";
import type { Inbound } from "./inbound.ts";
import type { IngressLane, IngressStage } from "./ingress_lane.ts";
import { IngressLanes } from "./ingress_lanes.ts";
import type { ValidateStrict } from "./intake.ts";
import { MemoryBudget } from "./memory.ts";
import type { OutboundLane, OutboundObserver } from "./outbound_lane.ts";
import { defaultPace, Pace } from "./pace.ts";
import { Reingress } from "./reingress.ts";
import { type GraphRunner, Routing } from "./routing.ts";
import { Statistics } from "./statistics.ts";

export interface PipelineOptions {
  readonly store: Store;
  readonly graph: Graph;
  readonly runner: GraphRunner;
  readonly connectors: ReadonlyMap<string, Connector>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly failpoints: Failpoints;
  readonly redact: (text: string) => string;
  readonly validateStrict: ValidateStrict;
  readonly bindHost: string;
  readonly internalError: InternalErrorPolicy;
  readonly simulateAll: boolean;
  /** How many hops a chain of re-ingressed messages may have. */
  readonly correlationDepthMax: number;
  readonly allowInsecureTls: boolean;
  /** False: connection events are not written, but of inbounds that say otherwise. */
  readonly recordsEvents?: boolean;
  readonly stopGraceMs: number;
  /** What memory may hold of all lanes together; its own default when left out. */
  readonly budget?: MemoryBudget;
  /** A connection came to a halt, or cannot start. Must not throw and must not block. */
  readonly onStopped?: (event: ConnectionStopped) => void;
  /** Lanes with open rows at the start; the store's own when left out. */
  readonly openLanes?: Store["openLanes"];
  /** Whether this node may act at this moment: take a message, send one. Left out: always. */
  readonly mayAct?: () => boolean;
  /** Whether a sender may be told that its message is taken. Left out: always. */
  readonly mayAnswer?: () => boolean;
}

/** A graph that may take the place of the running one: everything it needs is built. */
export interface NextGraph {
  readonly graph: Graph;
  readonly inbounds: Change;
  readonly outbounds: Change;
  /** Of inbounds that are new or changed. */
  readonly sources: ReadonlyMap<string, Source>;
  /** Of outbounds that are new or changed. */
  readonly destinations: ReadonlyMap<string, Destination>;
}

/** Why the lanes of an inbound halt that a reload or a restart took away. */
const NOT_IN_GRAPH = "its inbound is not in the graph";
/** How long the sums over all lanes are taken for current. */
const LOAD_FRESH_MS = 5;

/** Rows on their way inside the engine. */
interface Load {
  /** Milliseconds of the monotonic clock the sums were taken at. */
  readonly at: number;
  /** Of outbound lanes that deliver at the engine's own pace. */
  readonly flowing: number;
  /** Messages held for their hand-off. */
  readonly toRoute: number;
}

export class Pipeline {
  readonly statistics = new Statistics();
  readonly events: EventLog;
  readonly inbounds = new Map<string, Inbound>();
  readonly outbounds = new Map<string, OutboundLane>();
  readonly #options: PipelineOptions;
  readonly #builder: ConnectionBuilder;
  readonly #budget: MemoryBudget;
  #graph: Graph;
  /** Open rows found at start, by lane. */
  readonly #openAtStart = new Map<string, number>();
  readonly #lanes: IngressLanes;
  readonly #routing: Routing;
  readonly #reingress: Reingress;
  readonly #pace: Pace;
  #isRunning = false;
  #hasStarted = false;
  #lastLoad: Load = { at: Number.NEGATIVE_INFINITY, flowing: 0, toRoute: 0 };

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#graph = options.graph;
    const { store, clock, logger, failpoints, graph, connectors } = options;
    this.#budget = options.budget ?? new MemoryBudget();
    const openLanes = options.openLanes ?? store.openLanes;
    for (const { stage, lane, open } of openLanes) {
      const key = laneKey(stage, lane);
      this.#openAtStart.set(key, (this.#openAtStart.get(key) ?? 0) + open);
    }
    this.#lanes = new IngressLanes({
      ...{ store, clock, logger, budget: this.#budget },
      openAtStart: (stage, name) => this.#openAtStart.get(laneKey(stage, name)) ?? 0,
      onReady: (lane) => (lane.stage === "response" ? this.#reingress : this.#routing).ready(lane),
      onSuspect: (lane) => this.#routing.suspect(lane),
    });
    this.events = new EventLog({ ...options, records: (name) => this.#recordsEvents(name) });
    this.#pace = new Pace(clock, {
      toRoute: () => this.#load().toRoute,
      flowing: () => this.#load().flowing,
    }, { ...defaultPace, onHold: (isHolding) => store.crowd(isHolding) });
    this.#routing = new Routing({
      store,
      clock,
      logger,
      failpoints,
      internalError: options.internalError,
      runner: () => options.runner,
      inbound: (name) => this.#graph.inbounds.get(name),
      outbound: (name) => this.outbounds.get(name),
      responseLane: (name) => this.#responseLane(name),
      readsResponses: () => this.#graph.readsResponses,
      hasHandler: (name) => this.#graph.handlers.has(name),
      routedLane: (name) => this.#lanes.get("routed", name),
      onQueued: (inbound, outbound) => {
        this.statistics.edge(inbound, outbound).opened(1);
      },
      onHandedOff: () => this.#pace.handedOff(),
      onHalted: (event) => this.#onHalted(event, `row ${event.row}: ${event.code}`),
    });
    this.#reingress = new Reingress({
      store,
      clock,
      logger,
      failpoints,
      depthMax: options.correlationDepthMax,
      inbound: (name) => this.inbounds.get(name),
      statistics: (name) => this.statistics.inbound(name),
    });
    this.#builder = new ConnectionBuilder({
      ...options,
      budget: this.#budget,
      events: this.events,
      statistics: this.statistics,
      pace: this.#pace,
      observer: this.#observer,
      responseLane: (name) => this.#responseLane(name),
      onFailed: (connection, code) =>
        options.onStopped?.({ type: "connection_stopped", connection, code, row: undefined }),
    });
    for (const [name, definition] of graph.outbounds) {
      const destination = this.#builder.destination(definition, connectors);
      const open = this.#openAtStart.get(laneKey("outbound", name)) ?? 0;
      this.outbounds.set(name, this.#builder.outbound(definition, { destination, open }));
    }
    for (const [name, definition] of graph.inbounds) {
      this.#putInbound(name, this.#builder.source(definition, connectors));
    }
    for (const { stage, lane, channel, open } of openLanes) {
      if (stage === "routed" && graph.inbounds.has(lane)) this.#lanes.get("routed", lane);
      if (stage === "response") this.#responseLane(lane);
      if (stage !== "outbound" && !graph.inbounds.has(lane)) {
        this.#lanes.get(stage as IngressStage, lane).halted = NOT_IN_GRAPH;
      }
      if (stage === "outbound" && this.outbounds.has(lane)) {
        this.statistics.edge(channel, lane).opened(open);
      }
    }
  }

  /** Also when it has stopped since. */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  /** Between `start()` and `stop()`. */
  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Gives up rows of handlers and destinations that are gone, then moves what is queued. */
  async start(): Promise<void> {
    this.#isRunning = true;
    this.#hasStarted = true;
    const { store, clock, logger } = this.#options;
    const graph = this.#graph;
    const { dead } = await store.submit({
      kind: "sweep_missing",
      destinations: [...graph.outbounds.keys()],
      handlers: [...graph.handlers.keys()],
      at: Math.round(clock.now() * 1000),
    });
    if (dead > 0) logger.warning("pipeline.swept", { dead_letters: dead });
    // Workers first: no message is acknowledged before the pipeline behind it lives.
    for (const lane of this.outbounds.values()) lane.wake();
    for (const lane of this.#lanes.of("routed")) {
      // Nobody claims where an inbound is gone, so nobody else sees what was given up there.
      if (lane.halted === undefined) lane.wake();
      else lane.recount();
    }
    for (const { lane } of this.inbounds.values()) lane.wake();
    await Promise.all([...this.inbounds.values()].map((inbound) => inbound.start()));
  }

  /** Stops intake, lets what is running end within the grace, releases the rest. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#pace.close();
    await Promise.all([...this.inbounds.values()].map((inbound) => inbound.stop()));
    await Promise.all([this.#routing.stop(), this.#reingress.stop()]);
    const lanes = [...this.#lanes.of("ingress"), ...this.#lanes.of("routed")];
    await Promise.all(lanes.map((lane) => lane.stop()));
    await Promise.all(
      [...this.outbounds.values()].map((lane) => lane.stop(this.#options.stopGraceMs)),
    );
    // What the last deliveries were answered waits there until the next start.
    await Promise.all([...this.#lanes.of("response")].map((lane) => lane.stop()));
    await Promise.all([...this.outbounds.values()].map((lane) => lane.destination.close()));
    await this.events.flush();
  }

  /**
   * Builds what another graph needs beside what runs; nothing of it runs yet.
   *
   * @throws {ConnectorError} a connection cannot be built.
   */
  prepare(graph: Graph, connectors: ReadonlyMap<string, Connector>): NextGraph {
    const inbounds = changeOf(this.#graph.inbounds, graph.inbounds, isSameInbound);
    const outbounds = changeOf(this.#graph.outbounds, graph.outbounds, isSameOutbound);
    const sources = new Map<string, Source>();
    const destinations = new Map<string, Destination>();
    for (const name of [...inbounds.added, ...inbounds.changed]) {
      sources.set(name, this.#builder.source(graph.inbounds.get(name)!, connectors));
    }
    for (const name of [...outbounds.added, ...outbounds.changed]) {
      destinations.set(name, this.#builder.destination(graph.outbounds.get(name)!, connectors));
    }
    return { graph, inbounds, outbounds, sources, destinations };
  }

  /**
   * Puts a prepared graph in the place of the running one. `onQuiet` is called in the moment no
   * author code runs and none has an outcome under way.
   *
   * Connections that did not change go on untouched, and rows stay where they are: those of a lane
   * that is gone wait until it is back. What changed ends as at a stop, then its successor begins.
   * Lanes that an error halted run again; what an operator stopped stays stopped.
   */
  async swap(next: NextGraph, onQuiet: () => void): Promise<void> {
    const goOn = await this.#routing.hold();
    onQuiet();
    const former = this.#exchangeInbounds(next);
    const leaving = [...former, ...this.#exchangeOutbounds(next)];
    goOn();
    await Promise.all(leaving);
    const incoming = [...next.inbounds.added, ...next.inbounds.changed];
    await Promise.all(incoming.map((name) => this.inbounds.get(name)?.startUnlessStopped()));
  }

  /** Returns the ends of the sources that leave. */
  #exchangeInbounds({ graph, inbounds: change, sources }: NextGraph): readonly Promise<void>[] {
    const former = [...change.changed, ...change.removed].map((name) => this.inbounds.get(name)!);
    const gone = former.map((inbound) => inbound.retire());
    // A new listener may want the port of any of them.
    const after = Promise.all(gone);
    this.#graph = graph;
    for (const name of change.kept) this.inbounds.get(name)!.adopt(graph.inbounds.get(name)!);
    for (const name of change.removed) {
      this.inbounds.delete(name);
      for (const lane of this.#lanes.ofInbound(name)) {
        void lane.halt(NOT_IN_GRAPH);
      }
    }
    for (const name of [...change.changed, ...change.added]) {
      const isStopped = this.inbounds.get(name)?.isStopped ?? false;
      const inbound = this.#putInbound(name, sources.get(name)!, after);
      if (isStopped) void inbound.stop();
    }
    // Their rows may be in the store since a graph before the running one.
    for (const name of change.added) {
      this.#lanes.get("routed", name).recount();
      this.#responseLane(name)?.recount();
      this.inbounds.get(name)!.lane.recount();
    }
    for (const inbound of this.inbounds.values()) inbound.resume();
    inOrderOf(graph.inbounds, this.inbounds);
    return gone;
  }

  /** Returns the ends of the lanes that leave. */
  #exchangeOutbounds(
    { graph, outbounds: change, destinations }: NextGraph,
  ): readonly Promise<void>[] {
    const gone = new Map<string, Promise<void>>();
    for (const name of [...change.changed, ...change.removed]) {
      const lane = this.outbounds.get(name)!;
      gone.set(name, lane.stop(this.#options.stopGraceMs).then(() => lane.destination.close()));
    }
    for (const name of change.removed) this.outbounds.delete(name);
    for (const name of change.kept) {
      const lane = this.outbounds.get(name)!;
      lane.adopt(graph.outbounds.get(name)!);
      if (lane.haltedFor !== undefined && !lane.isPaused) lane.resume();
    }
    for (const [name, destination] of destinations) {
      const former = this.outbounds.get(name);
      const lane = this.#builder.outbound(graph.outbounds.get(name)!, { destination, open: 0 });
      this.outbounds.set(name, lane);
      lane.follow(gone.get(name) ?? Promise.resolve());
      if (former?.isPaused) void lane.pause();
    }
    inOrderOf(graph.outbounds, this.outbounds);
    return [...gone.values()];
  }

  /**
   * Operators changed rows of these lanes: forget memory, look at the store. Resolves when the
   * lanes that stand still have counted; never rejects.
   */
  async touched(
    lanes: readonly TouchedLane[],
    edges: readonly EdgeChange[] = [],
  ): Promise<void> {
    for (const { channel, destination, rows } of edges) {
      this.statistics.edge(channel, destination).opened(rows);
    }
    const standing: Promise<void>[] = [];
    for (const { stage, lane } of lanes) {
      if (stage === "outbound") {
        standing.push(this.outbounds.get(lane)?.recount() ?? Promise.resolve());
      }
      if (stage === "ingress") this.inbounds.get(lane)?.lane.recount();
      if (stage === "routed" && this.#graph.inbounds.has(lane)) {
        this.#lanes.get("routed", lane).recount();
      }
      if (stage === "response") this.#responseLane(lane)?.recount();
    }
    await Promise.all(standing);
  }

  /** Those of these lanes, open in the store, of which memory knows no open row. */
  overlooked(lanes: readonly TouchedLane[]): readonly TouchedLane[] {
    return lanes.filter(({ stage, lane }) => {
      if (stage === "outbound") return this.outbounds.get(lane)?.depth === 0;
      if (!this.#graph.inbounds.has(lane)) return false;
      return this.#lanes.find(stage, lane)?.isEmpty ?? true;
    });
  }

  /**
   * Pending and in-flight rows of all stages, as memory counts them; also those that wait for a
   * connection the graph does not have any more.
   */
  get openRows(): number {
    let rows = 0;
    for (const lane of this.outbounds.values()) rows += lane.memory.openRows;
    for (const lane of this.#lanes) rows += lane.memory.openRows;
    for (const { outbound, depth } of this.statistics.edges()) {
      if (!this.outbounds.has(outbound)) rows += depth;
    }
    return rows;
  }

  /** What every lane holds; thresholds of lanes before the outbounds are `shared`. */
  gauges(shared: BuildupLimits): Iterable<LaneGauge> {
    return laneGauges({ outbounds: this.outbounds.values(), ingress: this.#lanes }, shared);
  }

  /** Whether a connection came to a halt, or could not start, and nobody has changed that. */
  hasStopped(connection: string): boolean {
    const inbound = this.inbounds.get(connection);
    if (inbound && (inbound.haltedFor !== undefined || inbound.state === "failed")) return true;
    return this.outbounds.get(connection)?.haltedFor !== undefined;
  }

  #recordsEvents(connection: string): boolean {
    const { captureConnectionErrors } = this.#graph.inbounds.get(connection) ?? {};
    return captureConnectionErrors ?? this.#options.recordsEvents ?? true;
  }

  /** Puts an inbound in the place of what bears its name; the lane of its messages stays. */
  #putInbound(name: string, source: Source, after?: Promise<unknown>): Inbound {
    const inbound = this.#builder.inbound(this.#graph.inbounds.get(name)!, {
      source,
      lane: this.#lanes.get("ingress", name),
      routedLane: () => this.#lanes.find("routed", name),
      responseLane: () => this.#lanes.find("response", name),
      after,
    });
    this.inbounds.set(name, inbound);
    return inbound;
  }

  /** Undefined unless the graph has a loopback of that name. */
  #responseLane(name: string): IngressLane | undefined {
    if (this.#graph.inbounds.get(name)?.type !== "loopback") return undefined;
    return this.#lanes.get("response", name);
  }

  readonly #observer: OutboundObserver = {
    delivered: (lane, item) => {
      const { clock } = this.#options;
      const now = clock.now();
      this.statistics.edge(item.channel, lane.name)
        .delivered(now, (now * 1000 - item.createdAt) / 1e6);
      this.#pace.delivered();
    },
    refused: (lane, item) => {
      this.statistics.edge(item.channel, lane.name).naksReceived += 1;
    },
    retried: (lane, item, reason) => {
      this.statistics.edge(item.channel, lane.name).retries += 1;
      this.#options.logger.warning("delivery.retried", {
        connection: lane.name,
        row: item.seq,
        attempts: item.attempts,
        reason,
      });
    },
    died: (lane, item, reason) => {
      this.statistics.edge(item.channel, lane.name).died();
      this.#options.logger.error("delivery.dead_lettered", {
        connection: lane.name,
        row: item.seq,
        attempts: item.attempts,
        reason,
      });
    },
    halted: (lane, { seq }, reason) => {
      // "internal error: TypeError"
      const code = reason.slice(reason.lastIndexOf(" ") + 1);
      this.#onHalted({ type: "connection_stopped", connection: lane.name, code, row: seq }, reason);
    },
  };

  #onHalted(event: ConnectionStopped, reason: string): void {
    const { logger, onStopped } = this.#options;
    logger.error("connection.stopped", { connection: event.connection, reason });
    onStopped?.(event);
  }

  /** What is on its way inside the engine, summed over all lanes at most every few milliseconds. */
  #load(): Load {
    const now = this.#options.clock.monotonic();
    if (now - this.#lastLoad.at < LOAD_FRESH_MS) return this.#lastLoad;
    let flowing = 0;
    for (const lane of this.outbounds.values()) {
      if (lane.isFlowing) flowing += lane.depth;
    }
    let toRoute = 0;
    for (const { lane } of this.inbounds.values()) {
      if (lane.halted === undefined) toRoute += lane.memory.rows;
    }
    return this.#lastLoad = { at: now, flowing, toRoute };
  }
}

/** Lists show connections as the graph has them. */
function inOrderOf<V>(order: ReadonlyMap<string, unknown>, map: Map<string, V>): void {
  const values = [...order.keys()].map((name) => [name, map.get(name)!] as const);
  map.clear();
  for (const [name, value] of values) map.set(name, value);
}

function laneKey(stage: string, lane: string): string {
  return `${stage} ${lane}`;
}
