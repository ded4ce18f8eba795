/**
 * A real PostgreSQL server as a child of the test: own folder, own port on loopback, durable commits.
 * It can be ended, also as by a crash of its machine, and started again on the rows it has.
 */
import type { ServerOptions } from "../../src/store/server/dialect.ts";
import { Connection } from "../../src/store/postgres/connection.ts";
import { freePort, pause } from "../connectors/waiting.ts";
import { debianBinDir } from "./binaries.ts";

const READY_MS = 20_000;
const STOP_MS = 10_000;

/** True when a server can be run; skipped aloud on a laptop, failed when CI=true. */
export function hasPostgres(): boolean {
  if (debianBinDir() !== undefined) return true;
  const message = "No PostgreSQL server: install Debian's package postgresql";
  if (Deno.env.get("CI") === "true") throw new Error(`${message}, and CI=true`);
  console.warn(`SKIPPED: ${message}`);
  return false;
}

export interface PostgresServerOptions {
  /** Parent of its folder; the system's place for such without it. */
  readonly directory?: string;
  /** TLS with these; without it the server has none. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Addresses of this machine's, beside loopback, at which whoever is next to it may reach it. */
  readonly addresses?: readonly string[];
  /** Settings of the server's own, `name=value`. */
  readonly settings?: readonly string[];
  /** Ctrl-C in a terminal is for whoever started it, who ends it in turn. */
  readonly isDetached?: boolean;
  /** Of its programs; Debian's when left out. */
  readonly binDir?: string;
}

export class PostgresServer implements AsyncDisposable {
  readonly port: number;
  /** Its folder; the rows are below `data`. */
  readonly dir: string;
  readonly #settings: readonly string[];
  readonly #addresses: readonly string[];
  readonly #isDetached: boolean;
  readonly #binDir: string;
  #child: Deno.ChildProcess | undefined;
  #schemas = 0;

