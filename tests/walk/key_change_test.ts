/** A real engine over the life of its keys: none, a first one, another one; messages flow all the while. */
import assert from "node:assert/strict";
import { offlineFlags, type Ran, run } from "../cli/program.ts";
import { MllpSender } from "../connectors/mllp_sender.ts";
import { until, within } from "../connectors/waiting.ts";
import { answered } from "./bench.ts";
import {
  apiOf,
  CANARY,
  canary,
  filesOf,
  json,
  key,
  KEY_ID,
  openSite,
  rejection,
  type Site,
  total,
} from "./sealed_site.ts";

const newKey = new Uint8Array(32).fill(6).toBase64();
const NEW_KEY_ID = "e802086ad6a1e16b";
const both = { MEFOR_STORE_ENCRYPTION_KEY: newKey, MEFOR_STORE_ENCRYPTION_KEYS_RETIRED: key };

function rotate({ dir }: Site, env: Readonly<Record<string, string>> = both): Promise<Ran> {
  return run(
    ["rotate-key", "--project-root", dir.path, "--db", `${dir.path}/data/mf.db`],
    { env, flags: [...offlineFlags, "--allow-write"] },
  );
}

/** Sends one message after the other until it is told to stop; returns the control IDs. */
async function traffic(port: number, series: string, isOver: () => boolean): Promise<string[]> {
  using sender = await MllpSender.connect(port);
  const sent: string[] = [];
  while (!isOver()) {
    const id = `L${series}${sent.length}`;
    sender.send(canary(id));
    sent.push(id);
    const replies = await sender.waitForReplies(sent.length);
    assert.deepEqual(answered(replies.at(-1)!).code, "AA", id);
  }
  return sent;
}

async function send(port: number, ids: readonly string[]): Promise<void> {
  using sender = await MllpSender.connect(port);
  for (const [index, id] of ids.entries()) {
    sender.send(canary(id));
    const replies = await sender.waitForReplies(index + 1);
    assert.equal(answered(replies[index]!).code, "AA", id);
  }
}

/** Reads every message as an operator would; returns their control IDs. */
async function readAll(api: string): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    const { messages } = await json(`${api}/messages?limit=100&offset=${ids.length}`);
    for (const { id, control_id } of messages) {
      const { raw } = await json(`${api}/messages/${id}`);
      assert.match(raw, /CANARYNAME\^CANARYGIVEN/, control_id);
      ids.push(control_id);
    }
    if (messages.length === 0) return ids;
  }
}

// Goal: none, one, and another key, without a message lost, held up, or left in clear or with a key
// that was taken away (I47, I50).
// Method: the documented procedure on one store, with a sender that never stops for the tool; after
// each step a search of every file, at the end an engine that has the new key alone.
Deno.test("an engine gets a key and changes it while messages flow, and the old key can go", async () => {
  await using site = await openSite();
  const { dir, port, partner } = site;
  const data = `${dir.path}/data`;
  const noneIn = (text: string) => {
    for (const path of [data, `${dir.path}/tmp`]) {
      assert.deepEqual(filesOf(path, text).holding, [], `${text} in ${path}`);
    }
  };
  const inClear = ["D1", "R1", "F1", "K1", "L1"];
  {
    const served = site.serve({});
    const api = await apiOf(served);
    partner.script({ do: "ack" }, { do: "raw", bytes: rejection("R1") });
    await send(port, inClear);
    await within(total(`${api}/dead-letters`, 1), "a dead letter", 15_000);
    await partner.waitForFrames(4);
    // Killed, so that the logs too hold patients in clear.
    await served.stop("SIGKILL");
    assert.ok(filesOf(data, CANARY).holding.length > 1);
  }
  {
    await using served = site.serve();
    const api = await apiOf(served);
    await served.line(/store\.sealing /);
    await served.line(/store\.sealed .*cells=\d+/);
    await send(port, ["L2"]);
    assert.deepEqual((await readAll(api)).toSorted(), [...inClear, "L2"].toSorted());
    noneIn(CANARY);
    const early = await rotate(site);
    assert.equal(early.code, 2);
    assert.match(early.err, new RegExp(`the running engine seals with key "${KEY_ID}"`));
    assert.equal(await served.stop(), 0);
    assert.doesNotMatch(served.text, /CANARY/);
    noneIn(CANARY);
  }
  let sent: string[];
  {
    const served = site.serve(both);
    const api = await apiOf(served);
    await served.line(new RegExp(`store\\.key_needed .*key_id=${KEY_ID}`));
    let isOver = false;
    const sending = traffic(port, "x", () => isOver);
    const before = partner.received.length;
    await partner.waitForFrames(before + 20);
    const { code, out, err } = await rotate(site);
    assert.equal(code, 0, err);
    assert.match(out, new RegExp(`^OK: [1-9]\\d* values sealed with key "${NEW_KEY_ID}"`));
    assert.match(out, new RegExp(`Key "${KEY_ID}" may leave`));
    await partner.waitForFrames(partner.received.length + 20);
    isOver = true;
    sent = await sending;
    const { messages: [old] } = await json(`${api}/messages?control_id=L1`);
    const frames = () => partner.received.filter(({ controlId }) => controlId === "L1").length;
    const delivered = frames();
    const response = await fetch(`${api}/messages/${old.id}/replay`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    assert.equal((await response.json()).requeued, 1);
    await until(() => frames() === delivered + 1, "a message of before the keys, sent again");
    const processed = `${api}/messages?status=processed`;
    await within(total(processed, sent.length + 2), "every message to be processed", 15_000);
    // Killed, so that what memory and the log hold of it has to do without the old key too.
    await served.stop("SIGKILL");
    noneIn(CANARY);
    noneIn(`mfenc:v1:${KEY_ID}`);
  }
  await using served = site.serve({ MEFOR_STORE_ENCRYPTION_KEY: newKey });
  const api = await apiOf(served);
  assert.match(
    await served.line(/store\.opened/),
    new RegExp(`key_id=${NEW_KEY_ID} retired_keys=0`),
  );
  assert.deepEqual((await readAll(api)).toSorted(), [...inClear, "L2", ...sent].toSorted());
  const arrived = partner.received.map(({ controlId }) => controlId);
  assert.deepEqual(arrived.filter((id) => sent.includes(id)), sent, "each once, in order");
  assert.doesNotMatch(served.text, /cannot be decrypted|store\.(sealing|key_)/);
  assert.equal(await served.stop(), 0);
  noneIn(CANARY);
  noneIn(`mfenc:v1:${KEY_ID}`);
  // The audit log's key is a cell too: its chain goes on under the new key.
  const audit = await run(
    ["audit-verify", "--project-root", dir.path, "--db", `${data}/mf.db`],
    { env: { MEFOR_STORE_ENCRYPTION_KEY: newKey } },
  );
  assert.equal(audit.code, 0, audit.out + audit.err);
  assert.match(audit.out, /^OK: .*\b[1-9]/);
});
