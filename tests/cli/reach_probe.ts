/**
 * Tries everything that the engine may not do, as code of the engine would, and prints how each try
 * ended: `reached`, or the error's name and first words.
 *
 * The test runs it twice: under the flags derived for an engine, and with `isControl` under all
 * permissions, where each try must get further, for else it would prove nothing.
 */
import { connect as nodeConnect } from "node:net";

/** Real targets; each answers or exists. */
interface Targets {
  /** A TCP server on every loopback address, at a port that is not granted. */
  readonly otherPort: number;
  /** Where the granted partner listens, on 127.0.0.1. */
  readonly partnerPort: number;
  /** A file outside, and its folder. */
  readonly secret: string;
  readonly outside: string;
  /** May be read, not written. */
  readonly bundle: string;
  /** May be written. */
  readonly out: string;
  readonly isControl: boolean;
  /** A module outside. */
  readonly module: string;
}

const targets = JSON.parse(Deno.args[0] ?? "{}") as Targets;
const { otherPort, partnerPort, secret, outside, bundle, out, module } = targets;

function dial(hostname: string, port: number): Promise<void> {
  return Deno.connect({ hostname, port }).then((connection) => connection.close());
}

function dialAsNode(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = nodeConnect({ host, port }, () => {
      socket.destroy();
      resolve();
    });
    socket.once("error", reject);
  });
}

/** Refused constructors and listeners of events throw; others tell by an event. */
function told(target: EventTarget): Promise<void> {
  return new Promise((resolve, reject) => {
    target.addEventListener("open", () => resolve());
    target.addEventListener("message", () => resolve());
    target.addEventListener("error", (event) => {
      event.preventDefault();
      const { message, error } = event as ErrorEvent;
      reject(error ?? new Error(message));
    });
  });
}

/** A worker that reads the secret, with what permissions it is given. */
function readInWorker(permissions: Deno.PermissionOptions): Promise<void> {
  const code = `try { Deno.readTextFileSync(${JSON.stringify(secret)}); postMessage("") }
    catch (e) { reportError(e) }`;
  const url = `data:text/javascript,${encodeURIComponent(code)}`;
  const worker = new Worker(url, { type: "module", deno: { permissions } });
  return told(worker).finally(() => worker.terminate());
}

async function ask(descriptor: Deno.PermissionDescriptor): Promise<void> {
  const { state } = await Deno.permissions.request(descriptor);
  if (state !== "granted") throw new Deno.errors.NotCapable(`asking is answered "${state}"`);
}

/** Unset variables read as undefined: the flags hide them and do not throw. */
function present(value: string | undefined): void {
  if (value === undefined) throw new Deno.errors.NotCapable("Requires env access: it is hidden");
}

