/**
 * An HTTPS API with certificates that openssl made, and clients that nobody here wrote.
 *
 * The answers are the ones of `createApp()` unless a test gives its own; limits are short, so that a
 * test of one ends soon.
 */
import type { ApiTls } from "../../src/api/mod.ts";
import type { Answer } from "../../src/api/arrival.ts";
import { type HttpsLimits, httpsLimits, serveHttps } from "../../src/api/serving/https.ts";
import type { Listening } from "../../src/api/serving/listening.ts";
import { apiTls } from "../../src/cli/serve/api_tls.ts";
import { systemClock } from "../../src/clock.ts";
import { createLogger, renderRecord } from "../../src/logging/mod.ts";
import { loadSettings } from "../../src/settings/mod.ts";
import { Authority, type Identity } from "../connectors/certificates.ts";
import { hasTool } from "../connectors/foreign_tool.ts";
import { until, within } from "../connectors/waiting.ts";

export interface Certificates {
  readonly dir: string;
  readonly ca: Authority;
  readonly otherCa: Authority;
  readonly server: Identity;
  readonly renewed: Identity;
  readonly client: Identity;
  readonly stranger: Identity;
}

/** Runs `test` with certificates in a temporary directory, or skips it aloud without openssl. */
export function tlsTest(name: string, test: (given: Certificates) => Promise<void>): void {
  Deno.test(name, async () => {
    if (!await hasTool("openssl", ["version"])) return;
    const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "mefor_tls_" }));
    try {
      const ca = await Authority.create(dir);
      const otherCa = await Authority.create(dir, "other");
      await test({
        dir,
        ca,
        otherCa,
        server: await ca.issue("server"),
        renewed: await ca.issue("renewed"),
        client: await ca.issue("client"),
        stranger: await otherCa.issue("stranger"),
      });
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  });
}

export function pem({ cert, key }: Identity): { readonly cert: string; readonly key: string } {
  return { cert: Deno.readTextFileSync(cert), key: Deno.readTextFileSync(key) };
}

/** `[api]` lines for a certificate and its key. */
export function tlsLines({ cert, key }: Identity): string {
  return `tls_cert_file = "${cert}"\ntls_key_file = "${key}"\n`;
}

/** The TLS that these lines of `[api]` mean; `env` as the engine is given it. */
export function tlsOf(lines: string, env: Readonly<Record<string, string>> = {}): ApiTls {
  const file = { path: "messagefoundry.toml", text: `[api]\n${lines}` };
  return apiTls(loadSettings({ file, env }).settings.api)!;
}

export interface HttpsBenchOptions {
  readonly lines: string;
  readonly answer?: Answer;
  readonly limits?: Partial<HttpsLimits>;
  readonly hostname?: string;
}

export class HttpsBench implements AsyncDisposable {
  readonly listening: Listening;
  /** What it logged, one record a line. */
  readonly log: readonly string[];

  private constructor(listening: Listening, log: readonly string[]) {
    this.listening = listening;
    this.log = log;
  }

  static async open(
    { lines, answer = hello, limits = {}, hostname = "127.0.0.1" }: HttpsBenchOptions,
  ): Promise<HttpsBench> {
    const log: string[] = [];
    const listening = await serveHttps(answer, {
      hostname,
      port: 0,
      tls: tlsOf(lines),
      logger: createLogger({
        level: "info",
        sinks: [{ write: (record) => log.push(renderRecord(record, "text")) }],
      }),
      clock: systemClock,
      limits: { ...httpsLimits, ...limits },
      lookMs: 20,
    });
    return new HttpsBench(listening, log);
  }

  get port(): number {
    return this.listening.port;
  }

  get url(): string {
    return `https://localhost:${this.port}`;
  }

  /** Waits for a record and returns it. */
  async logged(pattern: RegExp, count = 1): Promise<string> {
    const found = () => this.log.filter((line) => pattern.test(line));
    await until(() => found().length >= count, `${count} of ${pattern} in\n${this.log.join("\n")}`);
    return found()[count - 1]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await within(Promise.resolve(this.listening[Symbol.asyncDispose]()), "the API to stop", 10_000);
  }
}

/** Answers with what it was asked. */
export const hello: Answer = async (request, { peer, isTls }) =>
  Response.json({
    url: request.url,
    method: request.method,
    peer,
    isTls,
    body: await request.text(),
  });

export interface ClientOptions {
  readonly ca: Authority;
  readonly identity?: Identity;
}

/** A client that trusts `ca` and shows `identity`; its connections are not shared with another. */
export function clientOf({ ca, identity }: ClientOptions): Deno.HttpClient {
  return Deno.createHttpClient({
    caCerts: [Deno.readTextFileSync(ca.file)],
    ...(identity === undefined ? {} : pem(identity)),
  });
}

/** Fetches once over a connection of its own. */
export async function fetchOnce(
  url: string,
  { ca, identity, ...init }: ClientOptions & RequestInit,
): Promise<{ status: number; headers: Headers; text: string }> {
  using client = clientOf({ ca, identity });
  const response = await fetch(url, { ...init, client, redirect: "manual" });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

export async function connect(port: number, ca: Authority): Promise<Deno.TlsConn> {
  const connection = await Deno.connectTls({
    hostname: "localhost",
    port,
    caCerts: [Deno.readTextFileSync(ca.file)],
  });
  try {
    await connection.handshake();
    return connection;
  } catch (thrown) {
    connection.close();
    throw thrown;
  }
}

/** Sends bytes over TLS as they are; returns everything that comes until the server closes. */
export async function exchange(port: number, ca: Authority, bytes: string): Promise<string> {
  using connection = await connect(port, ca);
  await connection.write(new TextEncoder().encode(bytes)).catch(() => {});
  return await readToEnd(connection);
}

/** What comes until the other side closes or resets. */
export async function readToEnd(connection: Deno.Conn, ms = 8_000): Promise<string> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(65_536);
  let text = "";
  const read = async () => {
    try {
      for (;;) {
        const count = await connection.read(buffer);
        if (count === null) return text;
        text += decoder.decode(buffer.subarray(0, count), { stream: true });
      }
    } catch (thrown) {
      // A connection that is torn down without a TLS good-bye.
      const isEnd = thrown instanceof Deno.errors.UnexpectedEof ||
        thrown instanceof Deno.errors.ConnectionReset ||
        thrown instanceof Deno.errors.BrokenPipe;
      if (!isEnd) throw thrown;
      return text;
    }
  };
  return await within(read(), "the server to close", ms);
}

/** Asks once by openssl, which shows and keeps sessions as it is told. */
export async function askByOpenssl(
  port: number,
  { dir, ca }: Pick<Certificates, "dir" | "ca">,
  ...more: string[]
): Promise<{ isServed: boolean; isResumed: boolean }> {
  const child = new Deno.Command("openssl", {
    // deno-fmt-ignore
    args: ["s_client", "-connect", `127.0.0.1:${port}`, "-CAfile", ca.file, "-ign_eof", ...more],
    cwd: dir,
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const writer = child.stdin.getWriter();
  const request = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  await writer.write(new TextEncoder().encode(request)).catch(() => {});
  const { stdout } = await within(child.output(), "openssl to end", 20_000);
  await writer.close().catch(() => {});
  const text = new TextDecoder().decode(stdout);
  return { isServed: /HTTP\/1\.1 200 /.test(text), isResumed: /\nReused, /.test(text) };
}
