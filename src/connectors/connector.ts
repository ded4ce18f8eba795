/**
 * What every connector is: a source turns bytes from a partner into calls of `receive`, a
 * destination turns one payload into one delivery.
 *
 * Upstream: `pipeline/intake.ts` gives sources their callback, `pipeline/delivery.ts` calls
 * destinations. Connectors report what happened and never decide what follows: no retry, no
 * disposition, no ACK content is made here.
 */
import { EngineError, type EngineErrorOptions } from "../errors.ts";
import type { Logger } from "../logging/logger.ts";

/** One framed message as it came from the partner, before any decoding. */
export interface ReceivedMessage {
  readonly bytes: Uint8Array;
  /** Identity of the connection it came over, unique in this process; several may be in flight. */
  readonly connectionId: number;
  /** Peer address without port, when there is one. */
  readonly peer?: string;
  /** Name for people, never logged with content: a file's relative path. */
  readonly origin?: string;
}

/**
 * What intake answers once the message is safe (or refused).
 *
 * `stored: true` means the row is committed (as RECEIVED or as ERROR): the source may drop its
 * copy. `stored: false` means nothing is durable: a listener closes the connection without a
 * reply, a poller leaves the file.
 */
export type IntakeAnswer =
  | { readonly stored: true; readonly reply: Uint8Array | undefined; readonly accepted: boolean }
  | { readonly stored: false };

/** Called once per framed message, in arrival order; never throws. */
export type Receive = (message: ReceivedMessage) => Promise<IntakeAnswer>;

/** Kinds of connection events, spec connectors-and-graph §7.3. */
export type ConnectionEventKind =
  | "established"
  | "closed"
  | "peer_not_allowlisted"
  | "at_capacity"
  | "frame_oversize"
  | "framing_error"
  | "peer_reset"
  | "idle_timeout"
  | "connection_lost"
  | "connection_restored"
  | "tls_error"
  | "charset_mismatch"
  | "intake_error"
  | "ack_mismatch"
  | "ack_id_absent";

/** Metadata only: never a byte of a message. */
export interface ConnectionEvent {
  readonly connection: string;
  readonly transport: string;
  readonly direction: "inbound" | "outbound";
  readonly kind: ConnectionEventKind;
  readonly peer?: string;
  readonly reason?: string;
}

/** In-memory counters a connector keeps; read by the statistics, never reset by them. */
export interface ConnectionCounters {
  connectionsOpen: number;
  connectionsRefused: number;
  bytesIn: number;
  bytesOut: number;
}

/** What the engine gives every connector it builds. */
export interface ConnectorContext {
  readonly name: string;
  /** Must not throw and must not block. */
  readonly onEvent: (event: ConnectionEvent) => void;
  /** True when `MEFOR_ALLOW_INSECURE_TLS=1`: unverified TLS is built instead of refused. */
  readonly allowInsecureTls?: boolean;
  /** Where a poller says what it did with a file nobody will see as a message. */
  readonly logger?: Logger;
  /** Asked by pollers at each tick; absent means yes. A follower skips the tick. */
  readonly isLeader?: () => boolean;
}

export interface Source {
  readonly counters: ConnectionCounters;
  /**
   * Begins to receive; resolves when live (bound, or first scan scheduled).
   * @throws {ConnectorError} `connector.bind_failed` and the like.
   */
  start(receive: Receive): Promise<void>;
  /** Stops intake, gives in-flight receives 5 s, then closes. Idempotent; may be started again. */
  stop(): Promise<void>;
}

/** The payload of one outbound row. */
export interface OutboundMessage {
  readonly text: string;
  /** MSH-10 of the payload for HL7 payloads, when it has one. */
  readonly controlId?: string;
}

/** The partner has the message. */
export interface PositiveAnswer {
  readonly accepted: true;
  /** The raw text of the reply, when the connector has one: response capture keeps it. */
  readonly reply?: string;
  /**
   * What the reply says of the content, when the transport alone says it arrived; absent:
   * `accepted`.
   */
  readonly outcome?: "rejected" | "unparseable";
  /** For people: a code or a fault, sealed like the reply. */
  readonly detail?: string;
}

/** A partner's answer. A negative answer is a value: `pipeline/retry.ts` decides what it means. */
export type DeliveryAnswer =
  | PositiveAnswer
  | {
    readonly accepted: false;
    /** The partner's code: `AE`, `AR`, an HTTP status. Never free text. */
    readonly code: string;
    readonly permanent: boolean;
    /** What the partner says of it. It may quote the message: redacted where it is kept, never logged. */
    readonly said?: string;
  };

export interface Destination {
  readonly counters: ConnectionCounters;
  /**
   * Delivers one payload. One call at a time on an ordered lane; a second concurrent call on a
   * connector that cannot take it is a defect and throws.
   *
   * @throws {DeliveryError} nothing positive was heard: transport, timeout, garbled answer.
   */
  send(message: OutboundMessage, signal: AbortSignal): Promise<DeliveryAnswer>;
  /** Reaches the partner without sending data; throws {DeliveryError} when it cannot. */
  probe(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** A connector that could not be built or bound: settings, files, ports. */
export class ConnectorError extends EngineError {}

export interface DeliveryErrorOptions extends EngineErrorOptions {
  /** `"no"` while nothing has left this machine, `"unknown"` once the partner may hold it. */
  reached: "no" | "unknown";
  /** True when trying again cannot help (unencodable character, payload of the wrong shape). */
  permanent?: boolean;
}

/** A delivery that is not known to have succeeded. */
export class DeliveryError extends EngineError {
  readonly reached: "no" | "unknown";
  readonly permanent: boolean;

  constructor(code: string, message: string, options: DeliveryErrorOptions) {
    super(code, message, options);
    this.reached = options.reached;
    this.permanent = options.permanent ?? false;
  }
}

/** Resolved settings: snake_case keys, env references already replaced, defaults filled in. */
export type ConnectorSettings = Readonly<Record<string, unknown>>;

/** Where a listener would bind: for clash checks and the permission flag line. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * What a connector reaches or touches: for `[egress]` checks and the permission flag line. `list`
 * names the `[egress]` list that must allow it; empty where none does (what inbounds read, and
 * certificate files). `port` is the one that is used, also where the setting names none.
 */
export type Reach =
  | { readonly kind: "net"; readonly list: string; readonly host: string; readonly port: number }
  | {
    readonly kind: "path";
    readonly list: string;
    readonly path: string;
    readonly write: boolean;
    /** True when directories below it are read too. */
    readonly recursive?: boolean;
  };

/** Options of the connection (not of its transport) that connectors need. */
export interface SourceOptions {
  readonly settings: ConnectorSettings;
  readonly bindHost: string;
  readonly sourceIpAllowlist: readonly string[];
  readonly contentType: string;
}

export interface DestinationOptions {
  readonly settings: ConnectorSettings;
  /** `lenient` or `strict`: what an MSA-2 that does not match is taken for (design §5). */
  readonly verifyAckControlId: "lenient" | "strict";
}

/** One transport type. `connectors/mod.ts` lists them. */
export interface Connector {
  readonly type: string;
  /** Built but not started. Absent where the type has no such half. */
  createSource?(options: SourceOptions, context: ConnectorContext): Source;
  createDestination?(options: DestinationOptions, context: ConnectorContext): Destination;
  /** Listeners only. */
  listenAddress?(options: SourceOptions): ListenAddress;
  /** Everything this connection would reach, by direction. */
  reach(direction: "inbound" | "outbound", settings: ConnectorSettings): readonly Reach[];
}
