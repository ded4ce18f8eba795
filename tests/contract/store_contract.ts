/**
 * What every store must do, whichever backend holds the rows: one suite, run by each.
 *
 * Source: spec pipeline-store-cluster §1.3 to §1.5, §2, §3.1 to §3.6, §10.1, §10.2, §10.4.
 */
import { testBatches } from "./store/batches.ts";
import type { StoreBackend } from "./store/bench.ts";
import { testClaims } from "./store/claims.ts";
import { testHandOffs } from "./store/handoffs.ts";
import { testIntake } from "./store/intake.ts";
import { testOperator } from "./store/operator.ts";
import { testProperties } from "./store/properties.ts";
import { testReads } from "./store/reads.ts";
import { testRegisters } from "./store/registers.ts";
import { testResolutions } from "./store/resolutions.ts";
import { testResponses } from "./store/responses.ts";
import { testRetention } from "./store/retention.ts";
import { testRestart } from "./store/restart.ts";

export type { StoreBackend } from "./store/bench.ts";

/** Registers the contract's tests; each opens a store of its own. */
export function testStore(backend: StoreBackend): void {
  testIntake(backend);
  testHandOffs(backend);
  testResolutions(backend);
  testResponses(backend);
  testClaims(backend);
  testOperator(backend);
  testBatches(backend);
  testReads(backend);
  testRegisters(backend);
  testRetention(backend);
  testRestart(backend);
  testProperties(backend);
}