  static async start(options: PostgresServerOptions = {}): Promise<PostgresServer> {
    const { directory, tls, addresses = [] } = options;
    const dir = await Deno.makeTempDir({ dir: directory, prefix: "mefor_postgres_" });
    const server = new PostgresServer(dir, await freePort(), options);
    try {
      await Deno.chmod(dir, 0o755);
      if (isRoot()) Deno.chownSync(dir, nobody, nogroup);
      await run(["cp", "-a", `${await emptyCluster(server.#binDir)}/data`, `${dir}/data`]);
      if (addresses.length > 0) {
        const rule = "host all all samenet trust\n";
        await Deno.writeTextFile(`${dir}/data/pg_hba.conf`, rule, { append: true });
      }
      for (const [name, text] of Object.entries(tls ?? {})) {
        await Deno.writeTextFile(`${dir}/${name}.pem`, text, { mode: 0o600 });
        if (isRoot()) Deno.chownSync(`${dir}/${name}.pem`, nobody, nogroup);
      }
      await server.up();
      return server;
    } catch (thrown) {
      await server[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  private constructor(
    dir: string,
    port: number,
    { tls, settings = [], addresses = [], isDetached = false, binDir }: PostgresServerOptions,
  ) {
    this.dir = dir;
    this.port = port;
    this.#addresses = ["127.0.0.1", ...addresses];
    this.#isDetached = isDetached;
    this.#binDir = binDir ?? debianBinDir() ?? "";
    const ofTls = tls === undefined
      ? []
      : ["ssl=on", `ssl_cert_file=${dir}/cert.pem`, `ssl_key_file=${dir}/key.pem`];
    this.#settings = [...ofTls, ...settings];
  }

  /** How to reach it, with a schema nobody used before. */
  options(parts: Partial<ServerOptions> = {}): ServerOptions {
    return {
      host: "127.0.0.1",
      port: this.port,
      database: "postgres",
      user: "postgres",
      password: undefined,
      encrypt: false,
      trustServerCertificate: false,
      caText: undefined,
      schema: `store_${this.#schemas += 1}`,
      applicationName: "messagefoundry",
      connectTimeoutMs: 5_000,
      commandTimeoutMs: 10_000,
      ...parts,
    };
  }

  /** Starts the server on the data it has. */
  async up(): Promise<void> {
    this.#child = this.#spawn();
    const deadline = performance.now() + READY_MS;
    while (performance.now() < deadline) {
      try {
        await this.ask({ schema: undefined }, (connection) => connection.ask("SELECT 1"));
        return;
      } catch {
        // Backends of a killed server hold its memory for a moment, and the next one gives up.
        const ended = await Promise.race([this.#child.status, pause(50)]);
        if (ended !== undefined) this.#child = this.#spawn();
      }
    }
    throw new Error(`PostgreSQL does not answer on port ${this.port}`);
  }

  /**
   * `SIGINT` ends sessions and stops; `SIGKILL` is a crash of the machine, which leaves none of its
   * processes. Resolves when it has ended.
   */
  async down(signal: "SIGINT" | "SIGKILL"): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    const insist = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    const backends = signal === "SIGKILL" ? await childrenOf(child.pid) : [];
    for (const end of [() => child.kill(signal), ...backends]) {
      try {
        end();
      } catch {
        // It has ended already.
      }
    }
    await child.status;
    clearTimeout(insist);
  }

  /** Runs statements of the test's own. */
  async ask<R>(
    options: Pick<ServerOptions, "schema">,
    act: (connection: Connection) => Promise<R>,
  ): Promise<R> {
    const connection = await Connection.open({ ...this.options(), ...options });
    try {
      return await act(connection);
    } finally {
      await connection.close();
    }
  }

  async drop(schema: string): Promise<void> {
    await this.ask({ schema: undefined }, (it) => it.ask(`DROP SCHEMA "${schema}" CASCADE`));
  }

  /** Ends it at once, where nobody can wait for a promise: at the end of a file of tests. */
  kill(): void {
    this.#child?.kill("SIGQUIT");
    for (let tries = 1;; tries += 1) {
      try {
        return Deno.removeSync(this.dir, { recursive: true });
      } catch (thrown) {
        // Its processes write until they are gone.
        if (tries === 100) throw thrown;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down("SIGINT");
    await Deno.remove(this.dir, { recursive: true });
  }

  #spawn(): Deno.ChildProcess {
    const [program, ...args] = asNobody([
      ...[`${this.#binDir}/postgres`, "-D", `${this.dir}/data`, "-p", String(this.port), "-k", ""],
      ...["-c", `listen_addresses=${this.#addresses.join(",")}`, "-c", "shared_buffers=64MB"],
      ...["-c", "logging_collector=on", "-c", `log_directory=${this.dir}/data`],
      ...this.#settings.flatMap((setting) => ["-c", setting]),
    ]);
    return new Deno.Command(program!, {
      args,
      cwd: "/",
      stdin: "null",
      stdout: "null",
      stderr: "null",
      detached: this.#isDetached,
    }).spawn();
  }
}

/** What ends each process that a server has started for its sessions and chores. */
async function childrenOf(pid: number): Promise<readonly (() => void)[]> {
  const { stdout } = await new Deno.Command("pgrep", { args: ["-P", String(pid)] }).output();
  const pids = new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
  return pids.map((one) => () => Deno.kill(Number(one), "SIGKILL"));
}

/** Making a data folder takes a second, copying one next to nothing. */
let made: Promise<string> | undefined;

function emptyCluster(binDir: string): Promise<string> {
  return made ??= (async () => {
    const dir = await Deno.makeTempDir({ prefix: "mefor_initdb_" });
    globalThis.addEventListener("unload", () => Deno.removeSync(dir, { recursive: true }));
    await Deno.chmod(dir, 0o755);
    if (isRoot()) Deno.chownSync(dir, nobody, nogroup);
    await run([
      ...[`${binDir}/initdb`, "-D", `${dir}/data`, "-U", "postgres", "-A", "trust"],
      ...["-E", "UTF8", "--locale=C.UTF-8", "--no-sync"],
    ]);
    return dir;
  })();
}

const [nobody, nogroup] = [65534, 65534];

/** The server refuses to run as root. */
function isRoot(): boolean {
  return Deno.uid() === 0;
}

function asNobody(command: readonly string[]): readonly string[] {
  if (!isRoot()) return command;
  return [
    ...["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"],
    ...["env", "-i", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", ...command],
  ];
}

async function run(command: readonly string[]): Promise<void> {
  const [program, ...args] = asNobody(command);
  const { success, stderr } = await new Deno.Command(program!, {
    args,
    cwd: "/",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`${command[0]} failed: ${new TextDecoder().decode(stderr)}`);
}
