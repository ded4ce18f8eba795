// Goal: the engine forwards its log under the permissions derived for it, and no collector, whatever
// it does, delays a message or the stop. Permission flags: net (loopback), read, write, run.
import assert from "node:assert/strict";
import { hasTool } from "../../connectors/foreign_tool.ts";
import { MllpSender } from "../../connectors/mllp_sender.ts";
import { ScriptedPartner } from "../../connectors/scripted_partner.ts";
import { freePort, until } from "../../connectors/waiting.ts";
import { stalled, tcpCollector } from "../../logging/collectors.ts";
import { Rsyslogd, rsyslogdPath } from "../../logging/rsyslogd.ts";
import { generateMessages } from "../../../src/synthetic/mod.ts";
import { graphText, run, Served, type TempDir, tempDir } from "../program.ts";

const isHere = await hasTool(rsyslogdPath, ["-v"]);

const launcherFlags = [
  "--allow-read",
  "--allow-env=MEFOR_*",
  "--ignore-env",
  `--allow-run=${Deno.execPath()}`,
];

async function bundle(
  dir: TempDir,
  { logging, partnerPort }: { logging: string; partnerPort?: number },
): Promise<{ port: number; args: string[] }> {
  const port = await freePort();
  await dir.write("graph/adt.ts", graphText({ port, partnerPort }));
  await dir.write(
    "messagefoundry.toml",
    `[auth]\nenabled = false\n[api]\nport = ${await freePort()}\n[logging]\n${logging}`,
  );
  return { port, args: ["--project-root", dir.path, "--db", `${dir.path}/mf.db`, "--env", "dev"] };
}

function forwarding(protocol: "udp" | "tcp", port: number, host = "127.0.0.1"): string {
  return `forward_enabled = true\nforward_host = "${host}"\nforward_port = ${port}\n` +
    `forward_protocol = "${protocol}"\n`;
}

for (
  const [protocol, host] of [["udp", "localhost"], ["udp", "127.0.0.1"], [
    "tcp",
    "localhost",
  ]] as const
) {
  Deno.test({
    name: `serve forwards its log to rsyslogd at ${host} over ${protocol}, to the last record`,
    ignore: !isHere,
    async fn() {
      await using server = await Rsyslogd.start();
      await using dir = await tempDir();
      const { args } = await bundle(dir, { logging: forwarding(protocol, server.port, host) });
      await using served = new Served(args, { flags: launcherFlags });
      const flags = await served.line(/^engine permissions: /);
      assert.match(flags, new RegExp(`--allow-net=\\S*${host}:${server.port}`));
      const started = await served.line(/engine\.started api=http:\S+/);
      const metrics = await fetch(`${/http:\S+/.exec(started)}/metrics`);
      assert.match(
        await metrics.text(),
        /^messagefoundry_log_records_dropped_total\{sink="syslog"\} 0$/m,
      );
      assert.equal(await served.stop(), 0);
      await until(
        () => server.parsed().some(({ messageId }) => messageId === "engine.stopped"),
        "the last record",
      );
      const messages = server.parsed().map(({ message }) => JSON.parse(message).message as string);
      assert.ok(messages.some((message) => message.startsWith("engine.starting version=")));
      assert.doesNotMatch(served.text, / logging\./);
    },
  });
}

for (const name of ["absent", "stalled"] as const) {
  Deno.test(`serve takes and delivers messages while its collector is ${name}, and stops`, async () => {
    await using dir = await tempDir();
    await using partner = await ScriptedPartner.start();
    await using collector = await tcpCollector({ temper: stalled });
    const target = name === "stalled" ? collector.port : await freePort();
    const { port, args } = await bundle(dir, {
      logging: forwarding("tcp", target),
      partnerPort: partner.port,
    });
    await using served = new Served(args, { flags: launcherFlags });
    await served.line(/engine\.started/);
    if (name === "absent") await served.line(/WARNING .*logging\.forward_lost collector=tcp:/);
    const messages = [
      ...generateMessages({ type: "ADT", triggers: ["A01"], count: 50, seed: "log" }),
    ];
    using sender = await MllpSender.connect(port);
    for (const { text } of messages) sender.send(text);
    const replies = await sender.waitForReplies(messages.length);
    assert.ok(replies.every((reply) => /\rMSA\|AA\|/.test(reply)));
    await partner.waitForFrames(messages.length);
    const stopping = performance.now();
    assert.equal(await served.stop(), 0);
    assert.ok(performance.now() - stopping < 8_000, "the stop waits for the collector");
    if (name === "absent") {
      assert.match(served.text, /ERROR .*logging\.forward_dropped .*records=\d+/);
    }
  });
}

Deno.test("serve refuses to log at debug in production, however it is asked", async () => {
  await using dir = await tempDir();
  const { args } = await bundle(dir, { logging: 'level = "debug"\n' });
  const production = [...args.slice(0, -1), "prod"];
  const refused = async (given: readonly string[], env: Record<string, string> = {}) => {
    const { code, out, err } = await run(["serve", ...given], { flags: launcherFlags, env });
    assert.equal(code, 2, err);
    assert.equal(out, "");
    assert.match(err, /^error: Cannot log at level debug in production/m);
  };
  await refused(production);
  await dir.write("messagefoundry.toml", "[api]\nport = 0\n");
  await refused([...production, "--log-level", "debug"]);
  await refused(production, { MEFOR_LOGGING_LEVEL: "debug" });
  await refused([...args, "--log-level", "debug"], { MEFOR_AI_PRODUCTION: "true" });
});
