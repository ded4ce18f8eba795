/**
 * A real PostgreSQL as a child of the test: own folder, own port on loopback, durable commits. It
 * can be killed, frozen and started again, which the rows must survive.
 */
import { freePort, pause } from "../connectors/waiting.ts";
import { runTool } from "../connectors/foreign_tool.ts";

/** Looked for where Debian puts it, newest first. In CI a missing one fails. */
export async function hasPostgres(): Promise<boolean> {
  if (await findBinaries() !== undefined) return true;
  const message = "/usr/lib/postgresql/*/bin/postgres is not there";
  if (Deno.env.get("CI") === "true") throw new Error(`${message}, and CI=true`);
  console.log(`skipped: ${message}`);
  return false;
}

async function findBinaries(): Promise<string | undefined> {
  const versions: number[] = [];
  try {
    for await (const { name } of Deno.readDir("/usr/lib/postgresql")) versions.push(Number(name));
  } catch (thrown) {
    if (!(thrown instanceof Deno.errors.NotFound)) throw thrown;
  }
  for (const version of versions.sort((a, b) => b - a)) {
    const dir = `/usr/lib/postgresql/${version}/bin`;
    try {
      await Deno.stat(`${dir}/postgres`);
      return dir;
    } catch {
      // That version has only clients.
    }
  }
}

export interface PostgresServerOptions {
  /** `-c` settings, `name=value`. */
  readonly settings?: readonly string[];
}

export class PostgresServer implements AsyncDisposable {
  readonly port: number;
  readonly #dir: string;
  readonly #binaries: string;
  readonly #settings: readonly string[];
  #child: Deno.ChildProcess;

  static async start({ settings = [] }: PostgresServerOptions = {}): Promise<PostgresServer> {
    const binaries = await findBinaries();
    if (binaries === undefined) throw new Error("No PostgreSQL server is installed");
    const dir = await Deno.makeTempDir({ prefix: "mefor_postgres_" });
    await Deno.chmod(dir, 0o755);
    await Deno.mkdir(`${dir}/data`);
    if (Deno.uid() === 0) await runTool("chown", ["nobody:nogroup", `${dir}/data`]);
    const [program, ...args] = asNobody([
      `${binaries}/initdb`,
      ...["-D", `${dir}/data`, "-U", "postgres", "-A", "trust", "-E", "UTF8"],
      ...["--locale=C.UTF-8", "--no-sync"],
    ]);
    await runTool(program!, args, { ms: 60_000, cwd: dir });
    const port = await freePort();
    const server = new PostgresServer({ dir, binaries, port, settings });
    await server.#ready();
    return server;
  }

  private constructor(
    { dir, binaries, port, settings }: {
      dir: string;
      binaries: string;
      port: number;
      settings: readonly string[];
    },
  ) {
    this.#dir = dir;
    this.#binaries = binaries;
    this.port = port;
    this.#settings = settings;
    this.#child = this.#spawn();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Ends it as a crash of the machine's would: nothing is told to clients. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Ends it as an administrator does who does not wait for clients. */
  async stop(): Promise<void> {
    await this.#end("SIGINT");
  }

  /** Starts it again after its end. */
  async restart(): Promise<void> {
    this.#child = this.#spawn();
    await this.#ready();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await Deno.remove(this.#dir, { recursive: true });
  }

  #spawn(): Deno.ChildProcess {
    const [program, ...args] = asNobody([
      `${this.#binaries}/postgres`,
      ...["-D", `${this.#dir}/data`, "-p", String(this.port), "-k", ""],
      ...["-c", "listen_addresses=127.0.0.1", "-c", "shared_buffers=32MB"],
      ...this.#settings.flatMap((setting) => ["-c", setting]),
    ]);
    return new Deno.Command(program!, {
      args,
      cwd: this.#dir,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  async #end(signal: Deno.Signal): Promise<void> {
    const insist = setTimeout(() => this.#child.kill("SIGQUIT"), 10_000);
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended already.
    }
    await this.#child.status;
    clearTimeout(insist);
  }

  async #ready(): Promise<void> {
    const isReady = new Deno.Command(`${this.#binaries}/pg_isready`, {
      args: ["-q", "-h", "127.0.0.1", "-p", String(this.port)],
    });
    for (let tries = 0; tries < 200; tries++) {
      if ((await isReady.output()).success) return;
      // Backends of a killed server hold its memory for a moment, and the next one gives up.
      const ended = await Promise.race([this.#child.status, pause(50)]);
      if (ended !== undefined) this.#child = this.#spawn();
    }
    throw new Error("PostgreSQL does not become ready within 10 seconds");
  }
}

/** It refuses to run as root. */
function asNobody(command: readonly string[]): readonly string[] {
  if (Deno.uid() !== 0) return command;
  return [
    ...["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"],
    ...["env", "-i", "PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", ...command],
  ];
}
