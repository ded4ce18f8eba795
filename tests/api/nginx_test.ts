// Goal: behind a proxy that ends TLS the API is one site: name, origin, HSTS, bodies and WebSockets
// come through. nginx is Debian's, started as a child on a port of its own.
import assert from "node:assert/strict";
import { startApi } from "../../src/api/mod.ts";
import type { Authority, Identity } from "../connectors/certificates.ts";
import { hasTool } from "../connectors/foreign_tool.ts";
import { blocksOf, readPages } from "../docs/pages.ts";
import { freePort, within } from "../connectors/waiting.ts";
import { Walk } from "../walk/bench.ts";
import { clientOf, fetchOnce, tlsLines, tlsOf, tlsTest } from "./https_bench.ts";
import { servePlain } from "../../src/api/serving/plain.ts";

interface NginxOptions {
  readonly dir: string;
  readonly identity: Identity;
  /** `http://127.0.0.1:PORT`, or https with what nginx needs for it. */
  readonly upstream: string;
  readonly lines?: string;
}

/** What docs/operating/tls.md shows, with paths and ports of its own and a frame around it. */
async function config(
  { dir, identity, upstream, lines = "" }: NginxOptions,
  port: number,
): Promise<string> {
  const block = (await readPages()).flatMap(blocksOf).find(({ page, file }) =>
    page === "docs/operating/tls.md" && file === "nginx.conf"
  );
  assert.ok(block, "the page shows a configuration");
  const replace = (text: string, [from, to]: readonly [string, string]) => {
    assert.ok(text.includes(from), from);
    return text.replace(from, to);
  };
  const shown = ([
    ["443", `127.0.0.1:${port}`],
    ["/etc/nginx/engine.pem", identity.cert],
    ["/etc/nginx/engine.key", identity.key],
    ["proxy_pass http://127.0.0.1:8765;", `proxy_pass ${upstream}; ${lines}`],
  ] as const).reduce(replace, block.text);
  return `
    daemon off; master_process off; worker_processes 1; pid ${dir}/pid; error_log ${dir}/err.log;
    events { worker_connections 128; }
    http {
      access_log off;
      client_body_temp_path ${dir}/b; proxy_temp_path ${dir}/p; fastcgi_temp_path ${dir}/f;
      uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s;
      ${shown}
    }`;
}

class Nginx implements AsyncDisposable {
  readonly port: number;
  readonly #child: Deno.ChildProcess;

