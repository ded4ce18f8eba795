// Goal: whoever adds to a queue never waits; what is lost is counted and told, and nothing else is.
import assert from "node:assert/strict";
import { SendError } from "../../src/alerts/send_error.ts";
import { SendQueue, type SendQueueOptions } from "../../src/alerts/send_queue.ts";
import { until } from "../connectors/waiting.ts";
import { readableLog, StandingClock } from "./bench.ts";

function queue(rest: Partial<SendQueueOptions<number>> = {}) {
  const { logger, lines } = readableLog();
  const made = new SendQueue<number>({
    transport: "webhook",
    send: () => Promise.resolve(),
    describe: (item) => ({ about: `item ${item}` }),
    logger,
    clock: new StandingClock(),
    backoff: { backoffMs: 1, multiplier: 1, maxBackoffMs: 1 },
    ...rest,
  });
  return { made, lines };
}

function failed(isFinal: boolean): SendError {
  return new SendError("alerts.webhook_failed", "Cannot post", { status: 500, isFinal });
}

Deno.test("SendQueue sends in order, one at a time, and tries again what may pass", async () => {
  const sent: number[] = [];
  let running = 0;
  let failures = 2;
  const { made, lines } = queue({
    async send(item) {
      assert.equal(++running, 1);
      await Promise.resolve();
      running -= 1;
      if (item === 2 && failures-- > 0) throw failed(false);
      sent.push(item);
    },
  });
  for (const item of [1, 2, 3]) assert.ok(made.push(item));
  await until(() => sent.length === 3, "three items");
  assert.deepEqual(sent, [1, 2, 3]);
  // A queue that came to its end begins again.
  made.push(4);
  await until(() => sent.length === 4, "the fourth");
  await made[Symbol.asyncDispose]();
  assert.deepEqual([made.sent, made.failed, made.dropped], [4, 0, 0]);
  assert.deepEqual(lines, []);
});

Deno.test("SendQueue gives up after its attempts, at once when trying again cannot help", async () => {
  const tries: number[] = [];
  const { made, lines } = queue({
    attemptsMax: 3,
    send(item) {
      tries.push(item);
      return item === 3 ? Promise.resolve() : Promise.reject(failed(item === 2));
    },
  });
  for (const item of [1, 2, 3]) made.push(item);
  await until(() => made.sent === 1, "the third to be sent");
  assert.deepEqual(tries, [1, 1, 1, 2, 3]);
  assert.equal(made.failed, 2);
  assert.equal(lines.length, 2);
  assert.match(
    lines[0]!,
    /ERROR .*alert\.send_failed transport=webhook about="item 1" attempts=3 code=alerts\.webhook_failed status=500/,
  );
  await made[Symbol.asyncDispose]();
});

Deno.test("SendQueue takes a thousand, refuses the newest, and says so once a minute", async () => {
  const clock = new StandingClock();
  const gate = Promise.withResolvers<void>();
  const sent: number[] = [];
  const { made, lines } = queue({
    clock,
    async send(item) {
      await gate.promise;
      sent.push(item);
    },
  });
  for (let item = 0; item < 1_500; item += 1) assert.equal(made.push(item), item < 1_000);
  assert.deepEqual([made.waiting, made.dropped], [1_000, 500]);
  assert.equal(lines.length, 1);
  clock.pass(60_000);
  made.push(1_500);
  assert.equal(lines.length, 2);
  assert.match(lines[1]!, /WARNING .*alert\.dropped transport=webhook notices=500 total=501/);
  gate.resolve();
  await until(() => sent.length === 1_000, "the oldest thousand");
  assert.deepEqual([sent[0], sent.at(-1)], [0, 999]);
  await made[Symbol.asyncDispose]();
});

Deno.test("SendQueue ends in bounded time, and tells what it leaves", async () => {
  const { made, lines } = queue({
    closeMs: 50,
    send: (_, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener("abort", () => reject(failed(false)), { once: true });
      }),
  });
  for (const item of [1, 2, 3]) made.push(item);
  await made[Symbol.asyncDispose]();
  assert.deepEqual([made.sent, made.failed, made.dropped, made.waiting], [0, 1, 2, 0]);
  assert.match(lines.at(-1)!, /alert\.dropped transport=webhook notices=2 total=2/);
  assert.ok(!made.push(4));
});

Deno.test("SendQueue sends what is queued before it ends when there is time", async () => {
  const sent: number[] = [];
  const { made } = queue({
    send(item) {
      sent.push(item);
      return Promise.resolve();
    },
  });
  for (const item of [1, 2, 3]) made.push(item);
  await made[Symbol.asyncDispose]();
  assert.deepEqual([sent, made.dropped], [[1, 2, 3], 0]);
});
