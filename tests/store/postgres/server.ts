/** A real PostgreSQL server as a child of the test, on loopback, with its own folder. */
import type { ServerOptions } from "../../../src/store/server/dialect.ts";
import { Connection } from "../../../src/store/postgres/connection.ts";
import { freePort, pause } from "../../connectors/waiting.ts";

const READY_TRIES = 200;
const STOP_MS = 10_000;

/** Debian's place of the newest installed server; undefined without one. */
function binDir(): string | undefined {
  const root = "/usr/lib/postgresql";
  try {
    const versions = [...Deno.readDirSync(root)].map(({ name }) => name);
    const newest = versions.toSorted((a, b) => Number(b) - Number(a))[0];
    return newest === undefined ? undefined : `${root}/${newest}/bin`;
  } catch {
    return undefined;
  }
}

/** True when a server can be run; skipped aloud on a laptop, failed when CI=true. */
export function hasPostgres(): boolean {
  if (binDir() !== undefined) return true;
  const message = "No PostgreSQL server: install Debian's package postgresql";
  if (Deno.env.get("CI") === "true") throw new Error(`${message}, and CI=true`);
  console.warn(`SKIPPED: ${message}`);
  return false;
}

export interface ServerFiles {
  /** Parent of its folder; the system's place for such without it. */
  readonly directory?: string;
  /** TLS with these; without it the server has none. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

export class PostgresServer implements AsyncDisposable {
  readonly port: number;
  readonly #dir: string;
  readonly #tls: boolean;
  #child: Deno.ChildProcess | undefined;
  #schemas = 0;

  static async start({ directory, tls }: ServerFiles = {}): Promise<PostgresServer> {
    const dir = await Deno.makeTempDir({ dir: directory, prefix: "mefor_postgres_" });
    const server = new PostgresServer(dir, { port: await freePort(), tls: tls !== undefined });
    try {
      await Deno.chmod(dir, 0o755);
      if (isRoot()) Deno.chownSync(dir, nobody, nogroup);
      await run("initdb", [
        ...["-D", `${dir}/data`, "-U", "postgres", "-A", "trust", "-E", "UTF8"],
        ...["--locale=C.UTF-8", "--no-sync"],
      ]);
      if (tls !== undefined) {
        for (const [name, text] of Object.entries(tls)) {
          await Deno.writeTextFile(`${dir}/${name}.pem`, text, { mode: 0o600 });
          if (isRoot()) Deno.chownSync(`${dir}/${name}.pem`, nobody, nogroup);
        }
      }
      await server.up();
      return server;
    } catch (thrown) {
      await server[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  private constructor(dir: string, { port, tls }: { port: number; tls: boolean }) {
    this.#dir = dir;
    this.port = port;
    this.#tls = tls;
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
    const files = this.#tls
      ? [
        ...["-c", "ssl=on", "-c", `ssl_cert_file=${this.#dir}/cert.pem`],
        ...["-c", `ssl_key_file=${this.#dir}/key.pem`],
      ]
      : [];
    const { command, args } = asNobody("postgres", [
      ...["-D", `${this.#dir}/data`, "-p", String(this.port), "-k", ""],
      ...["-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=64MB"],
      ...["-c", "logging_collector=on", "-c", `log_directory=${this.#dir}/data`],
      ...files,
    ]);
    this.#child = new Deno.Command(command, {
      args,
      cwd: "/",
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await this.#ready();
  }

  /** `SIGINT` ends sessions and stops; `SIGKILL` is a crash. Resolves when it has ended. */
  async down(signal: "SIGINT" | "SIGKILL"): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined) return;
    const insist = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
    child.kill(signal);
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

  /** Ends it at once, where nobody can wait: at the end of a file of tests. */
  kill(): void {
    this.#child?.kill("SIGINT");
    Deno.removeSync(this.#dir, { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.down("SIGINT");
    await Deno.remove(this.#dir, { recursive: true });
  }

  async #ready(): Promise<void> {
    for (let tries = 0; tries < READY_TRIES; tries += 1) {
      try {
        await this.ask({ schema: undefined }, (connection) => connection.ask("SELECT 1"));
        return;
      } catch {
        await pause(50);
      }
    }
    throw new Error(`PostgreSQL does not answer on port ${this.port}`);
  }
}

const [nobody, nogroup] = [65534, 65534];

/** The server refuses to run as root. */
function isRoot(): boolean {
  return Deno.uid() === 0;
}

function asNobody(program: string, args: readonly string[]) {
  const path = `${binDir()}/${program}`;
  if (!isRoot()) return { command: path, args: [...args] };
  const drop = ["--reuid=nobody", "--regid=nogroup", "--clear-groups"];
  const clean = ["env", "-i", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"];
  return { command: "setpriv", args: [...drop, ...clean, path, ...args] };
}

async function run(program: string, args: readonly string[]): Promise<void> {
  const { command, args: all } = asNobody(program, args);
  const { success, stderr } = await new Deno.Command(command, {
    args: all,
    cwd: "/",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`${program} failed: ${new TextDecoder().decode(stderr)}`);
}