  private constructor(port: number, child: Deno.ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  static async start(options: NginxOptions, ca: Authority): Promise<Nginx> {
    const port = await freePort();
    const file = `${options.dir}/nginx.conf`;
    await Deno.writeTextFile(file, await config(options, port));
    const child = new Deno.Command("nginx", {
      args: ["-e", `${options.dir}/err.log`, "-c", file],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const nginx = new Nginx(port, child);
    try {
      await within(nginx.#ready(ca), "nginx to answer", 10_000);
      return nginx;
    } catch (thrown) {
      const log = await Deno.readTextFile(`${options.dir}/err.log`).catch(() => "no log");
      await nginx[Symbol.asyncDispose]();
      throw new Error(`nginx did not start:\n${log}`, { cause: thrown });
    }
  }

  async #ready(ca: Authority): Promise<void> {
    for (;;) {
      try {
        await fetchOnce(`https://localhost:${this.port}/`, { ca });
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended by itself.
    }
    await this.#child.status;
  }
}

async function hasNginx(): Promise<boolean> {
  return await hasTool("nginx", ["-v"]);
}

async function openWalk(lines: string): Promise<Walk> {
  const graph = `
    import { inbound, mllp, router } from "messagefoundry";
    inbound("IB_ADT", mllp({ port: ${await freePort()} }), { router: router("route", () => null) });
  `;
  return await Walk.open({ graph, settings: `[api]\n${lines}` });
}

const HSTS = "max-age=31536000; includeSubDomains";

tlsTest("behind nginx the API is one site over TLS", async ({ dir, ca, server }) => {
  if (!await hasNginx() || !await hasTool("curl", ["--version"])) return;
  const lines = 'tls_terminated_upstream = true\ntrusted_proxies = ["127.0.0.1"]\n';
  await using walk = await openWalk(`${lines}[auth]\n`);
  await using api = await startApi(walk.engine, { host: "127.0.0.1", port: 0 });
  const upstream = `http://127.0.0.1:${api.port}`;
  await using nginx = await Nginx.start({ dir, identity: server, upstream }, ca);
  const url = `https://localhost:${nginx.port}`;
  const health = await fetchOnce(`${url}/health`, { ca });
  assert.deepEqual([health.status, health.headers.get("strict-transport-security")], [200, HSTS]);
  const replay = (origin: string) =>
    fetchOnce(`${url}/dead-letters/replay`, {
      ca,
      method: "POST",
      body: "{}",
      headers: { "content-type": "application/json", origin },
    });
  assert.equal((await replay(url)).status, 401, "past the guards, and asked for a token");
  assert.equal((await replay("https://evil.example")).status, 403);
  assert.equal((await replay("http://localhost:3000")).status, 403);
  // Another name of the same proxy, as the network knows it.
  const named = await within(
    new Deno.Command("curl", {
      // deno-fmt-ignore
      args: ["-sS", "--noproxy", "*", "-m", "10", "-k", "-i", "-H", "Host: engine.example.org",
        `${url}/health`],
    }).output(),
    "curl to end",
  );
  assert.match(new TextDecoder().decode(named.stdout), /^HTTP\/1\.1 200 [^]*strict-transport/i);
});

tlsTest("a proxy is believed by its address: not trusted, its word counts for nothing", async (
  { dir, ca, server },
) => {
  if (!await hasNginx()) return;
  for (const [trusted, wanted] of [["127.0.0.1", HSTS], ["10.0.0.1", null]] as const) {
    await using walk = await openWalk(`trusted_proxies = ["${trusted}"]\n`);
    await using api = await startApi(walk.engine, { host: "127.0.0.1", port: 0 });
    const upstream = `http://127.0.0.1:${api.port}`;
    await using nginx = await Nginx.start({ dir, identity: server, upstream }, ca);
    const { status, headers } = await fetchOnce(`https://localhost:${nginx.port}/health`, { ca });
    assert.deepEqual([status, headers.get("strict-transport-security")], [200, wanted]);
    const direct = await fetch(`${upstream}/health`, { headers: { "x-forwarded-proto": "http" } });
    await direct.body?.cancel();
    assert.equal(direct.headers.get("strict-transport-security"), null);
  }
});

tlsTest("nginx hands WebSockets through", async ({ dir, ca, server }) => {
  if (!await hasNginx()) return;
  await using listening = servePlain(async (request, { upgrade }) => {
    if (request.headers.get("upgrade") === null) return new Response("up");
    return upgrade((socket) => socket.send("hello"));
  }, { hostname: "127.0.0.1", port: 0 });
  const upstream = `http://127.0.0.1:${listening.port}`;
  await using nginx = await Nginx.start({ dir, identity: server, upstream }, ca);
  using client = clientOf({ ca });
  const socket = new WebSocket(`wss://localhost:${nginx.port}/`, { client });
  const text = await within(
    new Promise((resolve, reject) => {
      socket.addEventListener("message", ({ data }) => resolve(data));
      socket.addEventListener("error", () => reject(new Error("refused")));
    }),
    "a text",
  );
  assert.equal(text, "hello");
  const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
  socket.close();
  await closed;
});

tlsTest("nginx speaks TLS to the API too, with a client certificate of its own", async (
  { dir, ca, server, client },
) => {
  if (!await hasNginx()) return;
  const lines = `${tlsLines(server)}tls_client_ca_file = "${ca.file}"\n`;
  await using walk = await openWalk(lines);
  await using api = await startApi(walk.engine, { host: "127.0.0.1", port: 0, tls: tlsOf(lines) });
  const upstream = `https://127.0.0.1:${api.port}`;
  const verified =
    `proxy_ssl_verify on; proxy_ssl_name localhost; proxy_ssl_server_name on; proxy_ssl_trusted_certificate ${ca.file};
    proxy_ssl_certificate ${client.cert}; proxy_ssl_certificate_key ${client.key};`;
  {
    const options = { dir, identity: server, upstream, lines: verified };
    await using nginx = await Nginx.start(options, ca);
    assert.equal((await fetchOnce(`https://localhost:${nginx.port}/health`, { ca })).status, 200);
  }
  await using nginx = await Nginx.start({ dir, identity: server, upstream }, ca);
  assert.equal((await fetchOnce(`https://localhost:${nginx.port}/health`, { ca })).status, 502);
});
