/**
 * What a machine without a network does with the unpacked archive; runs inside a network namespace.
 *
 * Arguments: the program folder, the folder of an author, a folder to work in, and the user to be,
 * as a number. Prints what happened as one line of JSON: the test outside asserts.
 */
import { MllpSender } from "../connectors/mllp_sender.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, until, within } from "../connectors/waiting.ts";
import { generateMessages } from "../../src/synthetic/mod.ts";

const [program = "", authorDir = "", workDir = "", user = "0"] = Deno.args;
const uid = Number(user);
const owner = Deno.uid() === 0 ? { uid, gid: uid } : {};

export interface Offline {
  /** How the network answers. */
  readonly network: string;
  readonly commands: Readonly<Record<string, { code: number; out: string; err: string }>>;
  readonly acknowledgement: string;
  /** MSH-10 of what the partner got. */
  readonly delivered: readonly string[];
  readonly log: string;
  readonly exitCode: number;
}

function start(args: readonly string[]): Deno.ChildProcess {
  return new Deno.Command(`${program}/messagefoundry`, {
    args: [...args],
    cwd: workDir,
    clearEnv: true,
    ...owner,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function command(args: readonly string[]) {
  const decoder = new TextDecoder();
  const child = start(args);
  const { code, stdout, stderr } = await within(child.output(), args.join(" "), 60_000);
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

async function network(): Promise<string> {
  try {
    (await Deno.connect({ hostname: "192.0.2.7", port: 443 })).close();
    return "connected";
  } catch (thrown) {
    return String((thrown as { code?: string }).code);
  }
}

async function serve(log: string[]) {
  await using partner = await ScriptedPartner.start();
  const port = await freePort();
  const values = `port = ${port}\npartner_port = ${partner.port}\n`;
  await Deno.writeTextFile(`${authorDir}/environments/dev.toml`, values);
  const anchor = ["--project-root", authorDir, "--env", "dev", "--db", `${workDir}/mf.db`];
  const api = ["--port", String(await freePort())];
  const permissions = await command(["permissions", ...anchor, ...api, "--format", "flags"]);
  const child = start(["serve", ...anchor, ...api]);
  const started = Promise.withResolvers<void>();
  const readers = [child.stdout, child.stderr].map(async (stream) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      log.push(text);
      if (log.join("").includes("engine.started")) started.resolve();
    }
  });
  const ended = child.status.then(() => Promise.reject(new Error(`ended:\n${log.join("")}`)));
  ended.catch(() => {});
  try {
    await within(Promise.race([started.promise, ended]), "the engine", 30_000);
    const [message] = generateMessages({ type: "ADT", triggers: ["A01"], count: 1, seed: "ship" });
    using sender = await MllpSender.connect(port);
    sender.send(message?.text ?? "");
    const [acknowledgement = ""] = await sender.waitForReplies(1, 10_000);
    await partner.waitForFrames(1, 10_000);
    // What "systemctl reload" sends: new author modules are loaded from outside, in a new worker.
    child.kill("SIGHUP");
    await until(() => /config_reload|config\.reload/.test(log.join("")), "the reload", 10_000);
    child.kill("SIGTERM");
    const { code } = await within(child.status, "the end", 30_000);
    await Promise.all(readers);
    return { permissions, acknowledgement, delivered: partner.controlIds, exitCode: code };
  } catch (thrown) {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    throw new Error(`The engine said:\n${log.join("")}`, { cause: thrown });
  }
}

const log: string[] = [];
const { permissions, acknowledgement, delivered, exitCode } = await serve(log);
const bundle = ["--project-root", authorDir];
const messages = ["--messages", `${authorDir}/messages/sets`];
const result: Offline = {
  network: await network(),
  acknowledgement,
  delivered,
  exitCode,
  log: log.join(""),
  commands: {
    version: await command(["--version"]),
    validate: await command(["validate", ...bundle, "--json"]),
    check: await command(["check", ...bundle, ...messages, "--json"]),
    dryrun: await command([
      "dryrun",
      ...bundle,
      "--messages",
      `${authorDir}/messages/sets/IB_ADT/admit.hl7`,
      "--inbound",
      "IB_ADT",
      "--json",
    ]),
    init: await command(["init", `${workDir}/laid_out`]),
    laidOut: await command(["validate", "--project-root", `${workDir}/laid_out`, "--json"]),
    permissions,
  },
};
console.log(JSON.stringify(result));
