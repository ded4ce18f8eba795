// Goal: the clockwork looks at once and again, tells what was held back and still holds, and ends.
import assert from "node:assert/strict";
import { systemClock } from "../../src/clock.ts";
import { Alerts, startWatch, type WatchOptions } from "../../src/alerts/mod.ts";
import type { Raised } from "../../src/alerts/instances.ts";
import { hasTool, runTool } from "../connectors/foreign_tool.ts";
import { until } from "../connectors/waiting.ts";
import { alertsOf, readableLog } from "./bench.ts";
import { Receiver } from "./receiver.ts";

function bench(settings: string) {
  const written: Raised[] = [];
  const { logger, lines } = readableLog();
  const alerts = new Alerts({
    settings: alertsOf(settings),
    clock: systemClock,
    logger,
    write(raised) {
      written.push(...raised);
      return Promise.resolve();
    },
  });
  const watch = (rest: Partial<WatchOptions> = {}) =>
    startWatch({
      alerts,
      clock: systemClock,
      logger,
      lanes: { lanes: () => [], oldestOpen: () => Promise.resolve(undefined) },
      isStopped: () => true,
      isOverSize: () => true,
      ...rest,
    });
  return { alerts, watch, written, lines };
}

function stopped(row: number) {
  return { type: "connection_stopped", connection: "OB", code: "TypeError", row } as const;
}

Deno.test("a stop that came too early is told when its time has come, unless it is over", async () => {
  await using receiver = await Receiver.start();
  const { alerts, watch, written } = bench(
    `[alerts]\nwebhook_url = "${receiver.url()}"\nrealert_seconds = 1\n`,
  );
  let isStopped = true;
  {
    await using _alerts = alerts;
    await using _watch = watch({ isStopped: () => isStopped });
    alerts.raise(stopped(1));
    alerts.raise(stopped(2));
    await receiver.requests(2);
    alerts.raise(stopped(3));
    isStopped = false;
    await new Promise((resolve) => setTimeout(resolve, 2_100));
  }
  const details = receiver.received.map(({ body }) => body.detail);
  assert.deepEqual(details, ["stopped at row 1: TypeError", "stopped at row 2: TypeError"]);
  assert.equal(written.reduce((sum, { count }) => sum + count, 0), 3);
});

Deno.test("a store that was too large is not told of late once it has shrunk", async () => {
  await using receiver = await Receiver.start();
  const { alerts, watch } = bench(
    `[alerts]\nwebhook_url = "${receiver.url()}"\nrealert_seconds = 1\n`,
  );
  const large = (sizeBytes: number) =>
    ({ type: "storage_threshold", connection: "/store", sizeBytes, limitBytes: 1 }) as const;
  let isOverSize = true;
  {
    await using _alerts = alerts;
    await using _watch = watch({ isOverSize: () => isOverSize });
    alerts.raise(large(2));
    alerts.raise(large(3));
    await receiver.requests(2);
    alerts.raise(large(4));
    isOverSize = false;
    await new Promise((resolve) => setTimeout(resolve, 2_100));
  }
  assert.deepEqual(receiver.received.map(({ body }) => body.size_bytes), [2, 3]);
});

Deno.test({
  name: "a certificate that was renewed is not told of late",
  ignore: !await hasTool("openssl", ["version"]),
  async fn() {
    await using receiver = await Receiver.start();
    const certificate = (days: number) =>
      // deno-fmt-ignore
      runTool("openssl", [
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
        "-keyout", "/dev/null", "-subj", "/CN=api", "-days", `${days}`,
      ]);
    const [old, renewed] = [await certificate(10), await certificate(400)];
    const { alerts, watch } = bench(
      `[alerts]\nwebhook_url = "${receiver.url()}"\nrealert_seconds = 1\n`,
    );
    let looks = 0;
    const readText = () => Promise.resolve(++looks <= 3 ? old : renewed);
    const files = () => [{ connection: "api", path: "/api.pem" }];
    {
      await using _alerts = alerts;
      await using _watch = watch({
        certificates: { warnDays: 30, intervalMs: 100, files, readText },
      });
      await new Promise((resolve) => setTimeout(resolve, 2_500));
    }
    assert.ok(looks > 3);
    assert.deepEqual(receiver.received.map(({ body }) => body.days_remaining), [9]);
  },
});

Deno.test("startWatch() looks at once and again, never twice at the same time, and ends", async () => {
  const { alerts, watch, written } = bench("");
  let running = 0;
  let looks = 0;
  const readText = async () => {
    assert.equal(++running, 1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running -= 1;
    looks += 1;
    return "no certificate";
  };
  {
    const files = () => [{ connection: "OB", path: "/none.pem" }];
    await using _watch = watch({ certificates: { warnDays: 1, intervalMs: 1, files, readText } });
    await until(() => looks >= 3, "three looks");
  }
  const atEnd = looks;
  await alerts[Symbol.asyncDispose]();
  assert.deepEqual([running, looks, written], [0, atEnd, []]);
});
