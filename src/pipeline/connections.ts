/**
 * Builds what runs of a connection: an inbound with its source and intake, an outbound's lane.
 *
 * Nothing built here is started. Upstream: `pipeline.ts`, which keeps what is built by name.
 */
import type { Clock } from "../clock.ts";
import {
  type ConnectionEvent,
  type Connector,
  type ConnectorContext,
  ConnectorError,
  type Destination,
  type Source,
} from "../connectors/connector.ts";
import { errorClass } from "../errors.ts";
import type { Failpoints } from "../failpoints.ts";
import type { InboundDefinition, OutboundDefinition } from "../graph/graph.ts";
import type { Logger } from "../logging/logger.ts";
import type { Store } from "../store/store.ts";
import type { EventLog } from "./event_log.ts";
import { Inbound } from "./inbound.ts";
import type { IngressLane } from "./ingress_lane.ts";
import { Intake, type ValidateStrict } from "./intake.ts";
import type { MemoryBudget } from "./memory.ts";
import { MessageIds } from "./message_id.ts";
import { OutboundLane, type OutboundObserver } from "./outbound_lane.ts";
import type { Pace } from "./pace.ts";
import type { Statistics } from "./statistics.ts";

export interface BuilderOptions {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly failpoints: Failpoints;
  readonly redact: (text: string) => string;
  readonly validateStrict: ValidateStrict;
  readonly bindHost: string;
  readonly simulateAll: boolean;
  readonly allowInsecureTls: boolean;
  readonly budget: MemoryBudget;
  readonly events: EventLog;
  readonly statistics: Statistics;
  readonly pace: Pace;
  readonly observer: OutboundObserver;
  /** The lane of a loopback that takes answers in. */
  readonly responseLane: (loopback: string) => IngressLane | undefined;
  /** A source could not start; it is tried again. */
  readonly onFailed: (connection: string, code: string) => void;
  /** Whether this node may act at this moment. */
  readonly mayAct?: () => boolean;
  /** Whether a sender may be told that its message is taken. */
  readonly mayAnswer?: () => boolean;
}

export interface InboundParts {
  readonly source: Source;
  readonly lane: IngressLane;
  /** The lane of the durable split, once there is one. */
  readonly routedLane: () => IngressLane | undefined;
  /** What waits to be taken in; of a loopback. */
  readonly responseLane: () => IngressLane | undefined;
  /** Its first start waits for this: who has its port, perhaps. */
  readonly after?: Promise<unknown>;
}

export interface OutboundParts {
  readonly destination: Destination;
  /** Open rows found at start. */
  readonly open: number;
}

export class ConnectionBuilder {
  readonly #options: BuilderOptions;
  readonly #ids = new MessageIds();

  constructor(options: BuilderOptions) {
    this.#options = options;
  }

  /** @throws {ConnectorError} the settings make no source. */
  source(
    definition: InboundDefinition,
    connectors: ReadonlyMap<string, Connector>,
  ): Source {
    return connectorOf(definition.type, connectors).createSource!({
      settings: definition.settings,
      bindHost: definition.bindAddress ?? this.#options.bindHost,
      sourceIpAllowlist: definition.sourceIpAllowlist,
      contentType: definition.contentType,
    }, this.#contextOf(definition.name));
  }

  /** @throws {ConnectorError} the settings make no destination. */
  destination(
    definition: OutboundDefinition,
    connectors: ReadonlyMap<string, Connector>,
  ): Destination {
    return connectorOf(definition.type, connectors).createDestination!({
      settings: definition.settings,
      verifyAckControlId: definition.verifyAckControlId,
    }, this.#contextOf(definition.name));
  }

  inbound(definition: InboundDefinition, parts: InboundParts): Inbound {
    const { logger, onFailed } = this.#options;
    return new Inbound({
      definition,
      logger,
      ...parts,
      intake: this.#intake(definition, parts),
      onFailed: (code) => onFailed(definition.name, code),
    });
  }

  outbound(definition: OutboundDefinition, parts: OutboundParts): OutboundLane {
    const { store, clock, logger, failpoints, redact, budget, observer } = this.#options;
    const simulate = definition.simulate || this.#options.simulateAll;
    if (simulate) logger.warning("delivery.simulated", { connection: definition.name });
    return new OutboundLane({
      definition,
      ...parts,
      store,
      clock,
      logger,
      failpoints,
      redact,
      budget,
      simulate,
      responseLane: this.#options.responseLane,
      observer,
      mayAct: this.#options.mayAct,
    });
  }

  #intake(definition: InboundDefinition, { lane }: InboundParts): Intake {
    const { store, clock, logger, failpoints, redact, validateStrict } = this.#options;
    const { name, type } = definition;
    const note = (kind: "charset_mismatch" | "intake_error", reason: string | undefined) =>
      this.#options.events.add({
        connection: name,
        transport: type,
        direction: "inbound",
        kind,
        reason,
      });
    return new Intake({
      definition,
      lane,
      store,
      clock,
      logger,
      failpoints,
      redact,
      validateStrict,
      ids: this.#ids,
      pace: this.#options.pace,
      statistics: this.#options.statistics.inbound(name),
      mayAct: this.#options.mayAct,
      mayAnswer: this.#options.mayAnswer,
      onCharsetMismatch: (characterSet) =>
        note("charset_mismatch", `MSH-18 says "${characterSet.slice(0, 40)}"`),
      onStoreFailure: (thrown) => {
        const code = codeOf(thrown);
        logger.error("intake.store_failed", { connection: name, error: errorClass(thrown), code });
        note("intake_error", code);
      },
    });
  }

  #contextOf(name: string): ConnectorContext {
    const { events, logger, allowInsecureTls } = this.#options;
    const onEvent = (event: ConnectionEvent) => events.add(event);
    return { name, onEvent, logger, allowInsecureTls };
  }
}

function connectorOf(type: string, connectors: ReadonlyMap<string, Connector>): Connector {
  const connector = connectors.get(type);
  if (connector) return connector;
  throw new ConnectorError("connector.unknown", `Cannot build a connection of type "${type}"`);
}

function codeOf(thrown: unknown): string | undefined {
  const { code } = thrown as { code?: unknown };
  return typeof code === "string" ? code : undefined;
}
