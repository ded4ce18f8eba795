/**
 * What a run may read beside its message: transform state, the environment's name, the ingest time.
 */
import { requireStateName } from "./effects.ts";
import { currentRun, currentSession } from "./session.ts";

/**
 * Reads a state value; undefined when there is none, and outside a run.
 *
 * The value is a copy. A message sees what its predecessors of the same inbound wrote.
 *
 * @throws {GraphError} `graph.state_invalid` for a name that `setState()` refuses.
 */
export function state<T = unknown>(namespace: string, key: string): T | undefined {
  requireStateName("namespace", namespace);
  requireStateName("key", key);
  const text = currentRun()?.readState(namespace, key);
  return text === undefined ? undefined : JSON.parse(text) as T;
}

/**
 * The name of the active environment, `"production"`; undefined where there is none, as in a dry
 * run. Treat undefined as production.
 */
export function currentEnvironment(): string | undefined {
  return currentSession()?.environment;
}

/**
 * When the message was taken in, in seconds since the epoch; the same in every re-run of it, so
 * prefer it to the clock. Undefined outside a run.
 */
export function currentIngestTime(): number | undefined {
  return currentRun()?.ingestTime;
}
