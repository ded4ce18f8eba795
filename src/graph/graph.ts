/**
 * A loaded, resolved and checked graph: plain data that the pipeline runs.
 *
 * Upstream: `load.ts` builds it from a bundle. Downstream: `pipeline/` and the API. Settings are
 * resolved for this instance (`env()` replaced, defaults filled); `declaredSettings` keep the
 * references for display.
 */
import type { SourcePosition } from "../sandbox/protocol.ts";
import type { Secret } from "../settings/mod.ts";

export type AckMode = "original" | "enhanced" | "none";
export type Ordering = "fifo" | "unordered";
export type InternalErrorPolicy = "continue" | "stop";
export type ContentType =
  | "hl7v2"
  | "json"
  | "xml"
  | "text"
  | "x12"
  | "fhir"
  | "binary"
  | "dicom";

type Settings = Readonly<Record<string, unknown>>;

export interface InboundDefinition {
  readonly name: string;
  /** Transport type, `mllp`. */
  readonly type: string;
  readonly settings: Settings;
  readonly declaredSettings: Settings;
  readonly router: string;
  readonly contentType: ContentType;
  readonly ackMode: AckMode;
  readonly strict: boolean;
  readonly hl7Version: string | undefined;
  readonly bindAddress: string | undefined;
  readonly sourceIpAllowlist: readonly string[];
  /** Undefined: that of `[retention]`. */
  readonly messagesDays: number | undefined;
  /** Undefined: as `[diagnostics] connection_events` says. */
  readonly captureConnectionErrors: boolean | undefined;
  readonly metadata: Settings;
  readonly position: SourcePosition | undefined;
}

export interface RetryDefinition {
  /** null: for ever. */
  readonly maxAttempts: number | null;
  readonly backoffMs: number;
  readonly multiplier: number;
  readonly maxBackoffMs: number;
}

export interface BuildupDefinition {
  readonly maxDepth: number | null;
  readonly maxOldestMs: number | null;
}

export interface OutboundDefinition {
  readonly name: string;
  readonly type: string;
  readonly settings: Settings;
  readonly declaredSettings: Settings;
  readonly retry: RetryDefinition;
  readonly ordering: Ordering;
  readonly internalError: InternalErrorPolicy;
  readonly buildup: BuildupDefinition;
  readonly simulate: boolean;
  /** The partner's answer is kept with its delivery. */
  readonly captureResponse: boolean;
  /** The loopback that takes the answer in. */
  readonly reingressTo: string | undefined;
  readonly verifyAckControlId: "lenient" | "strict";
  /** Undefined: that of `[retention]`. */
  readonly deadLetterDays: number | undefined;
  readonly metadata: Settings;
  readonly position: SourcePosition | undefined;
}

export interface RouterDefinition {
  readonly name: string;
  readonly handlers: readonly string[];
  readonly position: SourcePosition | undefined;
}

export interface HandlerDefinition {
  readonly name: string;
  readonly sends: readonly string[];
  readonly position: SourcePosition | undefined;
}

export type ReferenceFormat = "csv" | "toml" | "json";

interface AnyReference {
  readonly name: string;
  /** 0: whenever somebody looks. */
  readonly refreshMs: number;
  readonly position: SourcePosition | undefined;
}

export interface FileReference extends AnyReference {
  readonly kind: "file";
  /** Absolute. */
  readonly path: string;
  readonly format: ReferenceFormat;
  readonly encoding: string;
}

export interface DatabaseReference extends AnyReference {
  readonly kind: "database";
  readonly dialect: "postgres" | "sqlserver";
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly auth: "sql" | "integrated";
  readonly username: string;
  readonly password: Secret | undefined;
  readonly statement: string;
  readonly keyColumn: string;
  /** Undefined: a record of all columns but the key. */
  readonly valueColumn: string | undefined;
  readonly encrypt: boolean;
  readonly trustServerCertificate: boolean;
  /** Absolute; undefined: the public authorities. */
  readonly tlsCaFile: string | undefined;
  readonly connectTimeoutMs: number;
  readonly statementTimeoutMs: number;
}

export type ReferenceDefinition = FileReference | DatabaseReference;

export interface Graph {
  readonly bundleDir: string;
  readonly references: ReadonlyMap<string, ReferenceDefinition>;
  /** Whether author code seems to read what partners answered. */
  readonly readsResponses: boolean;
  readonly inbounds: ReadonlyMap<string, InboundDefinition>;
  readonly outbounds: ReadonlyMap<string, OutboundDefinition>;
  readonly routers: ReadonlyMap<string, RouterDefinition>;
  readonly handlers: ReadonlyMap<string, HandlerDefinition>;
  /** Hex SHA-256 of the bundle, spec api §6.4. */
  readonly fingerprint: string;
  readonly files: number;
  /** Commit the bundle is at, when its `.git` can be read. */
  readonly gitHead: string | undefined;
}
