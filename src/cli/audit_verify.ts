/**
 * `messagefoundry audit-verify`: walks the audit log's chain, beside a running engine or without one.
 *
 * Exit codes: 0 whole, 1 broken, 2 cannot be read. Source: spec api §5.
 */
import type { AuditVerdict } from "../audit/mod.ts";
import type { CellKeys } from "../crypto/keys.ts";
import { errorText } from "../errors.ts";
import type { ServerBackend } from "../store/open.ts";
import type { Settings } from "../settings/mod.ts";
import type { Anchor } from "./anchor.ts";
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { exitCodes, tellError } from "./failure.ts";
import { addServiceOptions, type ServiceOptions } from "./options.ts";
import { requireVariables } from "./variables.ts";

interface AuditVerifyOptions extends ServiceOptions {
  readonly db?: string;
  readonly json?: boolean;
}

export function declareAuditVerify(program: CliCommand, context: CliContext): void {
  const command = program.command("audit-verify")
    .description("Check that no row of the audit log was changed, removed or added in between");
  addServiceOptions(command)
    .option("--db <file>", "SQLite store, instead of [store] path")
    .option("--json", "one line of JSON: ok, rows, head or the first bad row and why");
  command.runs(async (options: AuditVerifyOptions) => {
    const { terminal, isDebug } = context;
    try {
      const anchor = await findAnchorOf(options, context);
      const { runBesideServer } = await import("./beside_server.ts");
      const code = await runBesideServer(anchor, context, options);
      if (code !== undefined) return code;
      const verdict = await verify(anchor.loaded.settings);
      if (options.json) terminal.out(JSON.stringify(verdict));
      else tell(verdict, context);
      return verdict.ok ? exitCodes.ok : exitCodes.failed;
    } catch (thrown) {
      if (options.json) terminal.out(JSON.stringify({ error: errorText(thrown) }));
      else tellError(terminal, thrown, isDebug);
      return exitCodes.refused;
    }
  });
}

async function findAnchorOf(options: AuditVerifyOptions, { env }: CliContext): Promise<Anchor> {
  const { findAnchor } = await import("./anchor.ts");
  const { passStoreGates } = await import("./serve/gates.ts");
  const anchor = await findAnchor({
    options: { ...options, config: "." },
    env: requireVariables(env),
    flags: { "store.path": options.db },
  });
  if (anchor.loaded.settings.store.backend !== "sqlite") passStoreGates(anchor.loaded.settings);
  return anchor;
}

async function verify(settings: Settings): Promise<AuditVerdict> {
  const { openAuditRows, verifyAudit, verifyServerAudit } = await import("../audit/mod.ts");
  const { readKeys } = await import("../crypto/keys.ts");
  const { store } = settings;
  const keys = readKeys({
    active: store.encryptionKey?.reveal(),
    retired: store.encryptionKeysRetired?.reveal(),
  });
  if (store.backend === "sqlite") {
    using log = openAuditRows(store.path, keys);
    return verifyAudit(log.rows(), log.key);
  }
  await using log = await openServerLog(settings, store.backend, keys);
  return await verifyServerAudit(log.rows(), log.key);
}

async function openServerLog(
  settings: Settings,
  backend: ServerBackend,
  keys: CellKeys | undefined,
) {
  const { dialectOf, serverOptionsOf } = await import("../store/open.ts");
  const { openServerAuditRows } = await import("../store/server/audit_rows.ts");
  return await openServerAuditRows(
    await dialectOf(backend),
    await serverOptionsOf(settings.store),
    keys,
  );
}

function tell(verdict: AuditVerdict, { terminal }: CliContext): void {
  if (!verdict.ok) {
    terminal.out(`FAIL: row ${verdict.row}: ${verdict.reason}`);
    return;
  }
  if (verdict.rows === 0) terminal.err("warning: the audit log is empty");
  terminal.out(`OK: ${verdict.rows} rows, newest hash ${verdict.head || "none"}`);
}
