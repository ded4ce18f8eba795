/** Debian's aiosmtpd as a child of the test, on loopback: an SMTP server that nobody here wrote. */
import { fileURLToPath } from "node:url";
import { hasTool } from "../connectors/foreign_tool.ts";
import { freePort, within } from "../connectors/waiting.ts";

/** Debian's own interpreter: others on the PATH do not see its packages. */
const python = "/usr/bin/python3";

export function hasSmtpServer(): Promise<boolean> {
  return hasTool(python, ["-c", "import aiosmtpd"]);
}

export interface SmtpServerOptions {
  /** STARTTLS is required when given. */
  readonly identity?: { readonly cert: string; readonly key: string };
  /** TLS from the first byte. */
  readonly isImplicit?: boolean;
  /** Signing in is required when given; any user has it. */
  readonly password?: string;
}

/** A mail as the server took it. */
export interface TakenMail {
  readonly from: string;
  readonly to: readonly string[];
  /** What the client called itself. */
  readonly name: string;
  readonly tls: boolean;
  readonly user: string | null;
  readonly content: string;
}

export class SmtpServer implements AsyncDisposable {
  readonly port: number;
  readonly mails: TakenMail[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  readonly #ready = Promise.withResolvers<void>();
  #arrived = Promise.withResolvers<void>();

  static async start(options: SmtpServerOptions = {}): Promise<SmtpServer> {
    const port = await freePort();
    const server = new SmtpServer(port, options);
    try {
      await within(server.#ready.promise, "the SMTP server to start", 20_000);
      return server;
    } catch (thrown) {
      await server[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  private constructor(port: number, { identity, isImplicit, password }: SmtpServerOptions) {
    this.port = port;
    const script = fileURLToPath(new URL("smtpd.py", import.meta.url));
    const given = JSON.stringify({ port, ...identity, implicit: isImplicit, password });
    this.#child = new Deno.Command(python, {
      args: [script, given],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#reading = this.#read();
  }

  /** Waits until `count` mails were taken. */
  async taken(count: number, ms = 10_000): Promise<readonly TakenMail[]> {
    const deadline = performance.now() + ms;
    while (this.mails.length < count) {
      const what = `${count} mails, there are ${this.mails.length}`;
      await within(this.#arrived.promise, what, deadline - performance.now());
    }
    return this.mails;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const insist = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    await this.#child.stdin.close();
    await this.#child.status;
    clearTimeout(insist);
    await this.#reading;
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        if (line === "READY") this.#ready.resolve();
        else {
          this.mails.push(JSON.parse(line));
          const { resolve } = this.#arrived;
          this.#arrived = Promise.withResolvers();
          resolve();
        }
      }
    }
    this.#ready.reject(new Error("The SMTP server has ended"));
    this.#ready.promise.catch(() => {});
  }
}
