/**
 * The failures of a graph: what its author declared or returned cannot be taken.
 *
 * Codes begin with `graph.`. Names of connections, handlers and files may be quoted, for the author
 * wrote them; values of messages, states and settings may not.
 */
import { EngineError } from "../errors.ts";

/** A declaration, a result or a bundle that cannot be taken. */
export class GraphError extends EngineError {}
