/**
 * Purges a store while its messages are retried, replayed and delivered, until a failpoint kills it
 * or all steps are done.
 *
 * Arguments: path, failpoints, seed, moment it begins at, steps. Every line on standard output is a
 * {@link Line}: what a purge is about to ask, and what it was answered.
 */
import type { Intent, Stage } from "../../../src/store/intents.ts";
import type { PurgeKind, PurgeMark } from "../../../src/store/purge.ts";
import type { SqliteStore } from "../../../src/store/sqlite/store.ts";
import { Random } from "../../pipeline/random.ts";
import { openStore } from "./bench.ts";

export type Line =
  | { readonly line: "asks"; readonly of: PurgeKind; readonly before: number; readonly now: number }
  | { readonly line: "purged"; readonly of: PurgeKind; readonly purged: number };

export const LIMIT = 7;
const SECOND = 1_000_000;
const lanes = ["OB_A", "OB_B"] as const;

async function main(): Promise<void> {
  const [path, failpoints, seed, begin, steps] = Deno.args;
  await using store = await openStore(path!, { synchronous: "full", failpoints });
  const life = new Life(store, new Random(Number(seed)), Number(begin));
  for (let step = 0; step < Number(steps); step += 1) await life.step();
}

class Life {
  readonly #store: SqliteStore;
  readonly #random: Random;
  #now: number;
  readonly #ids: string[] = [];

  constructor(store: SqliteStore, random: Random, now: number) {
    this.#store = store;
    this.#random = random;
    this.#now = now;
  }

  /** Several acts at once, so that they share commits. */
  async step(): Promise<void> {
    this.#now += this.#random.below(3) * SECOND;
    const acts = [
      () => this.#receive(),
      () => this.#receive(),
      () => this.#route(),
      () => this.#deliver(this.#random.pick(lanes)),
      () => this.#deliver(this.#random.pick(lanes)),
      () => this.#replay(),
      () => this.#purge("messages", 5),
      () => this.#purge("dead_letters", 8),
      () => this.#purge("state", 6),
      () => this.#endPurge(),
    ];
    const chosen = acts.filter(() => this.#random.chance(0.6));
    await Promise.all(chosen.map((act) => act()));
  }

  async #receive(): Promise<void> {
    const id = crypto.randomUUID().replaceAll("-", "");
    this.#ids.push(id);
    await this.#submit({
      kind: "receive",
      token: undefined,
      message: {
        ...{ id, channel: "IB", receivedAt: this.#now, sourceType: "mllp", raw: `raw ${id}` },
        ...{ controlId: undefined, messageType: undefined },
      },
    });
  }

  async #route(): Promise<void> {
    for (const row of await this.#claim("ingress", "IB")) {
      const kinds = this.#random.below(5);
      const deliveries = kinds === 0 ? [] : lanes.map((destination, index) => ({
        destination,
        handler: "h",
        payload: index === 0 && kinds > 2 ? `payload ${row.seq}` : undefined,
        token: undefined,
      }));
      const failures = kinds === 1 ? [{ handler: "broken", error: "Error: x" }] : [];
      const state = kinds === 2 ? [{ namespace: "n", key: `k${row.seq % 5}`, value: "1" }] : [];
      const handlers = deliveries.length + failures.length;
      const { seq, messageSeq } = row;
      await this.#submit({
        ...{ kind: "hand_off", at: this.#now, seq, token: row.token!, messageSeq, channel: "IB" },
        ...{ handlers, deliveries, failures, state },
      });
    }
  }

  async #deliver(lane: string): Promise<void> {
    for (const { seq, messageSeq, token } of await this.#claim("outbound", lane)) {
      const row = { at: this.#now, seq, token: token!, messageSeq, destination: lane };
      const fate = this.#random.below(6);
      const intent: Intent = fate === 0
        ? { kind: "retry", ...row, dueAt: this.#now, error: "no answer" }
        : fate === 1
        ? { kind: "dead_letter", ...row, error: "AR", next: undefined }
        : { kind: "complete", ...row, next: undefined };
      await this.#submit(intent);
    }
  }

  async #replay(): Promise<void> {
    if (this.#random.chance(0.3)) {
      await this.#submit({
        ...{ kind: "replay_dead", channel: undefined, destination: undefined, at: this.#now },
      });
    } else if (this.#ids.length > 0) {
      await this.#submit({ kind: "replay", id: this.#random.pick(this.#ids), at: this.#now });
    }
  }

  async #purge(of: PurgeKind, seconds: number): Promise<void> {
    const before = this.#now - seconds * SECOND;
    let after: PurgeMark | undefined;
    do {
      say({ line: "asks", of, before, now: this.#now });
      const batch = { kind: "purge", of, before, limit: LIMIT, after, at: this.#now } as const;
      const { purged, next } = await this.#store.submit(batch);
      say({ line: "purged", of, purged });
      after = next;
    } while (after !== undefined);
  }

  async #endPurge(): Promise<void> {
    const act = { at: this.#now, actor: "system", action: "retention_purge", channel: null };
    await this.#submit({
      ...{ kind: "end_purge", audit: { ...act, detail: {} }, isNoted: false },
      ...{ logsAreClean: this.#random.chance(0.5), reclaimedOn: undefined },
    });
    if (this.#random.chance(0.3)) await this.#store.upkeep.checkpoint({ commitLog: true });
  }

  async #claim(stage: Stage, lane: string) {
    const { rows } = await this.#submit({
      ...{ kind: "claim", stage, lane, limit: 4, readAhead: 0, token: this.#store.nextToken(4) },
      ...{ after: 0, unordered: stage === "outbound", at: this.#now, attemptsMax: undefined },
    });
    return rows.filter(({ token }) => token !== undefined);
  }

  #submit<I extends Intent>(intent: I) {
    return this.#store.submit(intent);
  }
}

/** Written at once: a buffered line would die with the process. */
function say(line: Line): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${JSON.stringify(line)}\n`));
}

if (import.meta.main) await main();
