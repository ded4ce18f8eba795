/** Failures of the cluster's own connection; policy reads `code`. */
import { EngineError } from "../errors.ts";

/**
 * Codes: `cluster.unreachable` no connection to the database; `cluster.timeout` no answer in time;
 * `cluster.connection_lost`; `cluster.statement_failed`; `cluster.closed`. Whether a statement that
 * was sent took effect is not known after any of them.
 */
export class ClusterError extends EngineError {}
