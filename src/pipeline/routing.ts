/**
 * Runs routers and handlers over the messages of every inbound and hands the results on.
 *
 * One batch to the sandbox holds messages of many lanes; within a lane order is kept, because
 * batches run one after the other and hand-offs are submitted in batch order. T3 and T4 are one
 * transaction unless an inbound's handlers are slow: then the durable split routes first and
 * leaves a routed row a handler (spec pipeline-store-cluster §11.4 P4).
 */
import type { ConnectionStopped } from "../alerts/mod.ts";
import type { Clock } from "../clock.ts";
import { errorClass } from "../errors.ts";
import type { Failpoints } from "../failpoints.ts";
import type { InboundDefinition, InternalErrorPolicy } from "../graph/graph.ts";
import type { Logger } from "../logging/logger.ts";
import type { RunRequest, RunResult, StateEntry } from "../sandbox/protocol.ts";
import type { HandOffResult } from "../store/intent_results.ts";
import type { Store } from "../store/store.ts";
import { HandOffRows, type RowLanes } from "./hand_off_rows.ts";
import type { IngressItem, IngressLane } from "./ingress_lane.ts";
import { lineageOf } from "./lineage.ts";

/** The part of the sandbox the pipeline uses. */
export interface GraphRunner {
  run(requests: readonly RunRequest[]): Promise<readonly RunResult[]>;
  commitState(inbound: string, entries: readonly StateEntry[]): void;
  discardState(inbound: string): void;
}

export interface RoutingOptions extends Omit<RowLanes, "isInbound"> {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly failpoints: Failpoints;
  readonly internalError: InternalErrorPolicy;
  readonly runner: () => GraphRunner;
  readonly inbound: (name: string) => InboundDefinition | undefined;
  /** Whether author code reads what partners answered. */
  readonly readsResponses: () => boolean;
  readonly hasHandler: (name: string) => boolean;
  readonly routedLane: (name: string) => IngressLane;
  /** A message left its ingress lane. */
  readonly onHandedOff: () => void;
  readonly onHalted: (event: ConnectionStopped) => void;
}

interface Work {
  readonly lane: IngressLane;
  readonly item: IngressItem;
  readonly generation: number;
  readonly definition: InboundDefinition;
  readonly routeOnly: boolean;
}

const BATCH_MAX = 64;
/** Messages of one lane in one batch: a busy lane leaves room for the others. */
const LANE_SHARE = 32;
/** And so much of a batch's time, milliseconds: slow handlers must not hold up the others. */
const LANE_MS = 40;
/** One batch runs in the sandbox, one waits there. */
const BATCHES_MAX = 2;
/** Handlers slower than this on average make their inbound route first and transform later. */
const SPLIT_MS = 20;

export class Routing {
  readonly #options: RoutingOptions;
  readonly #rowLanes: RowLanes;
  #ready: IngressLane[] = [];
  #pumpScheduled = false;
  /** Lanes whose head may be what ended the process. */
  readonly #suspects = new Set<IngressLane>();
  /** The lane whose suspect runs now, beside nothing else. */
  #alone: IngressLane | undefined;
  #claimingSuspect = false;
  /** The others had no turn since the last suspect. */
  #othersFirst = false;
  #batches = 0;
  /** The last batch that asks where its messages come from; the next enters the sandbox after it. */
  #asking: Promise<RunRequest[]> | undefined;
  #handingOff = 0;
  #stopped = false;
  /** Nothing new begins: the graph is about to be another. */
  #isHeld = false;
  #idle: (() => void)[] = [];
  /** Average handler time by inbound, milliseconds. */
  readonly #tookMs = new Map<string, number>();
  /** Messages of an inbound that are being routed and leave their handlers for later. */
  readonly #splitting = new Map<string, number>();

  constructor(options: RoutingOptions) {
    this.#options = options;
    this.#rowLanes = { ...options, isInbound: (name) => options.inbound(name) !== undefined };
  }

