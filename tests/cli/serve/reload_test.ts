// Goal: a service loads its bundle anew at a hang-up, an author at every save, and the permissions
// of the process hold for each graph.
import assert from "node:assert/strict";
import { MllpSender } from "../../connectors/mllp_sender.ts";
import { ScriptedPartner } from "../../connectors/scripted_partner.ts";
import { freePort } from "../../connectors/waiting.ts";
import { admission } from "../../walk/bench.ts";
import { graphText, run, Served, type TempDir, tempDir } from "../program.ts";

const launcherFlags = [
  "--allow-read",
  "--allow-env=MEFOR_*",
  "--ignore-env",
  `--allow-run=${Deno.execPath()}`,
];

async function bundle(dir: TempDir, partnerPort: number) {
  const port = await freePort();
  await dir.write("graph/adt.ts", graphText({ port, partnerPort }));
  await dir.write("messagefoundry.toml", `[api]\nport = ${await freePort()}\n`);
  return { port, args: ["--project-root", dir.path, "--db", `${dir.path}/mf.db`, "--env", "dev"] };
}

async function exchange(port: number, controlId: string): Promise<void> {
  using sender = await MllpSender.connect(port);
  sender.send(admission(controlId));
  const [reply] = await sender.waitForReplies(1);
  assert.match(reply ?? "", /\rMSA\|AA\|/);
}

const tagged = (text: string, tag: string) =>
  text.replace(
    "=> send(partner, message)",
    `=> {
  message.set("PV1-50", "${tag}");
  return send(partner, message);
}`,
  );

Deno.test({
  name: "a hang-up loads the bundle again, and no more than the permissions allow",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using dir = await tempDir();
    await using partner = await ScriptedPartner.start();
    const { port, args } = await bundle(dir, partner.port);
    await using served = new Served(args, { flags: launcherFlags });
    await served.line(/engine\.started/);
    using open = await MllpSender.connect(port);
    const text = graphText({ port, partnerPort: partner.port });
    await dir.write("graph/adt.ts", tagged(text, "second"));
    served.signal("SIGHUP");
    await served.line(/"action":"config_reload","actor":"local"/);
    open.send(admission("H1"));
    await open.waitForReplies(1);
    await partner.waitForFrames(1);
    assert.match(partner.received[0]?.text ?? "", /\|second\r/);

    const other = await freePort();
    await dir.write("graph/adt.ts", graphText({ port: other, partnerPort: partner.port }));
    served.signal("SIGHUP");
    const refused = await served.line(/config\.reload_failed/);
    assert.match(refused, new RegExp(`--allow-net=127\\.0\\.0\\.1:${other}`));
    await served.line(/"action":"config_reload_failed".*invalid_config/);
    await exchange(port, "H2");
    await partner.waitForFrames(2);
    assert.match(partner.received[1]?.text ?? "", /\|second\r/, "the old graph goes on");
    assert.equal(await served.stop(), 0);
  },
});

Deno.test("serve --watch runs what was saved, and starts anew when that needs other permissions", async () => {
  await using dir = await tempDir();
  await using partner = await ScriptedPartner.start();
  const { port, args } = await bundle(dir, partner.port);
  await using served = new Served([...args, "--watch"], { flags: launcherFlags });
  await served.line(/engine\.started/);
  const text = graphText({ port, partnerPort: partner.port });
  await dir.write("graph/adt.ts", tagged(text, "saved"));
  await served.line(/"action":"config_reload","actor":"local"/);
  await exchange(port, "W1");
  await partner.waitForFrames(1);
  assert.match(partner.received[0]?.text ?? "", /\|saved\r/);

  await dir.write("graph/adt.ts", "import {");
  await served.line(/config\.reload_failed .*syntax error/);
  await exchange(port, "W2");

  const other = await freePort();
  await dir.write("graph/adt.ts", graphText({ port: other, partnerPort: partner.port }));
  await served.line(/engine permissions: /, 2);
  await served.line(/engine\.started/, 2);
  await exchange(other, "W3");
  await partner.waitForFrames(3);
  assert.equal(await served.stop(), 0);
});

Deno.test("the bundle is not watched in production", async () => {
  await using dir = await tempDir();
  const { args } = await bundle(dir, 6661);
  const { code, err } = await run([...["serve"], ...args.slice(0, -1), "prod", "--watch"], {
    flags: launcherFlags,
  });
  assert.equal(code, 2);
  assert.match(err, /^error: Cannot watch the bundle in production/m);
});
