/** The leadership lease on a database server: one row, one guarded UPDATE an ask. */
import type { Answer, Ask, Holder, LeaseStore } from "../lease.ts";
import type { Connection, Row } from "./connection.ts";
import type { ClusterStatements, Tell } from "./statements.ts";

export interface ServerLeaseOptions {
  /** Used for nothing else. */
  readonly connection: Connection;
  readonly statements: Pick<ClusterStatements, Ask["kind"]>;
  readonly me: Holder;
  readonly ttlMs: number;
  readonly tell: Tell;
}

export class ServerLeaseStore implements LeaseStore {
  readonly #options: ServerLeaseOptions;

  constructor(options: ServerLeaseOptions) {
    this.#options = options;
  }

  /** @throws {ClusterError} */
  async ask(ask: Ask, signal: AbortSignal): Promise<Answer> {
    const { connection, statements, me, ttlMs } = this.#options;
    const epoch = ask.kind === "acquire" ? ask.expectedEpoch : ask.epoch;
    const values = [me.nodeId, me.incarnation, Math.round(ttlMs * 1000), epoch];
    const [row] = await connection.run(statements[ask.kind], values, { signal });
    const answer = answerOf(row!);
    if (ask.kind === "release" && answer.granted) await this.#tellReleased();
    return answer;
  }

  /** A standby that does not hear of it finds out at its next look. */
  async #tellReleased(): Promise<void> {
    try {
      await this.#options.tell?.("lease released");
    } catch {
      // The lease is released all the same.
    }
  }
}

function answerOf(row: Row): Answer {
  const { granted, owner, incarnation, epoch, remaining_us } = row as {
    granted: number;
    owner: string | null;
    incarnation: string | null;
    epoch: number;
    remaining_us: number;
  };
  const holder = owner && incarnation ? { nodeId: owner, incarnation } : undefined;
  return { granted: granted === 1, view: { holder, epoch, remainingMs: remaining_us / 1000 } };
}