  /** A lane has messages to route. */
  ready(lane: IngressLane): void {
    if (lane.queued || this.#stopped) return;
    lane.queued = true;
    this.#ready.push(lane);
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    // One commit makes many lanes ready, one after the other: their messages go together.
    queueMicrotask(() => {
      this.#pumpScheduled = false;
      this.#pump();
    });
  }

  /** The head of a lane may be what ended the process: it gets a turn of its own. */
  suspect(lane: IngressLane): void {
    this.#suspects.add(lane);
    this.#pump();
  }

  /** Stops taking messages; resolves when every batch in the sandbox is handed on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#batches > 0 || this.#handingOff > 0) await this.#whenIdle();
  }

  /**
   * Lets what runs come to its end and begins nothing new; messages wait in their lanes meanwhile.
   * @returns what begins again.
   */
  async hold(): Promise<() => void> {
    this.#isHeld = true;
    // The claim of a suspect may end in a batch of its own.
    while (this.#batches > 0 || this.#handingOff > 0 || this.#alone) await this.#whenIdle();
    return () => {
      this.#isHeld = false;
      // Other handlers, other times.
      this.#tookMs.clear();
      this.#pump();
    };
  }

  #whenIdle(): Promise<void> {
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #pump(): void {
    while (!this.#stopped && !this.#isHeld && !this.#alone && this.#batches < BATCHES_MAX) {
      const suspectsTurn = this.#suspects.size > 0 &&
        !(this.#othersFirst && this.#ready.length > 0);
      if (suspectsTurn) {
        void this.#runSuspect();
        return;
      }
      if (this.#ready.length === 0) return;
      this.#othersFirst = false;
      const lanes = this.#ready;
      this.#ready = [];
      const batch = this.#gather(lanes);
      if (batch.length === 0) continue;
      this.#batches += 1;
      void this.#runBatch(batch);
    }
  }

  /** Waits until nothing runs, then claims and runs one suspect: a crash is then its own. */
  async #runSuspect(): Promise<void> {
    if (this.#batches > 0 || this.#handingOff > 0) return;
    const [lane] = this.#suspects;
    this.#suspects.delete(lane!);
    this.#alone = lane;
    this.#othersFirst = true;
    this.#claimingSuspect = true;
    const isThere = await lane!.claimSuspect();
    this.#claimingSuspect = false;
    if (isThere && !this.#stopped) {
      lane!.queued = false;
      this.#ready = this.#ready.filter((other) => other !== lane);
      const batch = this.#gather([lane!], 1);
      if (batch.length > 0) {
        this.#batches += 1;
        return this.#runBatch(batch);
      }
    }
    this.#settle();
  }

  /** Takes up to `share` messages of each lane; who finds no room is first the next time. */
  #gather(lanes: readonly IngressLane[], share = LANE_SHARE): Work[] {
    const batch: Work[] = [];
    const served: IngressLane[] = [];
    for (const lane of lanes) {
      const room = BATCH_MAX - batch.length;
      const definition = this.#options.inbound(lane.name);
      const items = room > 0 && definition
        ? lane.take(Math.min(share, room, this.#worthOf(lane.name)))
        : [];
      const { generation } = lane.memory;
      const routeOnly = lane.stage === "ingress" && this.#mustSplit(lane.name);
      if (routeOnly) this.#countSplit(lane.name, items.length);
      for (const item of items) {
        batch.push({ lane, item, generation, definition: definition!, routeOnly });
      }
      if (!definition) void lane.halt("its inbound is not in the graph");
      lane.queued = lane.hasReady;
      if (lane.queued) (items.length > 0 ? served : this.#ready).push(lane);
    }
    this.#ready.push(...served);
    return batch;
  }

  /** How many messages of an inbound make up its time in a batch. */
  #worthOf(inbound: string): number {
    return Math.max(1, Math.floor(LANE_MS / (this.#tookMs.get(inbound) ?? 0)));
  }

  /** Once messages wait as routed rows, later ones must queue up behind them. */
  #mustSplit(inbound: string): boolean {
    return (this.#tookMs.get(inbound) ?? 0) > SPLIT_MS ||
      (this.#splitting.get(inbound) ?? 0) > 0 || !this.#options.routedLane(inbound).isEmpty;
  }

  #countSplit(inbound: string, messages: number): void {
    this.#splitting.set(inbound, (this.#splitting.get(inbound) ?? 0) + messages);
  }

  async #runBatch(batch: readonly Work[]): Promise<void> {
    const { failpoints } = this.#options;
    failpoints.hit("routing.before_run");
    let results: readonly RunResult[];
    try {
      const asked = this.#requestsOf(batch);
      const requests = Array.isArray(asked) ? asked : await asked;
      // It enters the sandbox in this very turn: whoever comes from now on is behind it anyway.
      if (this.#asking === asked) this.#asking = undefined;
      results = await this.#options.runner().run(requests);
    } catch (thrown) {
      // The sandbox could not be had, or the store: nothing ran, so nothing is anybody's fault.
      this.#options.logger.error("routing.sandbox_failed", { error: errorClass(thrown) });
      this.#takeBack(batch);
      return this.#batchDone();
    }
    failpoints.hit("routing.before_submit");
    for (const [index, work] of batch.entries()) {
      const { lane, generation } = work;
      const result = results[index]!;
      const isStray = generation !== lane.memory.generation;
      // Memory forgot it meanwhile: it will run again, from the state of that time.
      if (isStray && hasState(result)) this.#options.runner().discardState(lane.name);
      lane.cameBack(generation);
      if (isStray) {
        this.#forgetSplits([work]);
        continue;
      }
      this.#noteTime(work, result);
      if (this.#mustHalt(work, result)) {
        this.#forgetSplits([work]);
        this.#halt(work, result);
      } else {
        this.#handingOff += 1;
        void this.#handOff(work, result);
      }
    }
    this.#batchDone();
  }

  /**
   * Few messages came out of others, and only those have to ask the store. The batch behind them
   * waits too: it may hold later messages of the same inbounds.
   */
  #requestsOf(batch: readonly Work[]): RunRequest[] | Promise<RunRequest[]> {
    const isPlain = batch.every(({ item }) => item.metadata === undefined);
    const requests = isPlain
      ? batch.map((work) => toRequest(work, undefined))
      : this.#askLineages(batch);
    const before = this.#asking;
    if (Array.isArray(requests) && before === undefined) return requests;
    this.#asking = Promise.allSettled([before, requests]).then(() => requests);
    return this.#asking;
  }

  #askLineages(batch: readonly Work[]): Promise<RunRequest[]> {
    const { store } = this.#options;
    const readsResponses = this.#options.readsResponses();
    return Promise.all(batch.map(async (work) => {
      return toRequest(work, await lineageOf(work.item.metadata, { store, readsResponses }));
    }));
  }

  /** Nothing is known of these: whatever they wrote is forgotten, their lanes begin again. */
  #takeBack(batch: readonly Work[]): void {
    for (const { lane, routeOnly } of batch) {
      if (!routeOnly) this.#options.runner().discardState(lane.name);
    }
    for (const { lane, generation } of batch) {
      if (generation === lane.memory.generation) lane.park();
      lane.cameBack(generation);
    }
    this.#forgetSplits(batch);
  }

  #forgetSplits(works: readonly Work[]): void {
    for (const { lane, routeOnly } of works) if (routeOnly) this.#countSplit(lane.name, -1);
  }

  #batchDone(): void {
    this.#batches -= 1;
    this.#settle();
  }

  /** Something came to its end: who waits until nothing runs may have a turn. */
  #settle(): void {
    if (this.#batches === 0 && this.#handingOff === 0 && !this.#claimingSuspect) {
      this.#alone = undefined;
      for (const resolve of this.#idle.splice(0)) resolve();
    }
    this.#pump();
  }

  #noteTime({ lane, routeOnly }: Work, { tookMs }: RunResult): void {
    if (tookMs === undefined || routeOnly) return;
    const average = this.#tookMs.get(lane.name) ?? 0;
    this.#tookMs.set(lane.name, average + (tookMs - average) / 8);
  }

  #mustHalt({ item: { handler } }: Work, result: RunResult): boolean {
    const { internalError, hasHandler } = this.#options;
    if (internalError !== "stop") return false;
    // A row of a handler that is gone is given up under either policy: no author will mend it.
    if (handler !== undefined && !hasHandler(handler)) return false;
    return result.error !== undefined || result.outcomes.some((o) => o.error !== undefined);
  }

