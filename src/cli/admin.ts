/**
 * `messagefoundry admin`: accounts from the console of the machine, for an installation that nobody
 * can sign in to; the engine may run or not.
 *
 * Exit codes: 0 done, 1 the act was refused and nothing changed, 2 cannot begin.
 */
import { EngineError, errorText } from "../errors.ts";
import type { Settings } from "../settings/mod.ts";
import type { CliCommand } from "./command.ts";
import type { CliContext } from "./context.ts";
import { CommandFailure, exitCodes, tellError } from "./failure.ts";
import { addAct, addServiceOptions, type ServiceOptions } from "./options.ts";
import { requireVariables } from "./variables.ts";

export interface AdminOptions extends ServiceOptions {
  readonly db?: string;
  readonly role?: readonly string[];
  readonly json?: boolean;
}

const ACTS = ["list", "create", "unlock", "enable", "reset-password", "clear-mfa"] as const;
export type AdminAct = typeof ACTS[number];

export function declareAdmin(program: CliCommand, context: CliContext): void {
  const command = program.command("admin")
    .description("Let people in again from the console of the machine: accounts, locks, factors");
  addAct(command, ACTS).argument("[user]", "whose account; every act but list needs one");
  addServiceOptions(command)
    .option("--db <file>", "SQLite store, instead of [store] path")
    .option(
      "--role <id>",
      "create: a role; give it again for another (default: administrator)",
      (id: string, ids: readonly string[] = []) => [...ids, id],
    )
    .option("--json", "one line of JSON");
  command.runs((options: AdminOptions, [act = "", user = ""]) =>
    administer(options, { act, user, context })
  );
}

async function administer(
  options: AdminOptions,
  { act, user, context }: {
    readonly act: string;
    readonly user: string;
    readonly context: CliContext;
  },
): Promise<number> {
  const { terminal, isDebug } = context;
  try {
    const known = requireAct(act, user);
    const { findAnchor } = await import("./anchor.ts");
    const anchor = await findAnchor({
      options: { ...options, config: "." },
      env: requireVariables(context.env),
      flags: { "store.path": options.db },
    });
    const { passStoreGates } = await import("./serve/gates.ts");
    passStoreGates(anchor.loaded.settings);
    const { runBesideServer } = await import("./beside_server.ts");
    const code = await runBesideServer(anchor, context, options);
    if (code !== undefined) return code;
    const { acts } = await import("./admin_acts.ts");
    await using place = await openPlace(anchor.loaded.settings);
    const { shown, lines } = await acts[known]({ ...place, user, roles: options.role });
    if (options.json) terminal.out(JSON.stringify(shown));
    else for (const line of lines) terminal.out(line);
    return exitCodes.ok;
  } catch (thrown) {
    if (options.json) terminal.out(JSON.stringify({ error: errorText(thrown) }));
    else tellError(terminal, thrown, isDebug);
    if (thrown instanceof CommandFailure) return thrown.exitCode;
    const isRefusal = thrown instanceof EngineError && /^auth\./.test(thrown.code);
    return isRefusal ? exitCodes.failed : exitCodes.refused;
  }
}

function requireAct(act: string, user: string): AdminAct {
  const known = ACTS.find((name) => name === act);
  if (known === undefined) {
    throw new CommandFailure(`No act "${act}" on accounts`, {
      exitCode: exitCodes.refused,
      hint: `There are: ${ACTS.join(", ")}`,
    });
  }
  if (known !== "list" && user === "") {
    throw new CommandFailure(`Whose account? Name it: admin ${known} <user>`, {
      exitCode: exitCodes.refused,
      hint: '"messagefoundry admin list" shows the names',
    });
  }
  return known;
}

/** Opens the accounts where the engine has its store. */
async function openPlace(settings: Settings) {
  const { atConsole, consoleOf } = await import("../operations/mod.ts");
  const { createLogger } = await import("../logging/mod.ts");
  const { systemClock } = await import("../clock.ts");
  const { consoleUser } = await import("./console_user.ts");
  const store = await openRegisters(settings);
  const console = consoleOf({
    settings: settings.auth,
    store,
    clock: systemClock,
    logger: createLogger({ level: "critical", sinks: [] }),
  });
  return {
    console,
    actor: atConsole(consoleUser(store.path)),
    [Symbol.asyncDispose]: async () => {
      if (Symbol.asyncDispose in store) await store[Symbol.asyncDispose]();
      else store[Symbol.dispose]();
    },
  };
}

async function openRegisters({ store }: Settings) {
  const { readKeys } = await import("../crypto/keys.ts");
  const keys = readKeys({
    active: store.encryptionKey?.reveal(),
    retired: store.encryptionKeysRetired?.reveal(),
  });
  if (store.backend === "sqlite") {
    const { RegistersBeside } = await import("../store/sqlite/registers/beside.ts");
    return RegistersBeside.open({ path: store.path, keys });
  }
  const { ServerRegistersBeside } = await import("../store/postgres/registers/beside.ts");
  const { serverOptionsOf } = await import("../store/open.ts");
  return await ServerRegistersBeside.open({ server: await serverOptionsOf(store), keys });
}
