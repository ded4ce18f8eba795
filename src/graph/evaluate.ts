/** Evaluates a bundle in the real sandbox; the only file of this room that starts one. */
import { safeText } from "../logging/mod.ts";
import { type RunRequest, type RunResult, Sandbox, type StateEntry } from "../sandbox/mod.ts";
import type { DryRunSandbox } from "./dryrun.ts";
import type { Evaluate } from "./load.ts";
import { readLiteralReferences } from "./references.ts";

/** A loaded sandbox in the hands of whoever loaded the graph; disposing it ends the worker. */
export interface GraphSandbox extends Disposable {
  readonly sandbox: Sandbox;
}

export interface SandboxLimits {
  /** Transform state the store holds; none offline. */
  readonly state?: readonly StateEntry[];
  /** Takes patient data out of error texts. */
  readonly redact?: (text: string) => string;
  /** For all modules together. Default 10 000. */
  readonly loadTimeoutMs?: number;
  /**
   * Reference sets get what their files hold now, best effort: those whose path stands in the graph.
   * For commands that run no engine.
   */
  readonly fillReferences?: boolean;
  /** For a batch of several messages. Default 2 000: it bounds memory too, see sandbox/DESIGN.md. */
  readonly batchTimeoutMs?: number;
  /** For one message alone. Default 2 000. */
  readonly messageTimeoutMs?: number;
}

/** Returns how `loadGraph()` runs modules: in a worker without permissions. */
export function evaluateInSandbox(
  {
    state = [],
    redact = safeText,
    fillReferences = false,
    loadTimeoutMs = 10_000,
    batchTimeoutMs = 2_000,
    messageTimeoutMs = 2_000,
  }: SandboxLimits = {},
): Evaluate<GraphSandbox> {
  return async ({ graphDir, modules, helpers, codeSets, environment, outboundNames }) => {
    const { sandbox, registry, problems } = await Sandbox.load({
      graphDir,
      modules: [...modules, ...helpers],
      codeSets,
      environment,
      outboundNames,
      state,
      loadTimeoutMs,
      batchTimeoutMs,
      messageTimeoutMs,
      redact,
    });
    if (fillReferences && sandbox !== undefined) {
      for (const reference of await readLiteralReferences(registry.references)) {
        sandbox.setReference(reference);
      }
    }
    const held = sandbox && { sandbox, [Symbol.dispose]: () => sandbox.close() };
    return { sandbox: held, registry, problems };
  };
}

/**
 * Returns a runner that gives each message an empty state: what it writes is forgotten after it.
 * Use it on a sandbox of its own, loaded without state.
 */
export function forgetfulRunner({ sandbox }: GraphSandbox): DryRunSandbox {
  return {
    async run(request: RunRequest): Promise<RunResult> {
      const [result] = await sandbox.run([request]);
      sandbox.discardState(request.inbound);
      if (result === undefined) throw new TypeError("The sandbox gave no result");
      return result;
    },
  };
}
