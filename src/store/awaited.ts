/** What the engine's thread awaits of the store's threads, each under a number. */
import { type StoreError, type StoreFailure, toError } from "./errors.ts";
import { rejectAll, type Settle } from "./group_commit.ts";
import { decodeOutcomes, type Flat } from "./wire.ts";

/** A thread's answer to a question, or why it has none. */
export type Answer =
  | { readonly type: "failed"; readonly id: number; readonly failure: StoreFailure }
  | { readonly type: string; readonly id: number };

export class Awaited {
  readonly #batches = new Map<number, readonly Settle[]>();
  readonly #questions = new Map<number, Settle>();
  #nextId = 1;

  /** Returns the number under which the batch is to be sent. */
  addBatch(settles: readonly Settle[]): number {
    const id = this.#nextId++;
    this.#batches.set(id, settles);
    return id;
  }

  /** Settles what a batch holds. */
  batchAnswered(id: number, outcomes: Flat): void {
    const settles = this.#batches.get(id)!;
    this.#batches.delete(id);
    decodeOutcomes(
      outcomes,
      (index, result) => settles[index]!.resolve(result),
      (index, failure) => settles[index]!.reject(toError(failure)),
    );
  }

  /** Has a question sent under a number; resolves with the message that answers it. */
  ask<Reply>(send: (id: number) => void): Promise<Reply> {
    const id = this.#nextId++;
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    this.#questions.set(id, { resolve: resolve as Settle["resolve"], reject });
    send(id);
    return promise;
  }

  answered(answer: Answer): void {
    const asker = this.#questions.get(answer.id);
    this.#questions.delete(answer.id);
    if ("failure" in answer) asker?.reject(toError(answer.failure));
    else asker?.resolve(answer);
  }

  failAll(error: StoreError): void {
    for (const settles of this.#batches.values()) rejectAll(settles, error);
    this.#batches.clear();
    rejectAll(this.#questions.values(), error);
    this.#questions.clear();
  }
}
