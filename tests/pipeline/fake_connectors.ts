/** Sources that a test feeds and partners that a test scripts, behind one connector type. */
import type {
  Connector,
  ConnectorContext,
  DeliveryAnswer,
  Destination,
  IntakeAnswer,
  OutboundMessage,
  Receive,
  Source,
} from "../../src/connectors/connector.ts";
import { newCounters } from "../../src/connectors/counters.ts";

export class FakeSource implements Source {
  readonly counters = newCounters();
  readonly context: ConnectorContext;
  /** Set: the next starts throw it. */
  startFailure: Error | undefined;
  starts = 0;
  stops = 0;
  #receive: Receive | undefined;
  readonly #waiting = new Set<Promise<unknown>>();

  constructor(context: ConnectorContext) {
    this.context = context;
  }

  get isLive(): boolean {
    return this.#receive !== undefined;
  }

  start(receive: Receive): Promise<void> {
    this.starts += 1;
    if (this.startFailure) return Promise.reject(this.startFailure);
    this.#receive = receive;
    return Promise.resolve();
  }

  /** As the contract wants it: what is in flight gets its answer. */
  async stop(): Promise<void> {
    this.stops += 1;
    this.#receive = undefined;
    await Promise.all(this.#waiting);
  }

  /** One message of the partner; undefined when nobody listens. */
  feed(text: string | Uint8Array, connectionId = 1): Promise<IntakeAnswer> | undefined {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    const answer = this.#receive?.({ bytes, connectionId });
    if (!answer) return undefined;
    this.#waiting.add(answer);
    return answer.finally(() => this.#waiting.delete(answer));
  }
}

export type Script = (message: OutboundMessage, signal: AbortSignal) => Promise<DeliveryAnswer>;

export class FakeDestination implements Destination {
  readonly counters = newCounters();
  readonly name: string;
  readonly #script: Script;
  isClosed = false;

  constructor(name: string, script: Script) {
    this.name = name;
    this.#script = script;
  }

  send(message: OutboundMessage, signal: AbortSignal): Promise<DeliveryAnswer> {
    return this.#script(message, signal);
  }

  probe(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

/** Type `fake`; keeps what it built by connection name. */
export class FakeConnector implements Connector {
  readonly type = "fake";
  readonly sources = new Map<string, FakeSource>();
  readonly #script: (name: string) => Script;

  constructor(script: (name: string) => Script) {
    this.#script = script;
  }

  createSource(_options: unknown, context: ConnectorContext): FakeSource {
    const source = new FakeSource(context);
    this.sources.set(context.name, source);
    return source;
  }

  createDestination(_options: unknown, { name }: ConnectorContext): FakeDestination {
    return new FakeDestination(name, this.#script(name));
  }

  reach() {
    return [];
  }
}
