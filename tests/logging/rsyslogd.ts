/** A real rsyslogd as a child of the test, on loopback, with its own folder. */
import { freePort, pause } from "../connectors/waiting.ts";

/** Debian's place; not on every user's PATH. */
export const rsyslogdPath = "/usr/sbin/rsyslogd";

/** One message as rsyslogd understood it. */
export interface Parsed {
  readonly input: string;
  readonly facility: string;
  readonly severity: string;
  readonly program: string;
  readonly processId: string;
  readonly messageId: string;
  readonly timestamp: string;
  readonly structuredData: string;
  readonly message: string;
}

export class Rsyslogd implements AsyncDisposable {
  readonly port: number;
  readonly #dir: string;
  readonly #child: Deno.ChildProcess;

  static async start(): Promise<Rsyslogd> {
    const dir = await Deno.makeTempDir({ prefix: "mefor_rsyslogd_" });
    const port = await freePort();
    await Deno.writeTextFile(`${dir}/rsyslog.conf`, configuration(dir, port));
    const child = new Deno.Command(rsyslogdPath, {
      args: ["-n", "-f", `${dir}/rsyslog.conf`, "-i", `${dir}/pid`],
      stdin: "null",
      stdout: "null",
      stderr: "inherit",
    }).spawn();
    const server = new Rsyslogd({ dir, port, child });
    try {
      await server.#ready();
      return server;
    } catch (thrown) {
      await server[Symbol.asyncDispose]();
      throw thrown;
    }
  }

  private constructor(
    { dir, port, child }: { dir: string; port: number; child: Deno.ChildProcess },
  ) {
    this.#dir = dir;
    this.port = port;
    this.#child = child;
  }

  /** The messages so far, one a line exactly as they came, without their framing. */
  raw(): string {
    return read(`${this.#dir}/raw.log`);
  }

  parsed(): Parsed[] {
    return read(`${this.#dir}/parsed.log`).split("\n").slice(0, -1).map((line) => JSON.parse(line));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const insist = setTimeout(() => this.#child.kill("SIGKILL"), 5_000);
    try {
      this.#child.kill("SIGTERM");
    } catch {
      // It has ended already.
    }
    await this.#child.status;
    clearTimeout(insist);
    await Deno.remove(this.#dir, { recursive: true });
  }

  /** Both inputs exist when its TCP port answers: datagrams are bound before. */
  async #ready(): Promise<void> {
    for (let tries = 0; tries < 200; tries++) {
      try {
        (await Deno.connect({ hostname: "127.0.0.1", port: this.port })).close();
        return;
      } catch {
        await pause(50);
      }
    }
    throw new Error(`rsyslogd does not listen on port ${this.port}`);
  }
}

function read(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (thrown) {
    if (thrown instanceof Deno.errors.NotFound) return "";
    throw thrown;
  }
}

function configuration(dir: string, port: number): string {
  const fields: Record<keyof Parsed, string> = {
    input: "inputname",
    facility: "syslogfacility-text",
    severity: "syslogseverity-text",
    program: "app-name",
    processId: "procid",
    messageId: "msgid",
    timestamp: "timestamp",
    structuredData: "structured-data",
    message: "msg",
  };
  const list = Object.entries(fields).map(([name, property], i) => {
    const date = property === "timestamp" ? ' dateFormat="rfc3339"' : "";
    return `  constant(value="${i === 0 ? "{" : ","}\\"${name}\\":\\"")\n` +
      `  property(name="${property}" format="json"${date})\n  constant(value="\\"")\n`;
  });
  return `global(workDirectory="${dir}" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off")
module(load="imudp")
module(load="imtcp")
template(name="raw" type="string" string="%rawmsg%\\n")
template(name="parsed" type="list") {
${list.join("")}  constant(value="}\\n")
}
input(type="imudp" address="127.0.0.1" port="${port}")
input(type="imtcp" address="127.0.0.1" port="${port}")
action(type="omfile" file="${dir}/raw.log" template="raw" asyncWriting="off" flushOnTXEnd="on")
action(type="omfile" file="${dir}/parsed.log" template="parsed" asyncWriting="off" flushOnTXEnd="on")
`;
}
