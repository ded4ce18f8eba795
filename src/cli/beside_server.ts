/**
 * Lets a command work on a store that is on a server: the command line itself has no network, so the
 * command runs again as a child that may reach that one server, as the engine may.
 *
 * The child gets the permissions the settings ask for and no others: the server's host and port, the
 * files it has to read, and to ask the operating system who it is. It may start nothing, so it starts
 * no child of its own.
 */
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Anchor } from "./anchor.ts";
import type { CliContext } from "./context.ts";
import { CommandFailure, exitCodes } from "./failure.ts";

/**
 * Runs the command in a child and returns its exit code; undefined when this process can do it itself:
 * the store is a file, or the server may be reached from here.
 *
 * @throws {CommandFailure} exit code 2: neither may this process reach the server nor start a child.
 */
export async function runBesideServer(
  anchor: Anchor,
  context: CliContext,
  { db }: { readonly db?: string | undefined } = {},
): Promise<number | undefined> {
  const { settings } = anchor.loaded;
  const { backend } = settings.store;
  if (backend === "sqlite") return undefined;
  if (backend !== "postgres") {
    throw new CommandFailure(
      `Cannot work on a store of [store] backend "${backend}" from the console: this version does ` +
        'that for "sqlite" and "postgres"',
      { exitCode: exitCodes.refused, hint: "Ask the API of an engine that runs" },
    );
  }
  if (db !== undefined) {
    throw new CommandFailure(
      `Cannot take --db: [store] backend is "${backend}", which has no file`,
      {
        exitCode: exitCodes.refused,
        hint: "Leave --db out, or name settings whose backend is sqlite with --service-config",
      },
    );
  }
  const { databaseGrants } = await import("./serve/permission_set.ts");
  const grants = databaseGrants({ settings });
  if (grants.every(({ value }) => isGranted({ name: "net", host: value }))) return undefined;
  const program = Deno.execPath();
  if (!isGranted({ name: "run", command: program })) {
    const missing = grants.map(({ value }) => `--allow-net=${value}`).join(" ");
    throw new CommandFailure("Cannot reach the store's server: this process may not", {
      exitCode: exitCodes.refused,
      hint: `Start the runtime with ${missing}`,
    });
  }
  const child = new Deno.Command(program, {
    args: [
      ...["run", "--quiet", ...await besideServerFlags(anchor)],
      ...[fileURLToPath(Deno.mainModule), ...context.args],
    ],
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  const { code, signal } = await child.status;
  return signal === null ? code : exitCodes.failed;
}

/** What such a child runs under. */
export async function besideServerFlags(anchor: Anchor): Promise<readonly string[]> {
  const { databaseGrants, deniedPlaces, flagsOf } = await import("./serve/permission_set.ts");
  const read = (await filesOf(anchor)).map((value) =>
    ({ kind: "read", action: "allow", value, reason: "" }) as const
  );
  const env = { kind: "env", action: "allow", value: "MEFOR_*", reason: "" } as const;
  const grants = [...databaseGrants(anchor.loaded), ...deniedPlaces(), ...read, env];
  return [...flagsOf(grants), "--allow-sys=uid"];
}

/** The program, for its threads; the settings; who vouches for the server; names of users. */
async function filesOf({ loaded: { settings }, serviceFile }: Anchor): Promise<readonly string[]> {
  const { programDir } = await import("./serve/instance.ts");
  const { realPathOf } = await import("./paths.ts");
  const { encrypt, tlsCaFile } = settings.store;
  const authority = encrypt && tlsCaFile !== undefined ? resolve(tlsCaFile) : undefined;
  const files = [programDir(), serviceFile, authority, "/etc/passwd"];
  const there = files.filter((file) => file !== undefined);
  return [...new Set(there.flatMap((file) => [file, realPathOf(file)]))];
}

function isGranted(descriptor: Deno.PermissionDescriptor): boolean {
  return Deno.permissions.querySync(descriptor).state === "granted";
}