const tries: Readonly<Record<string, () => unknown>> = {
  "net: another address": () => dial("127.0.0.2", otherPort),
  "net: a name for the granted address": () => dial("localhost", partnerPort),
  "net: another port of a granted host": () => dial("127.0.0.1", otherPort),
  "net: node:net": () => dialAsNode("127.0.0.1", otherPort),
  "net: fetch": () => fetch(`http://127.0.0.1:${otherPort}/`).then((r) => r.body?.cancel()),
  "net: a socket of the web": () => told(new WebSocket(`ws://127.0.0.1:${otherPort}/`)),
  "net: a datagram": () => Deno.listenDatagram({ transport: "udp", port: 0 }).close(),
  "net: to listen elsewhere": () => Deno.listen({ hostname: "127.0.0.1", port: 0 }).close(),
  "net: to look a name up": () => Deno.resolveDns("localhost", "A"),
  "net: a denied address": () => dial("169.254.169.254", 80),
  "net: a denied address as IPv6": () => dial("::ffff:169.254.169.254", 80),
  // A resolver takes this name for 169.254.169.254.
  "net: a name that leads to a denied address": () => dial("2852039166", 80),
  "read: a file outside": () => Deno.readTextFileSync(secret),
  "read: node:fs": async () => (await import("node:fs")).readFileSync(secret),
  "read: over ..": () => Deno.readTextFileSync(`${bundle}/graph/../../outside/secret.txt`),
  "read: the folder outside": () => [...Deno.readDirSync(outside)],
  "read: whether it exists": () => Deno.statSync(secret),
  "read: a database": async () => {
    const { DatabaseSync } = await import("node:sqlite");
    new DatabaseSync(`${outside}/other.db`).close();
  },
  "read: a database beside ours": async () => {
    const { DatabaseSync } = await import("node:sqlite");
    using db = new DatabaseSync(":memory:");
    db.exec(`ATTACH '${outside}/other.db' AS other`);
  },
  "write: a file outside": () => Deno.writeTextFileSync(`${outside}/new.txt`, ""),
  "write: what may only be read": () => Deno.writeTextFileSync(`${bundle}/graph/new.ts`, ""),
  "write: over ..": () => Deno.writeTextFileSync(`${out}/../outside/new.txt`, ""),
  "write: a temporary file": () => Deno.removeSync(Deno.makeTempFileSync()),
  "write: to move something out": () => {
    Deno.writeTextFileSync(`${out}/mine.txt`, "");
    Deno.renameSync(`${out}/mine.txt`, `${outside}/mine.txt`);
  },
  "write: a link that leads out": () => Deno.symlinkSync(outside, `${out}/link`),
  "write: a second name for a file outside": () => Deno.linkSync(secret, `${out}/second`),
  "env: Deno.env": () => present(Deno.env.get("REACH_SECRET")),
  "env: process.env": async () => present((await import("node:process")).env.REACH_SECRET),
  "env: all of it": () => present(Deno.env.toObject().REACH_SECRET),
  "run: a program": () => new Deno.Command("/bin/sh", { args: ["-c", ":"] }).outputSync(),
  "run: the runtime itself": () => new Deno.Command(Deno.execPath(), { args: ["-V"] }).outputSync(),
  "run: node:child_process": async () => {
    const child = (await import("node:child_process")).spawn("/bin/sh", ["-c", ":"]);
    await new Promise<void>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", () => resolve());
    });
  },
  "run: a signal to another process": () => Deno.kill(Deno.ppid, "SIGCONT"),
  "ffi: Deno.dlopen": () => Deno.dlopen("libc.so.6", {}).close(),
  "ffi: an addon": async () => {
    const process = await import("node:process");
    process.default.dlopen({ exports: {} }, "/nowhere/addon.node");
  },
  "sys: Deno.hostname": () => Deno.hostname(),
  "sys: Deno.systemMemoryInfo": () => Deno.systemMemoryInfo(),
  "sys: Deno.networkInterfaces": () => Deno.networkInterfaces(),
  "sys: node:os": async () => (await import("node:os")).userInfo(),
  "import: a file outside": () => import(module),
  "import: over the network": () => import(`http://127.0.0.1:${otherPort}/module.ts`),
  "import: a package that is not here": () => import(`${"npm"}:left-pad@1.3.0`),
  "import: from another registry": () => import(`${"jsr"}:@std/assert@1.0.0`),
  "worker: with all permissions": () => readInWorker("inherit"),
  "worker: with more permission": () => readInWorker({ read: true }),
  "ask: for a host": () => ask({ name: "net", host: `127.0.0.1:${otherPort}` }),
  "ask: for a program": () => ask({ name: "run" }),
  "ask: for a file": () => ask({ name: "read", path: secret }),
};

/** Longest wait for one try; under all permissions some targets never answer. */
const TRY_MS = 2_000;

async function outcomeOf(attempt: () => unknown): Promise<string> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve("no answer"), TRY_MS);
  });
  try {
    // A try that throws at once must not end the others.
    const trying = (async () => {
      await attempt();
      return "reached";
    })();
    return await Promise.race([trying, late]);
  } catch (thrown) {
    const { name, message } = thrown as Error;
    return `${name}: ${message}`.slice(0, 200);
  } finally {
    clearTimeout(timer);
  }
}

// Two refusals of node's sockets surface here only. Source: deno facts §2.1.
globalThis.addEventListener("error", (event) => event.preventDefault());
globalThis.addEventListener("unhandledrejection", (event) => event.preventDefault());

/** What would leave this machine when nothing stops it. */
const leaving = /^net: .*denied address|^import: (?!a file)/;

const outcomes: Record<string, string> = {};
for (const [name, attempt] of Object.entries(tries)) {
  if (targets.isControl && leaving.test(name)) continue;
  outcomes[name] = await outcomeOf(attempt);
}
console.log(JSON.stringify(outcomes));
Deno.exit(0);
