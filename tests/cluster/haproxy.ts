/** A real HAProxy in front of a cluster's nodes, set up as docs/operating/cluster.md shows. */
import { freePort, pause } from "../connectors/waiting.ts";
import { blocksOf, root } from "../docs/pages.ts";

export const haproxyPath = "/usr/sbin/haproxy";

/** Where one node takes messages, and where its API is. */
export interface Member {
  readonly host: string;
  readonly inboundPort: number;
  readonly apiPort: number;
}

export class Haproxy implements AsyncDisposable {
  readonly port: number;
  readonly #dir: string;
  readonly #child: Deno.ChildProcess;

  static async start(
    members: readonly Member[],
    { isDetached = false }: { isDetached?: boolean } = {},
  ): Promise<Haproxy> {
    const port = await freePort();
    const dir = await Deno.makeTempDir({ prefix: "mefor_haproxy_" });
    await Deno.writeTextFile(`${dir}/haproxy.cfg`, await configuration(port, members));
    const child = new Deno.Command(haproxyPath, {
      args: ["-db", "-q", "-f", `${dir}/haproxy.cfg`],
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
      detached: isDetached,
    }).spawn();
    const proxy = new Haproxy({ port, dir, child });
    try {
      await proxy.#ready();
      return proxy;
    } catch (thrown) {
      await proxy[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  private constructor(
    { port, dir, child }: { port: number; dir: string; child: Deno.ChildProcess },
  ) {
    this.port = port;
    this.#dir = dir;
    this.#child = child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended already.
    }
    await this.#child.status;
    await Deno.remove(this.#dir, { recursive: true });
  }

  async #ready(): Promise<void> {
    for (let tries = 0; tries < 100; tries++) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port: this.port })).close();
        return;
      } catch {
        await pause(50);
      }
    }
    throw new Error("HAProxy does not listen within 5 seconds");
  }
}

/** The page's own block, with the addresses of these nodes; their APIs share one here. */
async function configuration(port: number, members: readonly Member[]): Promise<string> {
  const path = "docs/operating/cluster.md";
  const text = await Deno.readTextFile(root + path);
  const block = blocksOf({ path, text }).find((one) => one.text.includes("backend nodes"));
  if (block === undefined) throw new Error(`${path} shows no HAProxy`);
  const servers = members.map(({ host, inboundPort, apiPort }, index) =>
    `  server node${index + 1} ${host}:${inboundPort} addr 127.0.0.1 port ${apiPort}`
  );
  const lines = block.text.split("\n").filter((line) => !/^\s*server /.test(line));
  return `${lines.join("\n").replace("bind :2575", `bind 127.0.0.1:${port}`).trimEnd()}\n` +
    `${servers.join("\n")}\n`;
}
