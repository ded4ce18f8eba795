/** The leadership lease in PostgreSQL: one row, one guarded UPDATE an ask. */
import type { Answer, Ask, Holder, LeaseStore } from "../lease.ts";
import type { Connection, Row } from "./connection.ts";
import type { ClusterStatements } from "./statements.ts";

export interface PostgresLeaseOptions {
  /** Used for nothing else. */
  readonly connection: Connection;
  readonly statements: ClusterStatements;
  readonly me: Holder;
  readonly ttlMs: number;
}

/** Told to every node when a holder gave the lease back. */
export const LEASE_RELEASED = "lease released";

export class PostgresLeaseStore implements LeaseStore {
  readonly #options: PostgresLeaseOptions;

  constructor(options: PostgresLeaseOptions) {
    this.#options = options;
  }

  /** @throws {ClusterError} */
  async ask(ask: Ask, signal: AbortSignal): Promise<Answer> {
    const { connection, statements, me, ttlMs } = this.#options;
    const epoch = ask.kind === "acquire" ? ask.expectedEpoch : ask.epoch;
    const values = [me.nodeId, me.incarnation, Math.round(ttlMs * 1000), epoch];
    const [row] = await connection.run(statements[ask.kind], values, { signal });
    const answer = answerOf(row!);
    if (ask.kind === "release" && answer.granted) await this.#tellReleased(signal);
    return answer;
  }

  /** A standby that does not hear of it finds out at its next look. */
  async #tellReleased(signal: AbortSignal): Promise<void> {
    const { connection, statements } = this.#options;
    try {
      await connection.run(statements.tell, [LEASE_RELEASED], { signal });
    } catch {
      // The lease is released all the same.
    }
  }
}

function answerOf(row: Row): Answer {
  const { granted, owner, incarnation, epoch, remaining_ms } = row as {
    granted: boolean;
    owner: string | null;
    incarnation: string | null;
    epoch: number;
    remaining_ms: number;
  };
  const holder = owner && incarnation ? { nodeId: owner, incarnation } : undefined;
  return { granted, view: { holder, epoch, remainingMs: remaining_ms } };
}
