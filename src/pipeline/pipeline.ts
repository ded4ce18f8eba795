/**
 * The running graph: intake, routing, transform and delivery of every connection.
 *
 * Upstream: `engine.ts` hands it a graph, a sandbox and a store. Downstream: connectors and rows.
 */
import type { Clock } from "../clock.ts";
import {
  type ConnectionEvent,
  type Connector,
  ConnectorError,
  type Destination,
} from "../connectors/connector.ts";
import { errorClass } from "../errors.ts";
import type { Failpoints } from "../failpoints.ts";
import type {
  Graph,
  InboundDefinition,
  InternalErrorPolicy,
  OutboundDefinition,
} from "../graph/graph.ts";
import type { Logger } from "../logging/logger.ts";
import type { EdgeChange, TouchedLane } from "../store/intents.ts";
import type { Store } from "../store/store.ts";
import { EventLog } from "./event_log.ts";
import { Inbound } from "./inbound.ts";
import { ATTEMPTS_MAX, IngressLane } from "./ingress_lane.ts";
import { Intake, type ValidateStrict } from "./intake.ts";
import { MemoryBudget } from "./memory.ts";
import { MessageIds } from "./message_id.ts";
import { OutboundLane, type OutboundObserver } from "./outbound_lane.ts";
import { Pace } from "./pace.ts";
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
  readonly allowInsecureTls: boolean;
  readonly stopGraceMs: number;
  /** What memory may hold of all lanes together; its own default when left out. */
  readonly budget?: MemoryBudget;
}

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
  readonly #budget: MemoryBudget;
  /** Open rows found at start, by lane. */
  readonly #openAtStart = new Map<string, number>();
  readonly #routedLanes = new Map<string, IngressLane>();
  readonly #routing: Routing;
  readonly #pace: Pace;
  readonly #ids = new MessageIds();
  #lastLoad: Load = { at: Number.NEGATIVE_INFINITY, flowing: 0, toRoute: 0 };

  constructor(options: PipelineOptions) {
    this.#options = options;
    const { store, clock, logger, failpoints } = options;
    this.#budget = options.budget ?? new MemoryBudget();
    for (const { stage, lane, open } of store.openLanes) {
      const key = laneKey(stage, lane);
      this.#openAtStart.set(key, (this.#openAtStart.get(key) ?? 0) + open);
    }
    this.events = new EventLog(store, clock, options.redact);
    this.#pace = new Pace(clock, {
      toRoute: () => this.#load().toRoute,
      flowing: () => this.#load().flowing,
    });
    this.#routing = new Routing({
      store,
      clock,
      logger,
      failpoints,
      internalError: options.internalError,
      runner: () => options.runner,
      inbound: (name) => options.graph.inbounds.get(name),
      outbound: (name) => this.outbounds.get(name),
      routedLane: (name) => this.#routedLane(name),
      onQueued: (inbound, outbound) => {
        this.statistics.edge(inbound, outbound).opened(1);
      },
      onHandedOff: () => this.#pace.handedOff(),
      onHalted: (inbound, reason) => this.#onStopped(inbound, reason),
    });
    for (const definition of options.graph.outbounds.values()) this.#addOutbound(definition);
    for (const definition of options.graph.inbounds.values()) this.#addInbound(definition);
    for (const { stage, lane, channel, open } of store.openLanes) {
      if (stage === "routed" && options.graph.inbounds.has(lane)) this.#routedLane(lane);
      if (stage === "outbound" && this.outbounds.has(lane)) {
        this.statistics.edge(channel, lane).opened(open);
      }
    }
  }

  /** Gives up rows of handlers and destinations that are gone, then moves what is queued. */
  async start(): Promise<void> {
    const { store, graph, clock, logger } = this.#options;
    const { dead } = await store.submit({
      kind: "sweep_missing",
      destinations: [...graph.outbounds.keys()],
      handlers: [...graph.handlers.keys()],
      at: Math.round(clock.now() * 1000),
    });
    if (dead > 0) logger.warning("pipeline.swept", { dead_letters: dead });
    // Workers first: no message is acknowledged before the pipeline behind it lives.
    for (const lane of this.outbounds.values()) lane.wake();
    for (const lane of this.#routedLanes.values()) lane.wake();
    for (const { lane } of this.inbounds.values()) lane.wake();
    await Promise.all([...this.inbounds.values()].map((inbound) => inbound.start()));
  }

  /** Stops intake, lets what is running end within the grace, releases the rest. */
  async stop(): Promise<void> {
    this.#pace.close();
    await Promise.all([...this.inbounds.values()].map((inbound) => inbound.stop()));
    await this.#routing.stop();
    const lanes = [...this.inbounds.values()].map(({ lane }) => lane);
    await Promise.all([...lanes, ...this.#routedLanes.values()].map((lane) => lane.stop()));
    await Promise.all(
      [...this.outbounds.values()].map((lane) => lane.stop(this.#options.stopGraceMs)),
    );
    await Promise.all([...this.outbounds.values()].map((lane) => lane.destination.close()));
    await this.events.flush();
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
      if (stage === "routed" && this.#options.graph.inbounds.has(lane)) {
        this.#routedLane(lane).recount();
      }
    }
    await Promise.all(standing);
  }

  /** Pending and in-flight rows of all stages, as memory counts them. */
  get openRows(): number {
    let rows = 0;
    for (const lane of this.outbounds.values()) rows += lane.memory.openRows;
    for (const { lane } of this.inbounds.values()) rows += lane.memory.openRows;
    for (const lane of this.#routedLanes.values()) rows += lane.memory.openRows;
    return rows;
  }

  #addInbound(definition: InboundDefinition): void {
    const { store, clock, logger, failpoints, redact, validateStrict } = this.#options;
    const lane = this.#makeLane("ingress", definition.name);
    const onEvent = (event: ConnectionEvent) => this.events.add(event);
    const connector = this.#connector(definition.type);
    const source = connector.createSource!({
      settings: definition.settings,
      bindHost: definition.bindAddress ?? this.#options.bindHost,
      sourceIpAllowlist: definition.sourceIpAllowlist,
      contentType: definition.contentType,
    }, {
      name: definition.name,
      onEvent,
      allowInsecureTls: this.#options.allowInsecureTls,
    });
    const intake = new Intake({
      definition,
      lane,
      store,
      clock,
      logger,
      failpoints,
      redact,
      validateStrict,
      ids: this.#ids,
      pace: this.#pace,
      statistics: this.statistics.inbound(definition.name),
      onCharsetMismatch: (characterSet) =>
        onEvent({
          connection: definition.name,
          transport: definition.type,
          direction: "inbound",
          kind: "charset_mismatch",
          reason: `MSH-18 says "${characterSet.slice(0, 40)}"`,
        }),
      onStoreFailure: (thrown) => {
        logger.error("intake.store_failed", {
          connection: definition.name,
          error: errorClass(thrown),
          code: codeOf(thrown),
        });
        onEvent({
          connection: definition.name,
          transport: definition.type,
          direction: "inbound",
          kind: "intake_error",
          reason: codeOf(thrown),
        });
      },
    });
    this.inbounds.set(
      definition.name,
      new Inbound({
        definition,
        lane,
        source,
        intake,
        logger,
        routedLane: () => this.#routedLanes.get(definition.name),
      }),
    );
  }

  #addOutbound(definition: OutboundDefinition): void {
    const { store, clock, logger, failpoints, redact } = this.#options;
    this.outbounds.set(
      definition.name,
      new OutboundLane({
        definition,
        destination: this.#destination(definition),
        store,
        clock,
        logger,
        failpoints,
        redact,
        budget: this.#budget,
        open: this.#openAtStart.get(laneKey("outbound", definition.name)) ?? 0,
        simulate: definition.simulate || this.#options.simulateAll,
        observer: this.#observer,
      }),
    );
  }

  #destination(definition: OutboundDefinition): Destination {
    return this.#connector(definition.type).createDestination!({
      settings: definition.settings,
      verifyAckControlId: definition.verifyAckControlId,
    }, {
      name: definition.name,
      onEvent: (event) => this.events.add(event),
      allowInsecureTls: this.#options.allowInsecureTls,
    });
  }

  #connector(type: string): Connector {
    const connector = this.#options.connectors.get(type);
    if (!connector) {
      throw new ConnectorError("connector.unknown", `Cannot build a connection of type "${type}"`);
    }
    return connector;
  }

  #routedLane(name: string): IngressLane {
    let lane = this.#routedLanes.get(name);
    if (!lane) this.#routedLanes.set(name, lane = this.#makeLane("routed", name));
    return lane;
  }

  #makeLane(stage: "ingress" | "routed", name: string): IngressLane {
    const { store, clock, logger } = this.#options;
    return new IngressLane({
      stage,
      name,
      store,
      budget: this.#budget,
      open: this.#openAtStart.get(laneKey(stage, name)) ?? 0,
      now: () => Math.round(clock.now() * 1000),
      onReady: (lane) => this.#routing.ready(lane),
      onSuspect: (lane) => this.#routing.suspect(lane),
      onExhausted: (_lane, rows) =>
        logger.error("routing.attempts_exhausted", {
          connection: name,
          rows,
          attempts: ATTEMPTS_MAX,
        }),
      onUnreadable: (lane, row) =>
        void store.submit({
          kind: "dead_letter",
          at: Math.round(clock.now() * 1000),
          ...row,
          destination: undefined,
          error: "body cannot be decrypted",
          next: undefined,
        }).catch(() => lane.recount()),
    });
  }

  readonly #observer: OutboundObserver = {
    delivered: (lane, item) => {
      const { clock } = this.#options;
      const now = clock.now();
      this.statistics.edge(item.channel, lane.name)
        .delivered(now, (now * 1000 - item.createdAt) / 1e6);
      this.#pace.delivered();
    },
    retried: (lane, item, reason) => {
      this.statistics.retries += 1;
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
    halted: (lane, reason) => this.#onStopped(lane.name, reason),
  };

  #onStopped(connection: string, reason: string): void {
    this.#options.logger.error("connection.stopped", { connection, reason });
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

function laneKey(stage: string, lane: string): string {
  return `${stage} ${lane}`;
}

function codeOf(thrown: unknown): string | undefined {
  const { code } = thrown as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}
