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
    socket.resume().end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
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
