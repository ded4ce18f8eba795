/**
 * Takes in what waits for a loopback: each row of the response stage becomes a message of its own,
 * in one commit with the end of the row.
 *
 * In the order of the lane, and without waiting for one commit before the next is submitted. No code
 * of an author runs here. Source: spec pipeline-store-cluster §1.7, T9.
 */
import { type Clock, micros } from "../clock.ts";
import { errorClass } from "../errors.ts";
import type { Failpoints } from "../failpoints.ts";
import { carriagePrefix, encodeCarriage } from "../hl7/carriage.ts";
import type { Logger } from "../logging/logger.ts";
import type { NewMessage } from "../store/intents.ts";
import type { Store } from "../store/store.ts";
import { type CameFrom, type Correlation, descend, toMetadata } from "./correlation.ts";
import { type FirstLook, isBinary, lookAtText } from "./first_look.ts";
import type { Inbound } from "./inbound.ts";
import type { IngressItem, IngressLane } from "./ingress_lane.ts";
import { MessageIds } from "./message_id.ts";
import { ReentryPlace } from "./reentry.ts";
import type { InboundStatistics } from "./statistics.ts";

export interface ReingressOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly failpoints: Failpoints;
  /** How many hops a chain of messages may have. */
  readonly depthMax: number;
  readonly inbound: (name: string) => Inbound | undefined;
  readonly statistics: (name: string) => InboundStatistics;
}

/** Rows submitted at a time; memory holds the messages made of them until they are durable. */
const OUTSTANDING_MAX = 64;

export class Reingress {
  readonly #options: ReingressOptions;
  readonly #ids = new MessageIds();
  #outstanding = 0;
  #stopped = false;
  /** Lanes that found no room. */
  readonly #waiting = new Set<IngressLane>();
  #idle: (() => void)[] = [];

  constructor(options: ReingressOptions) {
    this.#options = options;
  }

  /** A lane of the response stage has rows. */
  ready(lane: IngressLane): void {
    const inbound = this.#options.inbound(lane.name);
    if (inbound === undefined) return void lane.halt("its inbound is not in the graph");
    // A loopback that an operator stopped takes nothing in; it asks again when it is started.
    while (lane.hasReady && !this.#stopped && inbound.state === "running") {
      const room = OUTSTANDING_MAX - this.#outstanding;
      if (room <= 0) return void this.#waiting.add(lane);
      const { generation } = lane.memory;
      for (const item of lane.take(room)) {
        this.#outstanding += 1;
        void this.#takeIn({ lane, item, generation, inbound });
        lane.cameBack(generation);
      }
    }
  }

  /** Begins nothing new; resolves when all that was submitted is answered. */
  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#outstanding > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  async #takeIn(
    { lane, item, generation, inbound }: {
      readonly lane: IngressLane;
      readonly item: IngressItem;
      readonly generation: number;
      readonly inbound: Inbound;
    },
  ): Promise<void> {
    const { failpoints, logger } = this.#options;
    const correlation = descend(item, cameFrom(item));
    failpoints.hit("reingress.before_submit");
    try {
      const isMine = correlation.depth > this.#options.depthMax
        ? await this.#bury(lane, item)
        : await this.#enter(inbound, item, correlation);
      failpoints.hit("reingress.after_commit");
      if (isMine) lane.resolved(item, generation);
      else if (generation === lane.memory.generation) lane.recount();
    } catch (thrown) {
      logger.error("reingress.store_failed", {
        connection: lane.name,
        error: errorClass(thrown),
      });
      if (generation === lane.memory.generation) lane.park();
    } finally {
      this.#outstanding -= 1;
      this.#settle();
    }
  }

  /** The chain has gone on long enough: whoever turns in a circle is stopped here. */
  async #bury(lane: IngressLane, { seq, token, messageSeq }: IngressItem): Promise<boolean> {
    const { store, clock, logger, depthMax } = this.#options;
    const { mine } = await store.submit({
      kind: "dead_letter",
      at: micros(clock),
      seq,
      token,
      messageSeq,
      destination: lane.name,
      error: `re-ingress deeper than ${depthMax} hops ([pipeline].max_correlation_depth)`,
      next: undefined,
    });
    if (mine) logger.error("reingress.too_deep", { connection: lane.name, row: seq, depthMax });
    return mine;
  }

  async #enter(inbound: Inbound, item: IngressItem, correlation: Correlation): Promise<boolean> {
    const { store, clock, statistics } = this.#options;
    const { definition, lane } = inbound;
    const nowMs = clock.now();
    const { text, header, fault } = lookAt(item.text, definition.contentType);
    const message: NewMessage = {
      id: this.#ids.next(nowMs),
      channel: definition.name,
      receivedAt: Math.round(nowMs * 1000),
      sourceType: definition.type,
      controlId: header?.controlId,
      messageType: header?.messageType,
      raw: text,
      metadata: toMetadata(correlation),
    };
    const place = fault === undefined ? new ReentryPlace(lane, text) : undefined;
    try {
      const { seq, token, messageSeq, answer } = item;
      const entered = await store.submit({
        kind: "reingress",
        at: message.receivedAt,
        seq,
        token,
        messageSeq,
        isAnswer: answer !== undefined,
        message,
        error: fault?.stored,
        ingressToken: place?.token,
      });
      if (!entered.mine) return false;
      place?.committed({
        seq: entered.seq,
        messageSeq: entered.messageSeq,
        receivedAt: message.receivedAt,
        handler: undefined,
        messageId: message.id,
        metadata: message.metadata,
        answer: undefined,
      });
    } finally {
      place?.refused();
    }
    const counters = statistics(definition.name);
    counters.read += 1;
    counters.lastAt = nowMs;
    if (fault !== undefined) counters.errored += 1;
    return true;
  }

  #settle(): void {
    if (this.#outstanding === 0) { for (const resolve of this.#idle.splice(0)) resolve(); }
    for (const lane of this.#waiting) {
      this.#waiting.delete(lane);
      this.ready(lane);
      return;
    }
  }
}

function cameFrom({ handler = "", answer }: IngressItem): CameFrom {
  return answer === undefined
    ? { kind: "handler", handler }
    : { kind: "answer", outbound: handler, ...answer };
}

function lookAt(text: string, contentType: Parameters<typeof lookAtText>[1]): FirstLook {
  const carried = isBinary(contentType) && !text.startsWith(carriagePrefix)
    ? encodeCarriage(new TextEncoder().encode(text))
    : text;
  return lookAtText(carried, contentType);
}
