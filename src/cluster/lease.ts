/**
 * The leadership lease as plain data, and the port behind which a database keeps it.
 *
 * One row names its holder and the instant it ends, on the database's clock. An epoch counts its
 * holders: it grows by one each time the lease is acquired, and never otherwise. Source: spec
 * pipeline-store-cluster §7.2.
 */

/** One process of the cluster. Two processes with the same pinned node ID are still two holders. */
export interface Holder {
  readonly nodeId: string;
  /** Drawn anew by each process. */
  readonly incarnation: string;
}

/** What a node may ask of the lease; each is one guarded statement. */
export type Ask =
  /**
   * Takes the lease when it has ended, or when it is mine though I do not know it (the answer to
   * an earlier ask was lost). `expectedEpoch` is the last one seen: a copy of this ask that the
   * network delivers late finds another epoch and changes nothing. `NO_EPOCH` only looks.
   */
  | { readonly kind: "acquire"; readonly expectedEpoch: number }
  /** Extends my lease under the same epoch, also when it has ended and nobody took it. */
  | { readonly kind: "renew"; readonly epoch: number }
  /** Ends my lease now. */
  | { readonly kind: "release"; readonly epoch: number };

/** Below every epoch. */
export const NO_EPOCH = -1;

/** The row as the database held it when it answered. */
export interface LeaseView {
  /** Undefined: nobody ever held it. */
  readonly holder: Holder | undefined;
  readonly epoch: number;
  /** Until it ends, milliseconds by the database's clock; 0 or less: it has ended. */
  readonly remainingMs: number;
}

export interface Answer {
  /** Whether the row was changed as asked. */
  readonly granted: boolean;
  readonly view: LeaseView;
}

/** Where the lease is kept. Every ask is atomic, and its effect is durable before it is answered. */
export interface LeaseStore {
  /**
   * Executes one ask. Rejects when it is not known whether it was executed; then it still may be,
   * at any later time.
   */
  ask(ask: Ask, signal: AbortSignal): Promise<Answer>;
}

/** Milliseconds. `heartbeatMs < fenceMs < ttlMs`; settings refuse anything else. */
export interface LeaseTimings {
  /** Between two renewals, and between two looks of a standby. */
  readonly heartbeatMs: number;
  /** A holder acts this long after it issued its last successful ask, and not a moment longer. */
  readonly fenceMs: number;
  /** Lifetime of the lease on the database's clock. */
  readonly ttlMs: number;
}

/**
 * How long one ask may take: what is left between fence and end of the lease is for stopping, and
 * a holder should get a second try before its fence.
 */
export function askTimeoutMs({ heartbeatMs, fenceMs, ttlMs }: LeaseTimings): number {
  return Math.max(50, Math.min((ttlMs - fenceMs) / 2, (fenceMs - heartbeatMs) / 2));
}

export function isSameHolder(a: Holder | undefined, b: Holder | undefined): boolean {
  return a !== undefined && b !== undefined && a.nodeId === b.nodeId &&
    a.incarnation === b.incarnation;
}
