/**
 * The rows that one message's hand-off is about to make: how each is born, and what its lane is told
 * once it is durable, or when it never came to be.
 */
import type { RunResult } from "../sandbox/protocol.ts";
import type { NewDelivery, NewReentry } from "../store/intents.ts";
import type { IngressItem, IngressLane } from "./ingress_lane.ts";
import type { OutboundLane } from "./outbound_lane.ts";
import { ReentryPlace } from "./reentry.ts";

export interface RowLanes {
  readonly isInbound: (name: string) => boolean;
  readonly outbound: (name: string) => OutboundLane | undefined;
  /** The lane of what a loopback has to take in; undefined for a name that is none. */
  readonly responseLane: (name: string) => IngressLane | undefined;
  /** A delivery row was made for (inbound, outbound). */
  readonly onQueued: (inbound: string, outbound: string) => void;
}

/** A send, and the handler that made it. */
interface Sent {
  readonly handler: string;
  readonly to: string;
  readonly payload: string | undefined;
}

/** The place of an outbound row in its lane. */
interface Reserved {
  readonly lane: OutboundLane;
  readonly length: number;
  readonly held: boolean;
  readonly token: number | undefined;
  readonly generation: number;
}

export class HandOffRows {
  readonly #lanes: RowLanes;
  readonly #inbound: string;
  readonly #item: IngressItem;
  /** What goes to partners, and what goes to loopbacks; each in the order of its rows. */
  readonly #sends: Sent[] = [];
  readonly #reentries: Sent[] = [];
  #reserved: (Reserved | undefined)[] = [];
  readonly #places: (ReentryPlace | undefined)[] = [];

  constructor(
    lanes: RowLanes,
    { inbound, item, result }: {
      readonly inbound: string;
      readonly item: IngressItem;
      readonly result: RunResult;
    },
  ) {
    this.#lanes = lanes;
    this.#inbound = inbound;
    this.#item = item;
    for (const { handler, sends, error } of result.outcomes) {
      if (error !== undefined) continue;
      for (const { to, payload } of sends) {
        const rows = lanes.isInbound(to) ? this.#reentries : this.#sends;
        rows.push({ handler, to, payload });
      }
    }
  }

  /** Takes a place for every row; `publish()` or `refuse()` has to follow. */
  reserve(): {
    readonly deliveries: readonly NewDelivery[];
    readonly reentries?: readonly NewReentry[];
  } {
    const deliveries = this.#sends.map((sent) => this.#reserve(sent));
    if (this.#reentries.length === 0) return { deliveries };
    const reentries = this.#reentries.map(({ handler, to, payload }) => {
      const lane = this.#lanes.responseLane(to);
      const place = lane && new ReentryPlace(lane, payload ?? this.#item.text);
      this.#places.push(place);
      return { lane: to, handler, payload, token: place?.token };
    });
    return { deliveries, reentries };
  }

  #reserve({ handler, to, payload }: Sent): NewDelivery {
    const lane = this.#lanes.outbound(to);
    if (lane === undefined) {
      // Not in this graph any more: the row waits for a reload that brings it back.
      this.#reserved.push(undefined);
      return { destination: to, handler, payload, token: undefined };
    }
    const { generation } = lane.memory;
    const length = (payload ?? this.#item.text).length;
    const { held, token } = lane.admit(length);
    this.#reserved.push({ lane, length, held, token, generation });
    return { destination: to, handler, payload, token };
  }

  /**
   * The rows exist: lanes that hold them get them, the others look at the store.
   *
   * @param seqs numbers of the deliveries, then of the re-entries.
   * @param createdAt microseconds since the epoch.
   */
  publish(seqs: readonly number[], createdAt: number): void {
    const { messageSeq, messageId, metadata, receivedAt, text } = this.#item;
    for (const [index, { to, payload }] of this.#sends.entries()) {
      this.#lanes.onQueued(this.#inbound, to);
      const place = this.#reserved[index];
      if (!place) continue;
      if (!place.held) {
        place.lane.wake();
        continue;
      }
      place.lane.committed({
        seq: seqs[index]!,
        messageSeq,
        messageId,
        metadata,
        channel: this.#inbound,
        payload: payload ?? text,
        attempts: place.token === undefined ? 0 : 1,
        createdAt,
        token: place.token,
        dueAt: 0,
      }, place.generation);
    }
    this.#reserved = [];
    for (const [index, { handler }] of this.#reentries.entries()) {
      this.#places[index]?.committed({
        ...{ messageSeq, messageId, metadata, receivedAt, handler },
        seq: seqs[this.#sends.length + index]!,
        answer: undefined,
      });
    }
  }

  /** No such rows came to be; does nothing once they were published. */
  refuse(): void {
    for (const place of this.#reserved.splice(0)) {
      place?.lane.refused(place.length, place.held, place.generation);
    }
    for (const place of this.#places) place?.refused();
  }
}
