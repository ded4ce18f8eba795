// Goal: an event reaches the one address that is configured and no other, whatever that answers.
import assert from "node:assert/strict";
import type { SendError } from "../../src/alerts/send_error.ts";
import { Webhook, type WebhookOptions } from "../../src/alerts/webhook.ts";
import { Authority } from "../connectors/certificates.ts";
import { hasTool } from "../connectors/foreign_tool.ts";
import { freePort } from "../connectors/waiting.ts";
import { Receiver } from "./receiver.ts";

const never = new AbortController().signal;

function hook(url: string, rest: Partial<WebhookOptions> = {}): Webhook {
  return new Webhook({ url, timeoutMs: 5_000, allowedHosts: [], ...rest });
}

async function failureOf(sending: Promise<unknown>): Promise<SendError> {
  try {
    await sending;
  } catch (thrown) {
    return thrown as SendError;
  }
  throw new Error("It was sent");
}

Deno.test("Webhook posts JSON to its address", async () => {
  await using receiver = await Receiver.start();
  await hook(receiver.url("/a/b?token=t")).send({ type: "queue_buildup", depth: 3 }, never);
  assert.deepEqual(receiver.received, [{
    method: "POST",
    path: "/a/b?token=t",
    type: "application/json",
    authorization: undefined,
    body: { type: "queue_buildup", depth: 3 },
  }]);
});

Deno.test("Webhook follows no redirect", async () => {
  await using elsewhere = await Receiver.start();
  await using receiver = await Receiver.start();
  receiver.headers.location = elsewhere.url();
  for (const status of [301, 302, 303, 307, 308]) {
    receiver.answer = status;
    const refused = await failureOf(hook(receiver.url()).send({ a: 1 }, never));
    assert.deepEqual([refused.code, refused.status, refused.isFinal], [
      "alerts.webhook_failed",
      status,
      true,
    ]);
  }
  assert.equal(receiver.received.length, 5);
  assert.deepEqual(elsewhere.received, []);
});

Deno.test("Webhook reaches no host that is not listed; names differ in case and brackets only", async () => {
  await using receiver = await Receiver.start();
  const refused = await failureOf(
    hook(receiver.url(), { allowedHosts: ["hooks.example.com"] }).send({ a: 1 }, never),
  );
  assert.deepEqual([refused.code, refused.isFinal], ["alerts.host_not_allowed", true]);
  assert.deepEqual(receiver.received, []);
  await hook(receiver.url(), { allowedHosts: ["x", "127.0.0.1"] }).send({ a: 1 }, never);
  await hook(`http://LOCALHOST:${receiver.port}/`, { allowedHosts: ["Localhost."] })
    .send({ a: 1 }, never);
  assert.equal(receiver.received.length, 2);
});

Deno.test("Webhook tells what another attempt may change from what it may not, and no token", async () => {
  await using receiver = await Receiver.start();
  const url = receiver.url("/services/SECRETtoken");
  for (
    const [status, isFinal] of [
      [400, true],
      [404, true],
      [408, false],
      [410, true],
      [429, false],
      [500, false],
      [503, false],
    ] as const
  ) {
    receiver.answer = status;
    const refused = await failureOf(hook(url).send({ a: 1 }, never));
    assert.deepEqual([refused.status, refused.isFinal], [status, isFinal]);
    assert.doesNotMatch(refused.message, /SECRET|says/);
  }
  const port = await freePort();
  const closed = await failureOf(hook(`http://127.0.0.1:${port}/SECRETtoken`).send({}, never));
  assert.equal(closed.isFinal, false);
  assert.doesNotMatch(closed.message, /SECRET/);
});

Deno.test({
  name: "Webhook says nothing to a server whose certificate is not trusted",
  ignore: !await hasTool("openssl", ["version"]),
  async fn() {
    const dir = await Deno.makeTempDir({ prefix: "mefor_hook_" });
    try {
      const authority = await Authority.create(dir);
      await using receiver = await Receiver.start(await authority.issue("hook"));
      const url = `https://localhost:${receiver.port}/`;
      const refused = await failureOf(hook(url).send({ a: 1 }, never));
      assert.deepEqual([refused.code, refused.isFinal], ["alerts.webhook_failed", false]);
      assert.deepEqual(receiver.received, []);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  },
});

Deno.test("Webhook waits no longer than its time, nor after it was told to end", async () => {
  await using receiver = await Receiver.start();
  receiver.answer = "never";
  const late = await failureOf(hook(receiver.url(), { timeoutMs: 100 }).send({ a: 1 }, never));
  assert.match(late.message, /no answer in time/);
  assert.equal(late.isFinal, false);
  const abort = new AbortController();
  const sending = failureOf(hook(receiver.url()).send({ a: 1 }, abort.signal));
  await receiver.requests(2);
  abort.abort();
  assert.equal((await sending).code, "alerts.webhook_failed");
});
