/** Terms of a whole engine, one after the other: what they leave behind, and which step may fail (I67). */
import assert from "node:assert/strict";
import { ConfigConvergence } from "../../src/engine/config_convergence.ts";
import { Maintenance, References } from "../../src/maintenance/mod.ts";
import { LiveGraph } from "../../src/pipeline/live_graph.ts";
import { Pipeline } from "../../src/pipeline/pipeline.ts";
import { ServerStore } from "../../src/store/server/store.ts";
import { until } from "../connectors/waiting.ts";
import { hasPostgres } from "../postgres/server.ts";
import { EngineTerms } from "./engine_terms.ts";
import { leaksOf, runTerms } from "./term_counts.ts";

const TERMS = 20;

if (hasPostgres()) {
  // The long form: `deno run -P tests/cluster/terms_proof.ts 1000`.
  Deno.test("terms of a whole engine leave no file, thread, timer and session behind", async () => {
    await using terms = await EngineTerms.open();
    const counts = await runTerms(terms, TERMS);
    assert.deepEqual(leaksOf(counts), []);
  });

  Deno.test("an engine leads again, whichever step of a promotion or a demotion fails", async () => {
    await using terms = await EngineTerms.open();
    await terms.exchange();
    for (const { name, arm, fails } of steps) {
      const told = () => fails === undefined ? 0 : terms.count(fails);
      const failures = told();
      const struck = arm();
      let before = terms.promotions;
      const isNext = () => terms.promotions > before && terms.isServing;
      await terms.usurp();
      await until(() => struck.isStruck || isNext(), `${name} to fail`, 10_000);
      if (!struck.isStruck) {
        // What the term had at hand already is struck at the end of the next one.
        before = terms.promotions;
        await terms.usurp();
        await until(() => struck.isStruck, `${name} to fail`, 10_000);
      }
      await until(() => told() > failures || fails === undefined, `word of ${name}`, 10_000);
      await until(isNext, `a term after ${name}`, 10_000);
      await terms.exchange();
    }
  });
}

interface Step {
  readonly name: string;
  /** Has the step fail the next time it is taken. */
  readonly arm: () => { readonly isStruck: boolean };
  /** What is logged of it; undefined: nothing, for the end goes on without it. */
  readonly fails: string | undefined;
}

const PROMOTION = "cluster.promotion_failed";
const DEMOTION = "cluster.demotion_failed";

const steps: readonly Step[] = [
  step("the look at the configuration", PROMOTION, ConfigConvergence.prototype, "converge"),
  step("the recovery of rows", PROMOTION, ServerStore.prototype, "recoverOthers"),
  step("the reading of state", PROMOTION, ServerStore.prototype, "state"),
  step("the taking over of state", PROMOTION, LiveGraph.prototype, "convergeState"),
  step("the taking over of reference sets", PROMOTION, References.prototype, "converge"),
  step("the showing of a graph at rest", DEMOTION, LiveGraph.prototype, "connectorsFor"),
  step("the building of the graph", PROMOTION, LiveGraph.prototype, "connectorsFor", {
    // The end of the term before comes first.
    isMeant: (_given, call) => call === 2,
  }),
  step("the start of the graph", PROMOTION, Pipeline.prototype, "start"),
  step("a graph that is up", PROMOTION, Pipeline.prototype, "start", { isDone: true }),
  step("the start of the chores", PROMOTION, AsyncDisposableStack.prototype, "use", {
    isDone: true,
    isMeant: ([value]) => value instanceof Maintenance,
  }),
  step("the end of the graph", undefined, Pipeline.prototype, "stop", { isDone: true }),
  step("the end of the chores", undefined, Maintenance.prototype, Symbol.asyncDispose, {
    isDone: true,
  }),
  step("the end of the store", DEMOTION, ServerStore.prototype, Symbol.asyncDispose, {
    isDone: true,
  }),
];

interface StepOptions {
  /** It throws after its work, not in place of it. */
  readonly isDone?: boolean;
  /** Whether a call is the one that fails; `call` counts from 1. The first one when left out. */
  readonly isMeant?: (given: readonly unknown[], call: number) => boolean;
}

/** A step that is one method of the engine's: it throws once. */
function step<T extends object>(
  name: string,
  fails: string | undefined,
  owner: T,
  method: keyof T,
  { isDone = false, isMeant = () => true }: StepOptions = {},
): Step {
  const arm = () => {
    const real = owner[method] as (this: unknown, ...given: unknown[]) => unknown;
    const struck = { isStruck: false };
    let calls = 0;
    const strike = () => {
      struck.isStruck = true;
      throw new Error("as planned");
    };
    owner[method] = function (this: unknown, ...given: unknown[]) {
      if (!isMeant(given, calls += 1)) return real.apply(this, given);
      owner[method] = real as T[keyof T];
      const done = isDone ? real.apply(this, given) : undefined;
      return done instanceof Promise ? done.then(strike) : strike();
    } as T[keyof T];
    return struck;
  };
  return { name, arm, fails };
}
