/**
 * `messagefoundry rotate-key`: seals everything in the store with the active key, beside a running
 * engine or without one.
 *
 * Exit codes: 0 done, 1 stopped on the way and safe to run again, 2 cannot begin. Source: spec api §5.
 */
import type { CellKeys } from "../crypto/keys.ts";
import { EngineError, errorText } from "../errors.ts";
import type { Settings } from "../settings/mod.ts";
import type { RotationReport } from "../store/rotation.ts";
import type { RotateOptions } from "../store/sqlite/rotate_key.ts";
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { CommandFailure, exitCodes, tellError } from "./failure.ts";
import { addServiceOptions } from "./options.ts";
import type { ServiceOptions } from "./options.ts";
import { requireVariables } from "./variables.ts";

interface RotateKeyOptions extends ServiceOptions {
  readonly db?: string;
  readonly json?: boolean;
}

/** Failures of a run that has begun: it may be run again. Others are of settings or of the place. */
const underWay: ReadonlySet<string> = new Set([
  "store.unreadable",
  "store.busy",
  "store.unavailable",
  "store.disk_full",
  "store.io",
  "store.corrupt",
  "store.failed",
]);

export function declareRotateKey(program: CliCommand, context: CliContext): void {
  const command = program.command("rotate-key")
    .description("Seal everything in the store with the active key, while the engine runs or not");
  addServiceOptions(command)
    .option("--db <file>", "SQLite store, instead of [store] path")
    .option("--json", "one line of JSON: key, values sealed by column, retired keys that may go");
  command.runs((options: RotateKeyOptions) => rotate(options, context));
}

async function rotate(options: RotateKeyOptions, context: CliContext): Promise<number> {
  const { terminal, isDebug } = context;
  try {
    const { findAnchor } = await import("./anchor.ts");
    const { passStoreGates } = await import("./serve/gates.ts");
    const { runBesideServer } = await import("./beside_server.ts");
    const anchor = await findAnchor({
      options: { ...options, config: "." },
      env: requireVariables(context.env),
      flags: { "store.path": options.db },
    });
    passStoreGates(anchor.loaded.settings);
    const code = await runBesideServer(anchor, context, options);
    if (code !== undefined) return code;
    const report = await seal(options, anchor.loaded.settings, context);
    if (options.json) terminal.out(JSON.stringify(jsonOf(report)));
    else tell(report, context);
    return exitCodes.ok;
  } catch (thrown) {
    if (options.json) terminal.out(JSON.stringify({ error: errorText(thrown) }));
    else tellError(terminal, thrown, isDebug);
    return exitCodeOf(thrown);
  }
}

async function seal(
  options: RotateKeyOptions,
  settings: Settings,
  { terminal, env = {} }: CliContext,
): Promise<RotationReport> {
  const { ProgressBar } = await import("./progress_bar.ts");
  const { parseFailpoints } = await import("../failpoints.ts");
  const { micros, systemClock } = await import("../clock.ts");
  const keys = await keysOf(settings);
  const bar = options.json ? undefined : new ProgressBar(terminal, 0);
  bar?.say("counting");
  try {
    return await sealStore(settings, {
      keys,
      now: micros(systemClock),
      onProgress: bar && (({ done, total }) => bar.show(done, total)),
      failpoints: parseFailpoints(env.MEFOR_FAILPOINTS ?? ""),
    });
  } finally {
    bar?.clear();
  }
}

async function sealStore(
  { store }: Settings,
  options: Omit<RotateOptions, "path">,
): Promise<RotationReport> {
  if (store.backend === "sqlite") {
    const { rotateKey } = await import("../store/sqlite/rotate_key.ts");
    return await rotateKey({ path: store.path, ...options });
  }
  const { rotateServerKey } = await import("../store/postgres/rotate_key.ts");
  const { serverOptionsOf } = await import("../store/open.ts");
  return await rotateServerKey({ server: await serverOptionsOf(store), ...options });
}

async function keysOf({ store }: Settings): Promise<CellKeys> {
  const { readKeys } = await import("../crypto/keys.ts");
  const keys = readKeys({
    active: store.encryptionKey?.reveal(),
    retired: store.encryptionKeysRetired?.reveal(),
  });
  if (keys !== undefined) return keys;
  throw new CommandFailure("Cannot seal the store: there is no active key", {
    exitCode: exitCodes.refused,
    hint: 'Set MEFOR_STORE_ENCRYPTION_KEY to what "messagefoundry gen-key" prints, and put the ' +
      "former key into MEFOR_STORE_ENCRYPTION_KEYS_RETIRED",
  });
}

function jsonOf({ keyId, retired, cells, isBesideEngine }: RotationReport) {
  return {
    key_id: keyId,
    resealed: totalOf(cells),
    columns: cells,
    retired_may_go: retired,
    beside_engine: isBesideEngine,
  };
}

function tell({ keyId, retired, cells }: RotationReport, { terminal }: CliContext): void {
  terminal.out(
    `${terminal.style("good", "OK:")} ${totalOf(cells)} values sealed with key "${keyId}"; ` +
      "none in the store needs another",
  );
  const width = Math.max(...Object.keys(cells).map((name) => name.length));
  for (const [name, count] of Object.entries(cells)) {
    terminal.out(`  ${name.padEnd(width)}  ${count}`);
  }
  if (retired.length === 0) return;
  const names = retired.map((id) => `"${id}"`).join(", ");
  terminal.out(
    `Key ${names} may leave MEFOR_STORE_ENCRYPTION_KEYS_RETIRED; backups made before this still ` +
      "need it",
  );
}

function totalOf(cells: RotationReport["cells"]): number {
  return Object.values(cells).reduce((total, count) => total + count, 0);
}

function exitCodeOf(thrown: unknown): number {
  if (thrown instanceof CommandFailure) return thrown.exitCode;
  const isFailure = !(thrown instanceof EngineError) || underWay.has(thrown.code);
  return isFailure ? exitCodes.failed : exitCodes.refused;
}
