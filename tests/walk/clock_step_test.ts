import assert from "node:assert/strict";
import { FakeClock, hasFakeClocks } from "../cluster/fake_clock.ts";
import { NodeProcess } from "../cluster/node_process.ts";
import { MllpSender } from "../connectors/mllp_sender.ts";
import { ScriptedPartner } from "../connectors/scripted_partner.ts";
import { freePort, until } from "../connectors/waiting.ts";
import { openBundle } from "../graph/bench.ts";
import { admission } from "./bench.ts";

// Goal: an engine that stands alone and whose system clock is set by an hour loses and reorders
// nothing, and what waits to be sent again waits no longer, also when it starts over with another
// time than its rows were stamped with.
// Method: the process's clock is moved as a whole, by a library that stands before the system's.

const HOUR = 3_600;
const ROWS = 5;
/** What a step may hold up, on a busy machine too. */
const HELD_UP_MS = 10_000;

Deno.test({
  name:
    "an engine whose system clock is set by an hour, running or not, sends in order and at once",
  ignore: !hasFakeClocks(),
  fn: stepWhileRowsWait,
});

async function stepWhileRowsWait(): Promise<void> {
  await using partner = await ScriptedPartner.start();
  const [port, apiPort] = [await freePort(), await freePort()];
  await using bundle = await openBundle({ "graph/pass.ts": graphText(port, partner.port) });
  await bundle.write("engine.toml", settingsText(bundle.dir, apiPort));
  const clock = await FakeClock.make(bundle.dir, "engine");
  const start = async () => {
    const engine = new NodeProcess({
      ...{ name: "engine", bundleDir: bundle.dir, storeDir: bundle.dir, env: clock.env },
      ...{ settingsFile: `${bundle.dir}/engine.toml`, apiHost: "127.0.0.1", apiPort },
      net: ["127.0.0.1"],
    });
    assert.ok(await engine.starts(), engine.said);
    return engine;
  };
  const sent: string[] = [];
  /** Rows that have been tried, and wait to be tried again. */
  const leaveWaiting = async () => {
    partner.otherwise = { do: "close" };
    using sender = await MllpSender.connect(port);
    for (let row = 1; row <= ROWS; row += 1) {
      sent.push(`M${sent.length + 1}`);
      sender.send(admission(sent.at(-1)!));
      await sender.waitForReplies(row);
    }
    const refused = partner.refused;
    await until(() => partner.refused > refused + 2, "tries that fail");
  };
  const delivered = async (what: string) => {
    partner.otherwise = { do: "ack" };
    await until(() => partner.controlIds.at(-1) === sent.at(-1), what, HELD_UP_MS);
  };

  let engine = await start();
  try {
    for (const seconds of [-HOUR, HOUR]) {
      await leaveWaiting();
      await clock.set(seconds);
      await delivered(`deliveries after a step to ${seconds} s`);
    }
    await leaveWaiting();
    await engine.kill();
    await clock.set(-HOUR);
    engine = await start();
    const { time } = engine.log.at(-1)!;
    assert.ok(Math.abs(Date.now() / 1_000 - Date.parse(time as string) / 1_000 - HOUR) < 60);
    await delivered("deliveries of a start two hours back");
    await engine.stop();
  } finally {
    await engine.kill();
  }
  // Of the head there are several, for it was tried again and again.
  const firsts = partner.controlIds.filter((id, index, all) => all.indexOf(id) === index);
  assert.deepEqual(firsts, sent);
  assert.equal(partner.received.length, sent.length + partner.refused);
}

function graphText(port: number, partnerPort: number): string {
  return `
    import { handler, inbound, mllp, outbound, router, send } from "messagefoundry";
    const retry = { backoffSeconds: 0.05, backoffMultiplier: 1.5, maxBackoffSeconds: 0.5 };
    const lab = outbound("OB_LAB", mllp({ host: "127.0.0.1", port: ${partnerPort} }), { retry });
    const pass = handler("pass", (msg) => send(lab, msg));
    inbound("IB_ADT", mllp({ port: ${port} }), { router: router("all", () => pass) });
  `;
}

function settingsText(dir: string, apiPort: number): string {
  return `
[store]
path = "${dir}/engine.db"

[api]
port = ${apiPort}

[auth]
enabled = false

[logging]
format = "json"

[environments]
base_dir = "${dir}"
`;
}
