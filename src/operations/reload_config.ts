/**
 * Loads a bundle anew and runs it in place of the graph that runs, or only says whether it could.
 *
 * The answer names no path and no reason, for a client may be anywhere; the log has both. Source:
 * spec api §6.
 */
import type { Engine } from "../engine.ts";
import { EngineError, errorClass, errorText } from "../errors.ts";
import type { Graph } from "../graph/mod.ts";
import { approvable } from "./approval.ts";
import { type AuditFact, operation, OperationError } from "./operation.ts";

export interface Reload {
  /** Undefined: the bundle the engine was started with. */
  readonly dir: string | undefined;
  readonly dryRun: boolean;
}

/** Counts of the graph that was loaded. */
export interface Reloaded {
  /** Real path of the bundle. */
  readonly dir: string;
  readonly inbound: number;
  readonly outbound: number;
  readonly routers: number;
  readonly handlers: number;
  readonly fingerprint: string;
  readonly files: number;
  readonly gitHead: string | undefined;
  readonly dryRun: boolean;
}

const reload = operation({
  permission: "config:deploy",
  async run(engine, { dir, dryRun }: Reload): Promise<Reloaded> {
    const found = await findDir(engine, dir);
    const graph = await load(engine, found, dryRun);
    const { inbounds, outbounds, routers, handlers, fingerprint, files, gitHead } = graph;
    return {
      dir: found,
      inbound: inbounds.size,
      outbound: outbounds.size,
      routers: routers.size,
      handlers: handlers.size,
      fingerprint,
      files,
      gitHead,
      dryRun,
    };
  },
  audit: (_input, { dryRun, dir, inbound, outbound, fingerprint, files, gitHead }) => ({
    action: dryRun ? "config_reload_check" : "config_reload",
    fields: { dir, inbound, outbound, dry_run: dryRun, fingerprint, files, git_head: gitHead },
  }),
  auditFailure: ({ dir, dryRun }, thrown) => refusalFact(dir, dryRun, thrown),
});

export const reloadConfig = approvable(reload, {
  key: "config_reload",
  holds: ({ dryRun }) => !dryRun,
  // Nobody is asked to agree to what cannot be loaded.
  check: async (engine, { dir }) => {
    await load(engine, await findDir(engine, dir), true);
  },
  checkFailure: ({ dir, dryRun }, thrown) => refusalFact(dir, dryRun, thrown),
  label: ({ dir }) => dir === undefined ? "Load the bundle again" : `Load the bundle "${dir}"`,
  params: ({ dir }, { name }) => ({ config_dir: dir ?? null, requester: name }),
  input: ({ config_dir }) => ({
    dir: config_dir === null ? undefined : String(config_dir),
    dryRun: false,
  }),
  result: ({ inbound, outbound }) => ({ inbound, outbound }),
});

/** The real path of what is to be loaded. */
async function findDir(engine: Engine, dir: string | undefined): Promise<string> {
  const found = await engine.findReloadDir(dir ?? engine.bundleDir);
  if (found.ok) return found.dir;
  throw found.reason === "not_allowed"
    ? new OperationError("config.root_not_allowed", "root not allowed", {
      hint: "List the directory in [api] config_reload_roots and start the engine again",
    })
    : new OperationError("config.not_found", "not found");
}

async function load(engine: Engine, bundleDir: string, dryRun: boolean): Promise<Graph> {
  try {
    return await engine.reload({ bundleDir, dryRun });
  } catch (thrown) {
    engine.logger.error("config.reload_failed", {
      dir: bundleDir,
      dry_run: dryRun,
      // Our own errors name places and keys, never values; of others only the class is safe.
      reason: thrown instanceof EngineError ? errorText(thrown) : errorClass(thrown),
    });
    throw new OperationError("config.invalid", "invalid", { cause: thrown });
  }
}

function refusalFact(
  dir: string | undefined,
  dryRun: boolean,
  thrown: unknown,
): AuditFact | undefined {
  if (!(thrown instanceof OperationError)) return undefined;
  const fields = { requested: dir ?? null, dry_run: dryRun };
  switch (thrown.code) {
    case "config.root_not_allowed":
      return { action: "config_reload_denied", fields };
    case "config.not_found":
      return { action: "config_reload_failed", fields: { ...fields, reason: "not_found" } };
    case "config.invalid":
      return { action: "config_reload_failed", fields: { ...fields, reason: "invalid_config" } };
    default:
      return undefined;
  }
}
