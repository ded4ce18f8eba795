/**
 * Transform state in memory: what is committed, and above it what each inbound has written since.
 *
 * The realm reads from one of these and the engine's side keeps another, so that a worker that is
 * replaced starts where its predecessor stood. Source: spec pipeline-store-cluster §6, state rules.
 */
import type { StateEntry, StateKey } from "./protocol.ts";

/** The newest uncommitted value of one key, and how many writes of it wait for their commit. */
interface Pending {
  value: string;
  writes: number;
}

/** Everything a table holds, as plain arrays. */
export interface StateDump {
  /** `[key, value]` */
  readonly committed: readonly (readonly [string, string])[];
  /** `[inbound, [[key, value, writes], …]]` */
  readonly pending: readonly (readonly [
    string,
    readonly (readonly [string, string, number])[],
  ])[];
}

export class StateTable {
  readonly #committed = new Map<string, string>();
  readonly #pending = new Map<string, Map<string, Pending>>();

  /** The JSON text `inbound` sees: its own newest write, else what is committed. */
  read(inbound: string, namespace: string, key: string): string | undefined {
    const full = fullKey(namespace, key);
    return this.#pending.get(inbound)?.get(full)?.value ?? this.#committed.get(full);
  }

  /** Notes a write that is not committed yet. */
  write(inbound: string, { namespace, key, value }: StateEntry): void {
    let pending = this.#pending.get(inbound);
    if (pending === undefined) this.#pending.set(inbound, pending = new Map());
    const full = fullKey(namespace, key);
    const known = pending.get(full);
    if (known === undefined) {
      pending.set(full, { value, writes: 1 });
    } else {
      known.value = value;
      known.writes++;
    }
  }

  /** Takes writes of `inbound` as durable, each once and in the order they were made. */
  commit(inbound: string, entries: readonly StateEntry[]): void {
    const pending = this.#pending.get(inbound);
    for (const { namespace, key, value } of entries) {
      const full = fullKey(namespace, key);
      this.#committed.set(full, value);
      const known = pending?.get(full);
      if (known !== undefined && --known.writes === 0) pending?.delete(full);
    }
    if (pending?.size === 0) this.#pending.delete(inbound);
  }

  /** Forgets committed values: the store has them no more. What is not committed yet stays. */
  forget(keys: readonly StateKey[]): void {
    for (const { namespace, key } of keys) this.#committed.delete(fullKey(namespace, key));
  }

  /** Forgets what `inbound` wrote and never committed. */
  discard(inbound: string): void {
    this.#pending.delete(inbound);
  }

  /** Everything committed. */
  entries(): StateEntry[] {
    return [...this.#committed].map(([full, value]) => ({ ...partsOf(full), value }));
  }

  dump(): StateDump {
    return {
      committed: [...this.#committed],
      pending: [...this.#pending].map(([inbound, entries]) => [
        inbound,
        [...entries].map(([key, { value, writes }]) => [key, value, writes] as const),
      ]),
    };
  }

  static restore(dump: StateDump): StateTable {
    const table = new StateTable();
    for (const [key, value] of dump.committed) table.#committed.set(key, value);
    for (const [inbound, entries] of dump.pending) {
      const pending = new Map<string, Pending>();
      for (const [key, value, writes] of entries) pending.set(key, { value, writes });
      table.#pending.set(inbound, pending);
    }
    return table;
  }
}

/** The length first, so that no two pairs make one key. */
function fullKey(namespace: string, key: string): string {
  return `${namespace.length}:${namespace}${key}`;
}

function partsOf(full: string): { readonly namespace: string; readonly key: string } {
  const colon = full.indexOf(":");
  const namespaceEnd = colon + 1 + Number(full.slice(0, colon));
  return { namespace: full.slice(colon + 1, namespaceEnd), key: full.slice(namespaceEnd) };
}
