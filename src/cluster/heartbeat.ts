/**
 * Says in the table of nodes that this one lives, and hears which configuration runs.
 *
 * Leadership does not rest on it: a beat that fails costs nothing but the view of others.
 */
import { errorClass } from "../errors.ts";
import type { Logger } from "../logging/logger.ts";
import type { DatabaseClock } from "./database_clock.ts";
import type { BeatAnswer, ClusterStore } from "./membership.ts";

export interface HeartbeatOptions {
  readonly store: ClusterStore;
  readonly nodeId: string;
  readonly heartbeatMs: number;
  /** Hears the time with each beat. */
  readonly databaseClock: DatabaseClock;
  readonly logger: Logger;
  /** What to say at this beat. */
  readonly leads: () => { readonly isLeader: boolean; readonly epoch: number };
  /** After each beat that succeeded. */
  readonly onAnswer: (answer: BeatAnswer) => void;
}

const RETRY_MS = 500;
/** Nodes whose names change with each start would pile up. */
const FORGET_AFTER_MS = 7 * 86_400_000;
const FORGET_EVERY_BEATS = 360;

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #wake = Promise.withResolvers<void>();
  #isDue = false;
  #isEnding = false;
  #isFailing = false;
  #isNameTaken = false;
  #beats = 0;
  #running: Promise<void> | undefined;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Beats once, then begins the loop. @throws {ClusterError} */
  async start(): Promise<void> {
    await this.#beat();
    this.#running = this.#run();
  }

  /** Something changed that others are to see, or something is to be heard. */
  now(): void {
    this.#isDue = true;
    this.#wake.resolve();
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    this.#wake.resolve();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { heartbeatMs, logger, nodeId } = this.#options;
    while (!this.#isEnding) {
      await this.#sleep(this.#isFailing ? Math.min(RETRY_MS, heartbeatMs) : heartbeatMs);
      if (this.#isEnding) return;
      try {
        await this.#beat();
        if (this.#isFailing) logger.info("cluster.heartbeat_resumed", { node: nodeId });
        this.#isFailing = false;
      } catch (thrown) {
        if (!this.#isFailing) {
          logger.warning("cluster.heartbeat_failed", { node: nodeId, error: errorClass(thrown) });
        }
        this.#isFailing = true;
      }
    }
  }

  async #beat(): Promise<void> {
    const { store, databaseClock, leads, logger, nodeId, onAnswer } = this.#options;
    const said = leads();
    const answer = await databaseClock.hear(() => store.beat(said));
    const { isMine } = answer;
    if (!isMine && !this.#isNameTaken) logger.error("cluster.node_id_in_use", { node: nodeId });
    this.#isNameTaken = !isMine;
    onAnswer(answer);
    if (said.isLeader && this.#beats++ % FORGET_EVERY_BEATS === 0) {
      await store.forgetNodes(FORGET_AFTER_MS);
    }
  }

  async #sleep(ms: number): Promise<void> {
    if (!this.#isDue) {
      this.#wake = Promise.withResolvers<void>();
      const timer = setTimeout(this.#wake.resolve, ms);
      await this.#wake.promise;
      clearTimeout(timer);
    }
    this.#isDue = false;
  }
}
