/**
 * What crosses between the engine and the worker that runs author code: plain data only.
 *
 * Upstream: `graph/` loads through it, `pipeline/routing.ts` and `pipeline/transform.ts` run
 * through it. Downstream: the permission-less worker and its `node:vm` context.
 */

/** Where a declaration stands in the author's source; lines count from 1. */
export interface SourcePosition {
  readonly file: string;
  readonly line: number;
}

/** An `env("key")` used as a setting; resolved by `graph/` on the engine's side. */
export interface EnvReference {
  readonly env: string;
  readonly default?: unknown;
  readonly cast?: string;
}

/** A connection as declared: snake_case keys, settings not yet resolved or defaulted. */
export interface DeclaredConnection {
  readonly name: string;
  readonly type: string;
  readonly settings: Readonly<Record<string, unknown>>;
  /** Options of spec connectors-and-graph §1.3/§1.4 in snake_case; `router` included. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly position: SourcePosition | undefined;
}

export interface DeclaredFunction {
  readonly name: string;
  readonly position: SourcePosition | undefined;
  /** Names the source mentions, best effort: handlers of a router, outbounds of a handler. */
  readonly mentions: readonly string[];
}

/** A reference set as declared; its source is not resolved yet. */
export interface DeclaredReference {
  readonly name: string;
  /** `kind` and its settings, snake_case. */
  readonly source: Readonly<Record<string, unknown>>;
  /** Undefined: the service's own interval. */
  readonly refreshSeconds?: number;
  readonly position: SourcePosition | undefined;
}

/** Everything the modules of one bundle declared. */
export interface Registry {
  readonly inbounds: readonly DeclaredConnection[];
  readonly outbounds: readonly DeclaredConnection[];
  readonly routers: readonly DeclaredFunction[];
  readonly handlers: readonly DeclaredFunction[];
  /** Code sets that modules asked for by name, with the position of the call. */
  readonly codeSets: readonly string[];
  readonly references: readonly DeclaredReference[];
  /** Names that modules read without declaring them. */
  readonly referencesRead: readonly string[];
  /** Whether a module seems to read what partners answered. */
  readonly readsResponses: boolean;
}

/** One problem found while loading; the text never holds a patient value. */
export interface LoadProblem {
  readonly message: string;
  readonly file?: string;
  readonly line?: number;
}

/** One code set, already parsed by `graph/code_sets.ts`; record values are plain objects. */
export interface CodeSetData {
  readonly name: string;
  readonly entries: readonly (readonly [string, unknown])[];
}

/** One version of a reference set. */
export interface ReferenceData {
  readonly name: string;
  /** JSON: `[[key, value], …]` */
  readonly entries: string;
}

export interface StateKey {
  readonly namespace: string;
  readonly key: string;
}

export interface StateEntry extends StateKey {
  /** JSON text. */
  readonly value: string;
}

/** One message to run. Routing chooses handlers unless `handlers` names them (durable split). */
export interface RunRequest {
  readonly inbound: string;
  readonly router: string;
  /** Handlers to run instead of asking the router: the routed rows of a split or a replay. */
  readonly handlers?: readonly string[];
  readonly text: string;
  readonly contentType: string;
  /** Epoch seconds, stable across re-runs of the same row. */
  readonly ingestTime: number;
  /** JSON of `LineageData`; undefined for a message that a partner sent. */
  readonly lineage?: string;
  /** True to stop after the router: the durable split runs handlers from routed rows later. */
  readonly routeOnly?: boolean;
}

export interface HandlerSend {
  readonly to: string;
  /** Undefined when the payload equals the input text: the row then refers to the body. */
  readonly payload: string | undefined;
}

/** What one handler made of one message. `error` excludes sends and state. */
export interface HandlerOutcome {
  readonly handler: string;
  readonly sends: readonly HandlerSend[];
  readonly state: readonly StateEntry[];
  /** `"<class>: <text>"`, redacted, at most 200 characters. */
  readonly error?: string;
}

/** What the author's code made of one message, in order. */
export interface RunResult {
  /** Handler names in router order, without repeats. Empty: UNROUTED. */
  readonly handlers: readonly string[];
  readonly outcomes: readonly HandlerOutcome[];
  /** The router failed: no handler was run. */
  readonly error?: string;
  /** Wall time the author's code took for this message, milliseconds; 0 when not measured. */
  readonly tookMs?: number;
}
