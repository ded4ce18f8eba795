/**
 * Tries to reach every forbidden thing, from code of the engine and from code of an author.
 *
 * Permission flags of these tests: net (loopback), read, write, run.
 */
import assert from "node:assert/strict";
import net from "node:net";
import { generateMessages } from "../../src/synthetic/mod.ts";
import { MllpSender } from "../connectors/mllp_sender.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, within } from "../connectors/waiting.ts";
import { root, run, Served, type TempDir, tempDir } from "./program.ts";

/** A server that nobody may reach, on every loopback address; counts who comes. */
async function forbiddenServer() {
  let connections = 0;
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => {}).once("close", () => sockets.delete(socket));
    socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
  });
  await new Promise<void>((resolve) => server.listen(0, "0.0.0.0", resolve));
  return {
    port: (server.address() as net.AddressInfo).port,
    get connections() {
      return connections;
    },
    [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      return new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** `bundle/` may be read, `out/` written, `outside/` neither. */
async function layOut(dir: TempDir, graph: string): Promise<readonly string[]> {
  await dir.write("bundle/graph/adt.ts", graph);
  await dir.write("bundle/messagefoundry.toml", `[api]\nport = ${await freePort()}\n`);
  await dir.write("outside/secret.txt", "the secret");
  await dir.write("outside/module.ts", "export const leaked = true;\n");
  await Deno.mkdir(`${dir.path}/out`);
  await Deno.mkdir(`${dir.path}/store`);
  const store = `${dir.path}/store/mf.db`;
  return ["--project-root", `${dir.path}/bundle`, "--db", store, "--env", "dev"];
}

function namesIn(path: string): readonly string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
}

const refusals: readonly (readonly [tries: RegExp, how: RegExp])[] = [
  [/^net: /, /^NotCapable: Requires net access to "[^"]+"/],
  // SQLite may open the store's files and attach none.
  [/^read: a database beside ours/, /^Error: too many attached databases - max 0/],
  [/^read: /, /^NotCapable: Requires read access to "/],
  [/^write: a link/, /^NotCapable: Deno\.symlinkSync\(\) requires unscoped/],
  [/^write: a second name/, /^NotCapable: Requires read access to ".*secret\.txt"/],
  [/^write: /, /^NotCapable: Requires write access to /],
  [/^env: /, /^NotCapable: Requires env access: it is hidden/],
  [/^run: /, /^NotCapable: Requires run access/],
  [/^ffi: /, /^NotCapable: Requires ffi access to "/],
  [/^sys: /, /^NotCapable: Requires sys access to "/],
  [/^import: a file outside/, /^TypeError: Requires read access to ".*module\.ts"/],
  [/^import: /, /^TypeError: .*--cached-only is specified/s],
  [/^worker: with all/, /NotCapable: Requires read access to ".*secret\.txt"/],
  [/^worker: with more/, /^NotCapable: Can't escalate parent thread permissions/],
  [/^ask: /, /^NotCapable: asking is answered "denied"/],
];

async function probe(
  flags: readonly string[],
  targets: Readonly<Record<string, unknown>>,
): Promise<Readonly<Record<string, string>>> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", ...flags, `${root}/tests/cli/reach_probe.ts`, JSON.stringify(targets)],
    cwd: root,
    env: { REACH_SECRET: "the secret", NO_COLOR: "1" },
    stdin: "null",
  });
  const { stdout, stderr } = await within(child.output(), "the probe", 60_000);
  const decoder = new TextDecoder();
  const text = decoder.decode(stdout);
  assert.notEqual(text, "", decoder.decode(stderr));
  return JSON.parse(text);
}

// Goal: code that runs in the engine's own process reaches nothing beside the derived set.
// Method: a probe under exactly those flags, and once more under all permissions as a control.
Deno.test("the derived flags refuse whatever the engine was not granted, each by its kind", async () => {
  await using dir = await tempDir();
  await using partner = await ScriptedPartner.start();
  await using server = await forbiddenServer();
  const args = await layOut(
    dir,
    `import { file, handler, inbound, mllp, outbound, router, send } from "messagefoundry";
const partner = outbound("OB_PARTNER", mllp({ host: "127.0.0.1", port: ${partner.port} }));
outbound("OB_ODD", mllp({ host: "2852039166", port: 80 }));
outbound("FILE-OUT_COPY", file({ directory: "${dir.path}/out", filename: "x.hl7" }));
const forward = handler("forward", (message) => send(partner, message));
inbound("IB_ADT", mllp({ port: ${await freePort()} }), { router: router("route", () => forward) });
`,
  );
  const { out: text, err, code } = await run(["permissions", ...args, "--format", "json"]);
  assert.equal(code, 0, err);
  const { flags } = JSON.parse(text) as { flags: string[] };
  const outside = `${dir.path}/outside`;
  const targets = {
    otherPort: server.port,
    partnerPort: partner.port,
    secret: `${outside}/secret.txt`,
    outside,
    bundle: `${dir.path}/bundle`,
    out: `${dir.path}/out`,
    module: `file://${outside}/module.ts`,
    isControl: false,
  };
  const outcomes = Object.entries(await probe(flags, targets));
  assert.ok(outcomes.length > 45, `only ${outcomes.length} tries were made`);
  for (const [name, outcome] of outcomes) {
    const [, how] = refusals.find(([tries]) => tries.test(name)) ?? [];
    assert.ok(how !== undefined, `nobody says how "${name}" is refused`);
    assert.match(outcome, how, `${name}: ${outcome}`);
  }
  assert.equal(server.connections, 0);
  assert.equal(partner.connections, 0);
  assert.deepEqual(namesIn(outside), ["module.ts", "secret.txt"]);
  assert.deepEqual(namesIn(`${dir.path}/bundle/graph`), ["adt.ts"]);
  assert.deepEqual(namesIn(`${dir.path}/out`), ["mine.txt"]);

  const control = await probe(["--allow-all", "--no-prompt", "--cached-only", "--frozen"], {
    ...targets,
    isControl: true,
  });
  // Neither the library nor a program that speaks WebSocket is there; both were looked for.
  const further = /^(reached|NetworkError: failed to connect|TypeError: \/nowhere\/addon)/;
  for (const [name, outcome] of Object.entries(control)) {
    assert.match(outcome, further, `${name}: ${outcome}`);
  }
  assert.ok(server.connections > 0);
});

/** What author code tries, in the router and in the handler, while real targets wait outside. */
function authorTries(
  { port, secret, outside }: { port: number; secret: string; outside: string },
): string {
  return `// What is tried here has no names in this realm, so no types either.
const given: any = globalThis;
const tries: Record<string, () => unknown> = {
  "another host": () => Deno.connect({ hostname: "127.0.0.2", port: ${port} }),
  "another port": () => fetch("http://127.0.0.1:${port}/"),
  "a socket of the web": () => new WebSocket("ws://127.0.0.1:${port}/"),
  "an old request": () => new XMLHttpRequest(),
  "a denied address": () => fetch("http://169.254.169.254/"),
  "a file": () => Deno.readTextFileSync("${secret}"),
  "a new file": () => Deno.writeTextFileSync("${outside}/new.txt", ""),
  "node's files": () => require("node:fs").readFileSync("${secret}"),
  "a variable": () => Deno.env.get("MEFOR_REACH_SECRET"),
  "node's variables": () => process.env.MEFOR_REACH_SECRET,
  "a program": () => new Deno.Command("/bin/sh").outputSync(),
  "a signal": () => process.kill(process.pid, "SIGKILL"),
  "a library": () => Deno.dlopen("libc.so.6", {}),
  "the machine": () => Deno.systemMemoryInfo(),
  "a worker": () => new Worker("data:text/javascript,", { type: "module" }),
  "more permission": () => Deno.permissions.request({ name: "net" }),
  "another module": () => new given.URL("file:///"),
  "code from text": () => (0, eval)("1"),
  "code from a constructor": () => (() => {}).constructor("return this")(),
  "code from the module's constructor": () => (tries as any).constructor.constructor("return 1")(),
};

/** How each try ended. */
export function outcomes(): Record<string, string> {
  const ended: Record<string, string> = {};
  for (const [name, attempt] of Object.entries(tries)) {
    try {
      attempt();
      ended[name] = "reached";
    } catch (thrown) {
      ended[name] = String(thrown);
    }
  }
  ended.globals = Object.getOwnPropertyNames(globalThis).join(" ");
  return ended;
}
`;
}

const authorGraph = ({ port, partnerPort }: { port: number; partnerPort: number }) =>
  `import { handler, inbound, mllp, outbound, router, send, type Message } from "messagefoundry";
import { outcomes } from "./_tries.ts";
const partner = outbound("OB_PARTNER", mllp({ host: "127.0.0.1", port: ${partnerPort} }));
/** Letters and digits only: nothing that the message would have to escape. */
const hex = (value: unknown) =>
  [...JSON.stringify(value)].map((c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
const told = (message: Message, path: "EVN-3" | "EVN-4") => message.set(path, hex(outcomes()));
const report = handler("report", (message) => send(partner, told(message, "EVN-3")));
const routed = handler("routed", (message) => {
  throw new Error("the router reached something");
});
const route = router("route", () =>
  Object.values(outcomes()).includes("reached") ? routed : report);
inbound("IB_ADT", mllp({ port: ${port} }), { router: route });
`;

/** Names that would be a way out. */
const waysOut = new Set(
  ("Deno process require module global self fetch WebSocket XMLHttpRequest EventSource Worker " +
    "SharedWorker BroadcastChannel MessageChannel MessagePort caches localStorage indexedDB " +
    "navigator location WebAssembly SharedArrayBuffer Atomics setTimeout setInterval " +
    "queueMicrotask postMessage close importScripts Buffer performance URL Request Response")
    .split(" "),
);

Deno.test("author code reaches nothing, for it has no names to reach with", async () => {
  await using dir = await tempDir();
  await using partner = await ScriptedPartner.start();
  await using server = await forbiddenServer();
  const port = await freePort();
  const args = await layOut(dir, authorGraph({ port, partnerPort: partner.port }));
  const outside = `${dir.path}/outside`;
  const targets = { port: server.port, secret: `${outside}/secret.txt`, outside };
  await dir.write("bundle/graph/_tries.ts", authorTries(targets));
  const flags = [
    "--allow-read",
    "--allow-env=MEFOR_*",
    "--ignore-env",
    `--allow-run=${Deno.execPath()}`,
  ];
  const env = { MEFOR_REACH_SECRET: "the secret" };
  await using served = new Served(args, { flags, env });
  await served.line(/engine\.started/);
  const [adt] = generateMessages({ type: "ADT", triggers: ["A01"], count: 1, seed: "reach" });
  using sender = await MllpSender.connect(port);
  sender.send(adt?.text ?? "");
  await sender.waitForReplies(1);
  await partner.waitForFrames(1);
  const evn = partner.received[0]?.text.split("\r").find((segment) => segment.startsWith("EVN|"));
  const bytes = Uint8Array.fromHex(evn?.split("|")[3] ?? "");
  const { globals = "", ...outcomes } = JSON.parse(new TextDecoder().decode(bytes)) as Record<
    string,
    string
  >;
  assert.ok(Object.keys(outcomes).length >= 20);
  for (const [name, outcome] of Object.entries(outcomes)) {
    const how = name.startsWith("code from")
      ? /^EvalError: Code generation from strings disallowed/
      : /^(ReferenceError: \w+ is not defined|TypeError: given\.URL is not a constructor)$/;
    assert.match(outcome, how, `${name}: ${outcome}`);
  }
  assert.ok(globals.includes("JSON"), globals);
  assert.deepEqual(globals.split(" ").filter((name) => waysOut.has(name)), []);
  assert.equal(await served.stop(), 0);
  assert.equal(server.connections, 0);
  assert.deepEqual(namesIn(outside), ["module.ts", "secret.txt"]);
});

// Goal: no way of naming a module leads out of the bundle. Method: one module for each; all are
// refused when the graph loads, and nobody was asked for anything. What `import()` comes to stands in
// tests/sandbox/escape_test.ts.
Deno.test("author code loads no module from outside of its bundle", async () => {
  await using dir = await tempDir();
  await using server = await forbiddenServer();
  const args = await layOut(dir, `import "messagefoundry";\n`);
  const outside = `${dir.path}/outside/module.ts`;
  const imports: Readonly<Record<string, string>> = {
    remote: `import "http://127.0.0.1:${server.port}/module.ts";`,
    secure: `import "https://127.0.0.1:${server.port}/module.ts";`,
    npm_cached: `import { z } from "npm:zod";`,
    npm_mapped: `import { z } from "zod";`,
    npm_absent: `import "npm:left-pad@1.3.0";`,
    jsr: `import "jsr:@std/assert@1";`,
    node: `import "node:fs";`,
    builtin: `import "fs";`,
    data: `import "data:text/javascript,export default 1";`,
    blob: `import "blob:null/1";`,
    url: `import "file://${outside}";`,
    absolute: `import "${outside}";`,
    parent: `import "../../outside/module.ts";`,
    sideways: `import "./../../bundle/../outside/module.ts";`,
    engine: `import "../../../src/errors.ts";`,
    internal: `import "ext:core/ops";`,
    again: `export { leaked } from "file://${outside}";`,
    text: `import text from "../../outside/secret.txt" with { type: "text" };`,
  };
  for (const [name, source] of Object.entries(imports)) {
    await dir.write(`bundle/graph/${name}.ts`, `${source}\n`);
  }
  const validate = async () => {
    const { code, out, err } = await run(["validate", "--config", `${dir.path}/bundle`, "--json"]);
    assert.equal(code, 1, out + err);
    return JSON.parse(out) as { file: string | null; message: string }[];
  };
  const findings = await validate();
  for (const name of Object.keys(imports)) {
    const { message = "" } = findings.find(({ file }) => file === `graph/${name}.ts`) ?? {};
    assert.match(message, /import/i, `${name}: ${message}`);
  }
  await Deno.symlink(outside, `${dir.path}/bundle/graph/link.ts`);
  const link = (await validate()).find(({ file }) => file === "graph/link.ts");
  assert.equal(link?.message, "The link leads outside the bundle");
  // The launcher loads the graph to derive permissions: it refuses too, before there is an engine.
  const flags = ["--allow-read", "--allow-env=MEFOR_*", `--allow-run=${Deno.execPath()}`];
  const served = await run(["serve", ...args], { flags });
  assert.equal(served.code, 3, served.err);
  assert.match(served.err, /^error: Cannot load graph/m);
  assert.equal(server.connections, 0);
});
