/**
 * The place of a row of the response stage that is about to be committed, in the lane of its
 * loopback: held in memory and born in flight, or spilled.
 */
import type { IngressItem, IngressLane } from "./ingress_lane.ts";

export class ReentryPlace {
  /** Set: the row is born in flight under it. */
  readonly token: number | undefined;
  readonly #lane: IngressLane;
  readonly #text: string;
  readonly #generation: number;
  #isDecided = false;

  constructor(lane: IngressLane, text: string) {
    this.#lane = lane;
    this.#text = text;
    this.#generation = lane.memory.generation;
    this.token = lane.admit(text);
  }

  /** The row is durable. */
  committed(item: Omit<IngressItem, "text" | "token" | "attempts">): void {
    this.#isDecided = true;
    if (this.token === undefined) return this.#lane.wake();
    const held = { ...item, text: this.#text, token: this.token, attempts: 1 };
    this.#lane.committed(held, this.#generation);
  }

  /** No such row came to be; does nothing once it was committed. */
  refused(): void {
    if (this.#isDecided) return;
    this.#isDecided = true;
    this.#lane.refused(this.#text, this.token !== undefined, this.#generation);
  }
}