  #halt({ lane, item, routeOnly }: Work, result: RunResult): void {
    const reason = result.error ?? result.outcomes.find((o) => o.error)?.error ?? "failed";
    // What only routed wrote nothing; the handlers of messages before it may have, and go on.
    if (!routeOnly) this.#options.runner().discardState(lane.name);
    // Until its claims are undone the rows of the lane count as running.
    this.#handingOff += 1;
    void lane.halt(reason).finally(() => this.#handedOff());
    const stopped = { connection: lane.name, row: item.seq, code: errorName(reason) };
    this.#options.onHalted({ type: "connection_stopped", ...stopped });
  }

  async #handOff(work: Work, result: RunResult): Promise<void> {
    const { lane, item } = work;
    const rows = new HandOffRows(this.#rowLanes, { inbound: lane.name, item, result });
    const state = result.outcomes.flatMap((outcome) => outcome.error ? [] : outcome.state);
    try {
      const answer = await this.#submit(work, { result, rows, state });
      this.#options.failpoints.hit("routing.before_publish");
      if (answer.mine) {
        if (state.length > 0) this.#options.runner().commitState(lane.name, state);
        if (work.routeOnly) this.#publishRouted(work, answer);
        else rows.publish(answer.seqs, Math.round(this.#options.clock.now() * 1000));
        lane.resolved(item, work.generation);
        this.#options.onHandedOff();
      } else {
        if (state.length > 0) this.#options.runner().discardState(lane.name);
        if (work.generation === lane.memory.generation) lane.recount();
      }
    } catch {
      if (state.length > 0) this.#options.runner().discardState(lane.name);
      if (work.generation === lane.memory.generation) lane.park();
    } finally {
      rows.refuse();
      this.#forgetSplits([work]);
      this.#handedOff();
    }
  }

  /** The one intent that hands a message on. */
  #submit(
    work: Work,
    { result, rows, state }: {
      readonly result: RunResult;
      readonly rows: HandOffRows;
      readonly state: readonly StateEntry[];
    },
  ): Promise<HandOffResult> {
    const { store } = this.#options;
    if (result.error !== undefined) return this.#bury(work, result.error);
    if (work.routeOnly) return this.#routeOnly(work, result);
    const row = this.#rowOf(work);
    if (work.item.handler !== undefined) {
      const [outcome] = result.outcomes;
      if (outcome?.error !== undefined) return this.#bury(work, outcome.error);
      return store.submit({
        kind: "transform_hand_off",
        messageText: work.item.text,
        ...row,
        ...rows.reserve(),
        state,
      });
    }
    return store.submit({
      kind: "hand_off",
      messageText: work.item.text,
      ...row,
      ...rows.reserve(),
      handlers: result.handlers.length,
      failures: result.outcomes.flatMap(({ handler, error }) =>
        error === undefined ? [] : [{ handler, error }]
      ),
      state,
    });
  }

  #handedOff(): void {
    this.#handingOff -= 1;
    if (this.#handingOff === 0 && this.#batches === 0) this.#settle();
  }

  #rowOf({ lane, item }: Work) {
    return {
      at: Math.round(this.#options.clock.now() * 1000),
      seq: item.seq,
      token: item.token,
      messageSeq: item.messageSeq,
      channel: lane.name,
    };
  }

  /** Routed rows exist, and wait for their handlers. */
  #publishRouted({ lane }: Work, answer: HandOffResult): void {
    if (answer.seqs.length === 0) return;
    const routed = this.#options.routedLane(lane.name);
    routed.memory.spilled += answer.seqs.length;
    routed.wake();
  }

  #routeOnly(work: Work, result: RunResult) {
    return this.#options.store.submit({
      kind: "route_hand_off",
      ...this.#rowOf(work),
      handlers: result.handlers,
    });
  }

  async #bury(work: Work, error: string) {
    const { at, seq, token, messageSeq } = this.#rowOf(work);
    const { mine } = await this.#options.store.submit({
      kind: "dead_letter",
      at,
      seq,
      token,
      messageSeq,
      destination: work.item.handler,
      error,
      next: undefined,
    });
    return { mine, seqs: [] };
  }
}

function toRequest(
  { item, definition, routeOnly }: Work,
  lineage: string | undefined,
): RunRequest {
  return {
    inbound: definition.name,
    router: definition.router,
    handlers: item.handler === undefined ? undefined : [item.handler],
    text: item.text,
    contentType: definition.contentType,
    ingestTime: item.receivedAt / 1e6,
    lineage,
    routeOnly: routeOnly || undefined,
  };
}

function hasState(result: RunResult): boolean {
  return result.outcomes.some(({ state }) => state.length > 0);
}

/** The class part of `"<class>: <text>"`: the text stays in the row. */
function errorName(reason: string): string {
  return reason.split(":", 1)[0]!;
}
