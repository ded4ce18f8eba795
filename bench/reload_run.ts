/**
 * The `reload` profile: a bundle of 200 modules is loaded anew again and again while one source
 * sends; how long each reload takes, and the slowest ACK while it runs.
 *
 * The engine runs as shipped, under the flags its launcher derives, and is asked over its API.
 */
import { Buffer } from "node:buffer";
import net from "node:net";
import { layOut } from "../tools/bundle.ts";
import { freePorts } from "./machine.ts";
import { frame } from "./mllp.ts";
import { percentile } from "./reconcile.ts";

export const RELOAD_PROFILE = "reload";

/** The reload table has one line; without times, `reason` says why. */
export interface ReloadResult {
  readonly modules: number;
  readonly reloads: number;
  readonly medianMs?: number;
  readonly maxMs?: number;
  /** Messages sent while a reload ran, and the slowest ACK of them. */
  readonly acks?: number;
  readonly ackMaxMs?: number;
  /** The slowest ACK while none ran. */
  readonly quietAckMaxMs?: number;
  readonly reason?: string;
}

interface Ack {
  readonly sentAt: number;
  readonly ms: number;
}

const MODULES = 200;
/** Unless `--repeat` says otherwise. */
const RELOADS = 7;
/** Between two messages, and before, between and after reloads. */
const SEND_MS = 5;
const QUIET_MS = 500;
const LIMIT_MS = 30_000;

/** Measures reloads one after the other. */
export async function runReloads(directory: string, repeat: number): Promise<ReloadResult[]> {
  const reloads = repeat > 1 ? repeat : RELOADS;
  const place = await Deno.makeTempDir({ dir: directory, prefix: "reload-" });
  try {
    return [{ modules: MODULES, reloads, ...await measure(place, reloads) }];
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [{ modules: MODULES, reloads, reason }];
  } finally {
    await Deno.remove(place, { recursive: true });
  }
}

