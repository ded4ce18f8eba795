/**
 * The author's graph: found in a bundle, run once in the sandbox, resolved for this instance and
 * checked as a whole.
 *
 * Upstream: the bundle directory, the settings, the environment's values. Downstream: `pipeline/`
 * runs the `Graph`, API and CLI show it.
 * Not here: running author code (`sandbox/`), opening connections (`connectors/`), and whatever is
 * known only once a listener binds.
 */
export { type Bundle, type BundleEdit, type BundleFile, readBundle } from "./bundle.ts";
export { checkBundle, type CheckReport, type CheckResult } from "./check.ts";
export { type CodeSet, loadCodeSets } from "./code_sets.ts";
export type { Declared } from "./declared.ts";
export { describeDeclared, type DescribedGraph, shownSettings } from "./describe.ts";
export { diffPayloads, type FieldDifference } from "./diff.ts";
export {
  dryRun,
  type DryRunInbound,
  dryRunInbounds,
  type DryRunRow,
  type DryRunSandbox,
} from "./dryrun.ts";
export { type ConnectionReach, isAllowed, type Reach } from "./egress.ts";
export { environmentsDir, type EnvironmentValues } from "./environment_values.ts";
export {
  evaluateInSandbox,
  forgetfulRunner,
  type GraphSandbox,
  type SandboxLimits,
} from "./evaluate.ts";
export { readFingerprint } from "./fingerprint.ts";
export { exposedListeners } from "./exposed.ts";
export { collectFixtures, type Fixture } from "./fixtures.ts";
export type * from "./graph.ts";
export {
  declareBundle,
  type DeclaredBundle,
  type DeclareOptions,
  type Evaluate,
  type EvaluateInput,
  type LoadedGraph,
  loadGraph,
  type LoadOptions,
  type ReachOf,
  validateBundle,
  type ValidationFinding,
} from "./load.ts";
export { isLoopback } from "./ports.ts";
export { BundleError, type GraphProblem, graphProblemText } from "./problems.ts";
export {
  findReloadRoots,
  type ReloadDir,
  type ReloadRoots,
  resolveReloadDir,
} from "./reload_roots.ts";
export { databaseRefSchema } from "../authoring/connectors/database_ref.ts";
export { reachesOfReferences } from "./database_references.ts";
export { readReference, unreadableReference } from "./references.ts";
export { listenersOf } from "./resolve.ts";
export { transports } from "./transports.ts";
