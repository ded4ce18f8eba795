/**
 * How this room reads and writes: every change with its audit rows in one commit, told to the log
 * once it is durable.
 */
import { type AuditFacts, auditRecord, auditRow } from "../audit/mod.ts";
import { type Clock, micros } from "../clock.ts";
import type { Logger } from "../logging/mod.ts";
import type {
  RegisterChange,
  RegisterQueryName,
  RegisterRow,
  RegisterStore,
} from "../store/registers/mod.ts";

/** What is written of an act. */
export interface Fact {
  readonly actor: string;
  /** Source of the names: spec api §2.12. */
  readonly action: string;
  readonly channel?: string;
  readonly facts?: AuditFacts;
}

export class IdentityRegister {
  readonly #store: RegisterStore;
  readonly #clock: Clock;
  readonly #logger: Logger;

  constructor(
    { store, clock, logger }: {
      store: RegisterStore;
      clock: Clock;
      logger: Logger;
    },
  ) {
    this.#store = store;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Microseconds since the epoch. */
  get now(): number {
    return micros(this.#clock);
  }

  /**
   * Writes all of it or nothing; false when a change did not do what it had to.
   * @throws {StoreError} nothing was written.
   */
  async commit(changes: readonly RegisterChange[], ...facts: readonly Fact[]): Promise<boolean> {
    const now = this.#clock.now();
    const audit = facts.map((fact) => auditRow({ now, ...fact }));
    const { applied } = await this.#store.submit({ kind: "register", changes, audit });
    if (!applied) return false;
    for (const row of audit) this.#logger.audit(auditRecord(row));
    return true;
  }

  rows(
    name: RegisterQueryName,
    ...values: readonly (string | number | null)[]
  ): Promise<readonly RegisterRow[]> {
    return this.#store.register(name, ...values);
  }

  async first(
    name: RegisterQueryName,
    ...values: readonly (string | number | null)[]
  ): Promise<RegisterRow | undefined> {
    return (await this.#store.register(name, ...values))[0];
  }

  async count(
    name: RegisterQueryName,
    ...values: readonly (string | number | null)[]
  ): Promise<number> {
    return Number((await this.first(name, ...values))?.total ?? 0);
  }
}
