import assert from "node:assert/strict";
import { openLog } from "../../src/logging/mod.ts";
import { loadSettings } from "../../src/settings/mod.ts";
import { until } from "../connectors/waiting.ts";
import { stalled, tcpCollector, udpCollector } from "./collectors.ts";

function loggingOf(text: string) {
  const file = { path: "messagefoundry.toml", text: `[logging]\n${text}` };
  return loadSettings({ file }).settings.logging;
}

function stdout() {
  const chunks: string[] = [];
  const write = (bytes: Uint8Array) => {
    chunks.push(new TextDecoder().decode(bytes));
    return Promise.resolve(bytes.length);
  };
  return { chunks, write };
}

Deno.test("openLog() writes each reader's own format", async () => {
  await using collector = udpCollector();
  const { chunks, write } = stdout();
  await using log = openLog({
    settings: loggingOf(
      `format = "text"\nforward_enabled = true\nforward_host = "127.0.0.1"\n` +
        `forward_port = ${collector.port}\n`,
    ),
    stdout: write,
  });
  log.logger.info("a.b", { n: 1 });
  log.logger.debug("a.b", { n: 2 });
  await until(() => collector.messages.length === 1, "the datagram");
  await log.flush();
  assert.match(chunks.join(""), /^\S+ INFO messagefoundry\.a: a\.b n=1\n$/);
  assert.match(collector.messages[0] ?? "", / a\.b - \{"time":.*"message":"a\.b n=1"\}$/);
  assert.deepEqual(log.dropped(), { stdout: 0, syslog: 0 });
});

Deno.test("openLog() forwards nothing unless it is told to", async () => {
  await using collector = udpCollector();
  const { chunks, write } = stdout();
  await using log = openLog({
    settings: loggingOf(`forward_host = "127.0.0.1"\nforward_port = ${collector.port}\n`),
    stdout: write,
  });
  log.logger.info("a.b");
  await log.flush();
  assert.equal(chunks.length, 1);
  assert.deepEqual(log.dropped(), { stdout: 0 });
  assert.deepEqual(collector.messages, []);
});

// Goal: the last words of the forwarder reach the operator. Method: a collector that takes nothing.
Deno.test("openLog() tells at its end what the collector did not get", async () => {
  await using collector = await tcpCollector({ temper: stalled });
  const { chunks, write } = stdout();
  const log = openLog({
    settings: loggingOf(
      `forward_enabled = true\nforward_protocol = "tcp"\nforward_host = "127.0.0.1"\n` +
        `forward_port = ${collector.port}\n`,
    ),
    stdout: write,
  });
  for (let n = 0; n < 9_000; n++) log.logger.info("a.b", { reason: "x".repeat(1_500) });
  await log[Symbol.asyncDispose]();
  assert.match(
    chunks.join("").trim().split("\n").at(-1) ?? "",
    /ERROR .*logging\.forward_dropped /,
  );
  assert.ok((log.dropped().syslog ?? 0) > 0);
});
