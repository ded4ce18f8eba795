import assert from "node:assert/strict";
import { systemClock } from "../../src/clock.ts";
import { LeaseKeeper } from "../../src/cluster/lease_keeper.ts";
import { Supervisor } from "../../src/cluster/supervisor.ts";
import type { Term } from "../../src/cluster/term.ts";
import { nullLogger } from "../../src/logging/mod.ts";
import { pause, until } from "../connectors/waiting.ts";
import { LeaseTable } from "./lease_world.ts";

const timings = { heartbeatMs: 1_000, fenceMs: 5_000, ttlMs: 10_000 };

// Goal: I67: leading and resting a thousand times, and failing at either, leaves a node that can lead.
Deno.test("a node can lead after a thousand terms, and after each failure of one", async () => {
  const bench = new SupervisorBench();
  try {
    for (let term = 1; term <= 1_000; term++) {
      await soon(() => bench.supervisor.role === "primary", `term ${term}`);
      // Somebody else took the lease: the next renewal finds out.
      bench.usurp();
      await soon(() => bench.rests === term, `the end of term ${term}`);
    }
    assert.ok(bench.leads >= 1_000);
    await until(() => bench.supervisor.role === "primary", "one term more");
    bench.failing = "lead";
    bench.usurp();
    await until(() => bench.failures === 1, "a promotion that fails");
    bench.failing = "rest";
    await until(
      () => bench.supervisor.role === "primary",
      "a term after a failed promotion",
      8_000,
    );
    bench.usurp();
    await until(() => bench.failures === 2, "a demotion that fails");
    await until(() => bench.supervisor.role === "primary", "a term after a failed demotion");
  } finally {
    await bench.end();
  }
});

Deno.test("a term that ends while it is promoted is taken down, and nothing says it leads", async () => {
  const bench = new SupervisorBench();
  const promoting = Promise.withResolvers<void>();
  bench.beforeLeading = promoting.promise;
  try {
    await until(() => bench.term !== undefined, "a term");
    const term = bench.term!;
    bench.usurp();
    await until(() => term.signal.aborted, "the end of the term");
    assert.equal(term.isCurrent, false);
    assert.equal(bench.rests, 0, "what is half up is not taken down beside");
    bench.beforeLeading = undefined;
    promoting.resolve();
    await until(() => bench.rests === 1, "its end");
    await until(() => bench.supervisor.role === "primary", "the next term");
  } finally {
    await bench.end();
  }
});

Deno.test("a term that the database shows to be over ends at once, and the next has a lease of its own", async () => {
  const bench = new SupervisorBench();
  try {
    await until(() => bench.supervisor.role === "primary", "a term");
    const term = bench.term!;
    // Another node has the lease, and this one's next renewal is far.
    bench.table.epoch += 1;
    bench.table.holder = undefined;
    bench.table.expiresMs = 0;
    term.follow();
    assert.deepEqual([term.isCurrent, term.isFollowed, term.signal.reason], [false, true, "lost"]);
    await until(() => bench.rests === 1, "its end", 200);
    await until(() => bench.supervisor.role === "primary", "the next term");
    assert.ok(bench.term!.epoch > term.epoch + 1, `${bench.term!.epoch} after ${term.epoch}`);
  } finally {
    await bench.end();
  }
});

/** Looks at each turn of the event loop: a thousand terms are not to wait for a clock. */
async function soon(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Waited 5 s for ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

class SupervisorBench {
  readonly table = new LeaseTable();
  readonly me = { nodeId: "me", incarnation: "1" };
  leads = 0;
  rests = 0;
  failures = 0;
  failing: "lead" | "rest" | undefined;
  beforeLeading: Promise<void> | undefined;
  term: Term | undefined;
  readonly supervisor: Supervisor;
  readonly #keeper: LeaseKeeper;

  constructor() {
    this.#keeper = new LeaseKeeper({
      me: this.me,
      timings,
      clock: systemClock,
      logger: nullLogger,
      onChange: () => this.supervisor.look(),
      store: {
        ask: async (ask) => {
          return this.table.execute(this.me, ask, {
            nowMs: performance.now(),
            ttlMs: timings.ttlMs,
          });
        },
      },
    });
    this.supervisor = new Supervisor({
      ...{ keeper: this.#keeper, clock: systemClock, logger: nullLogger, nodeId: "me" },
      ...{ heartbeatMs: 100, marginMs: 5_000, onTurn: () => {} },
      duties: { lead: (term) => this.#lead(term), rest: () => this.#rest() },
    });
    this.supervisor.start();
    this.#keeper.start();
  }

  /** Another node has held the lease and given it back. */
  usurp(): void {
    this.table.epoch += 1;
    this.table.holder = undefined;
    this.table.expiresMs = 0;
    // The holder finds out at its next beat; here it is told at once.
    this.#keeper.nudge();
  }

  async end(): Promise<void> {
    await this.supervisor.end();
    await this.#keeper.end();
  }

  async #lead(term: Term): Promise<void> {
    this.term = term;
    await this.beforeLeading;
    this.leads += 1;
    if (this.failing !== "lead") return;
    this.failing = undefined;
    this.failures += 1;
    await pause(1);
    throw new Error("as planned");
  }

  async #rest(): Promise<void> {
    this.rests += 1;
    if (this.failing !== "rest") return;
    this.failing = undefined;
    this.failures += 1;
    throw new Error("as planned");
  }
}
