/**
 * One inbound while the engine runs: its source, its lane of messages to route, its state.
 *
 * A source that cannot bind is `failed` and tried again by itself; the other connections run on.
 */
import type { Source } from "../connectors/connector.ts";
import { EngineError, errorText } from "../errors.ts";
import type { InboundDefinition } from "../graph/graph.ts";
import type { Logger } from "../logging/logger.ts";
import type { IngressLane } from "./ingress_lane.ts";
import type { Intake } from "./intake.ts";

export type InboundState = "running" | "stopped" | "failed";

const RETRY_FIRST_MS = 2_000;
const RETRY_MAX_MS = 60_000;

export class Inbound {
  definition: InboundDefinition;
  readonly lane: IngressLane;
  readonly source: Source;
  readonly #intake: Intake;
  readonly #logger: Logger;
  readonly #routedLane: () => IngressLane | undefined;
  readonly #responseLane: () => IngressLane | undefined;
  readonly #onFailed: (code: string) => void;
  #state: InboundState = "stopped";
  #error: EngineError | undefined;
  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #retryMs = RETRY_FIRST_MS;
  #turn: Promise<unknown>;
  /** An operator stopped it. */
  #isStopped = false;
  /** Its graph is gone: whoever still holds it cannot start it again. */
  #isRetired = false;

  constructor(
    options: {
      definition: InboundDefinition;
      lane: IngressLane;
      source: Source;
      intake: Intake;
      logger: Logger;
      /** The lane of the durable split, once there is one. */
      routedLane: () => IngressLane | undefined;
      /** What waits to be taken in; of a loopback. */
      responseLane: () => IngressLane | undefined;
      /** Its first start waits for this. */
      after?: Promise<unknown>;
      /** Told each time the source cannot start. */
      onFailed: (code: string) => void;
    },
  ) {
    this.definition = options.definition;
    this.lane = options.lane;
    this.source = options.source;
    this.#intake = options.intake;
    this.#logger = options.logger;
    this.#routedLane = options.routedLane;
    this.#responseLane = options.responseLane;
    this.#turn = options.after ?? Promise.resolve();
    this.#onFailed = options.onFailed;
  }

  get state(): InboundState {
    return this.#state;
  }

  /** Why no message of it is routed any more: `"<class>: <redacted text>"`. */
  get haltedFor(): string | undefined {
    return this.lane.halted ?? this.#routedLane()?.halted;
  }

  /** Why the source is `failed`. */
  get error(): EngineError | undefined {
    return this.#error;
  }

  /**
   * Begins to receive. A failure is kept as state and tried again later.
   * @returns whether the source is live.
   */
  start(): Promise<boolean> {
    this.#isStopped = false;
    return this.#inTurn(() => this.#start());
  }

  /** Begins to receive unless an operator stopped it or its predecessor. */
  async startUnlessStopped(): Promise<void> {
    if (!this.#isStopped) await this.start();
  }

  /** Lets its messages run again after an error halted them. */
  resume(): void {
    this.lane.resume();
    this.#routedLane()?.resume();
    this.#responseLane()?.resume();
  }

  /** Has its lanes look for work that nobody told them of. */
  nudge(): void {
    this.lane.nudge();
    this.#routedLane()?.nudge();
    this.#responseLane()?.nudge();
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return this.#inTurn(() => this.#stop());
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Stops for good: another takes its place, or none. */
  retire(): Promise<void> {
    this.#isRetired = true;
    return this.#inTurn(() => this.#stop());
  }

  /** Takes over a definition that its source and intake need not know. */
  adopt(definition: InboundDefinition): void {
    this.definition = definition;
  }

  get name(): string {
    return this.definition.name;
  }

  /** Starts and stops run one after the other, whoever asks: operators, retries, the end. */
  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #start(): Promise<boolean> {
    if (this.#state === "running") return true;
    if (this.#isRetired) return false;
    this.#clearRetry();
    try {
      await this.source.start(this.#intake.receive);
      if (this.#error) this.#logger.info("connection.recovered", { connection: this.name });
      this.#state = "running";
      this.#error = undefined;
      this.#retryMs = RETRY_FIRST_MS;
      this.resume();
      // What came while it was stopped waits.
      this.#responseLane()?.wake();
      return true;
    } catch (thrown) {
      this.#state = "failed";
      this.#error = thrown instanceof EngineError
        ? thrown
        : new EngineError("connector.start_failed", `Cannot start "${this.name}"`, {
          cause: thrown,
        });
      this.#logger.error("connection.failed", {
        connection: this.name,
        code: this.#error.code,
        reason: errorText(this.#error),
        hint: this.#error.hint,
      });
      this.#onFailed(this.#error.code);
      this.#retryTimer = setTimeout(() => void this.#inTurn(() => this.#start()), this.#retryMs);
      this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2);
      return false;
    }
  }

  async #stop(): Promise<void> {
    this.#clearRetry();
    if (this.#state === "running") await this.source.stop();
    this.#state = "stopped";
    this.#error = undefined;
  }

  #clearRetry(): void {
    if (this.#retryTimer !== undefined) clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
  }
}