async function measure(
  place: string,
  reloads: number,
): Promise<Omit<ReloadResult, "modules" | "reloads">> {
  const program = await layOut(place);
  const [apiPort = 0, port = 0, partnerPort = 0] = freePorts(3);
  const partner = net.createServer((socket) => void answer(socket));
  await new Promise<void>((resolve) => partner.listen(partnerPort, "127.0.0.1", resolve));
  await writeBundle(`${place}/site`, { apiPort, port, partnerPort });
  const engine = new Deno.Command(`${program}/messagefoundry`, {
    args: ["serve", "--project-root", `${place}/site`, "--env", "dev"],
    cwd: `${place}/site`,
    env: { DENO_DIR: `${program}/cache`, DENO_NO_UPDATE_CHECK: "1" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const said = new Response(engine.stderr).text();
  try {
    const sender = await Sender.connect(port);
    const times: number[] = [];
    const during: Ack[] = [];
    try {
      await pause(QUIET_MS);
      for (let turn = 1; turn <= reloads; turn++) {
        console.error(`${RELOAD_PROFILE} ${turn}/${reloads}`);
        const from = performance.now();
        await reload(apiPort);
        const to = performance.now();
        times.push(to - from);
        await pause(QUIET_MS);
        during.push(...sender.acks.filter(({ sentAt }) => sentAt > from - SEND_MS && sentAt < to));
      }
    } finally {
      await sender.stop();
    }
    const inReload = new Set(during);
    const quiet = sender.acks.filter((ack) => !inReload.has(ack));
    return {
      medianMs: percentile(Float64Array.from(times).sort(), 0.5),
      maxMs: Math.max(...times),
      acks: during.length,
      ackMaxMs: Math.max(...during.map(({ ms }) => ms)),
      quietAckMaxMs: Math.max(...quiet.map(({ ms }) => ms)),
    };
  } catch (cause) {
    engine.kill("SIGTERM");
    throw new Error(`Cannot measure reloads: ${(await said).slice(-500)}`, { cause });
  } finally {
    try {
      engine.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await engine.status;
    await said;
    await new Promise((resolve) => partner.close(resolve));
  }
}

/** A handler a module, each with a table, a helper and types to strip. */
async function writeBundle(
  site: string,
  { apiPort, port, partnerPort }: { apiPort: number; port: number; partnerPort: number },
): Promise<void> {
  await Deno.mkdir(`${site}/graph`, { recursive: true });
  const write = (name: string, text: string) => Deno.writeTextFile(`${site}/${name}`, text);
  await write("messagefoundry.toml", `[api]\nport = ${apiPort}\n[auth]\nenabled = false\n`);
  await write(
    "graph/a_connections.ts",
    `import { inbound, mllp, outbound, router } from "messagefoundry";
outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${partnerPort} }));
const route = router("route", () => "handler_1");
inbound("IB_ADT", mllp({ port: ${port} }), { router: route });
`,
  );
  for (let n = 1; n < MODULES; n++) await write(`graph/module_${n}.ts`, moduleText(n));
}

function moduleText(n: number): string {
  const rows = Array.from({ length: 20 }, (_, k) => `  { code: "C${k}", text: "Text ${k}" },`);
  return `import { handler, send } from "messagefoundry";

interface Row {
  readonly code: string;
  readonly text: string;
}

const rows: readonly Row[] = [
${rows.join("\n")}
];

function textOf(code: string): string | undefined {
  return rows.find((row) => row.code === code)?.text;
}

handler("handler_${n}", (message) => {
  const sex: string = message.get("PID-8") ?? "U";
  if (sex === "F") message.set("PV1-50", textOf("C3") ?? "none");
  return send("OB_LAB", message);
});
`;
}

async function reload(apiPort: number): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${apiPort}/config/reload`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`A reload was answered ${response.status}: ${text}`);
}

/** Sends one message at a time and notes when each was acknowledged. */
class Sender {
  readonly acks: Ack[] = [];
  readonly #socket: net.Socket;
  #isOver = false;
  #onReply: (() => void) | undefined;
  readonly #done: Promise<void>;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    let reply = "";
    socket.on("data", (bytes) => {
      reply += bytes.toString("latin1");
      if (!reply.endsWith("\x1c\r")) return;
      reply = "";
      this.#onReply?.();
    });
    this.#done = this.#run();
    this.#done.catch(() => {});
  }

  /** Tries until somebody listens. */
  static async connect(port: number): Promise<Sender> {
    const deadline = performance.now() + LIMIT_MS;
    for (;;) {
      const socket = net.connect({ host: "127.0.0.1", port, noDelay: true });
      const isOpen = await new Promise<boolean>((resolve) => {
        socket.once("connect", () => resolve(true));
        socket.once("error", () => resolve(false));
      });
      if (isOpen) return new Sender(socket);
      if (performance.now() > deadline) throw new Error(`Nobody listens within ${LIMIT_MS} ms`);
      await pause(SEND_MS);
    }
  }

  async #run(): Promise<void> {
    for (let n = 0; !this.#isOver; n++) {
      const sentAt = performance.now();
      const replied = new Promise<void>((resolve, reject) => {
        this.#onReply = resolve;
        this.#socket.once("close", () => reject(new Error("The engine closed the connection")));
      });
      this.#socket.write(frame(Buffer.from(messageText(n), "latin1")));
      await replied;
      this.#socket.removeAllListeners("close");
      this.acks.push({ sentAt, ms: performance.now() - sentAt });
      await pause(SEND_MS);
    }
  }

  /** @throws when a message got no answer. */
  async stop(): Promise<void> {
    this.#isOver = true;
    try {
      await this.#done;
    } finally {
      this.#socket.destroy();
    }
  }
}

function messageText(n: number): string {
  return "MSH|^~\\&|BENCH|MFHOSP|BENCH|ENGINE|20260101000000||ADT^A01|" + `RL${n}|P|2.5.1\r` +
    "EVN|A01|20260101000000\rPID|1||4711|||||F\rPV1|1|I\r";
}

/** A partner that accepts everything. */
function answer(socket: net.Socket): void {
  let text = "";
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    text += bytes.toString("latin1");
    for (let end = text.indexOf("\x1c\r"); end >= 0; end = text.indexOf("\x1c\r")) {
      const controlId = text.slice(0, end).split("|")[9] ?? "";
      text = text.slice(end + 2);
      const reply = "MSH|^~\\&|A|B|C|D|20260101||ACK|1|P|2.5.1\r" + `MSA|AA|${controlId}\r`;
      socket.write(frame(Buffer.from(reply, "latin1")));
    }
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
