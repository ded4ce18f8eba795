/** A real engine whose store has a key: where patients' data lies in clear, and where it does not. */
import assert from "node:assert/strict";
import { MllpSender } from "../connectors/mllp_sender.ts";
import { within } from "../connectors/waiting.ts";
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
  total,
} from "./sealed_site.ts";

// Goal: with a key no value of a patient lies in clear in the database, its WAL, the commit log,
// temporary files, the log, metrics or totals (I47); whoever may see it, and partners, still get it.
// Method: one message each that is delivered, waits, is refused by the partner, fails in a handler,
// goes into state, is no HL7; a search of every file of the engine alive, killed, and stopped.
Deno.test("an engine with a key leaves no patient in clear in any file or log of it", async () => {
  await using site = await openSite();
  const { dir, port, partner } = site;
  const data = `${dir.path}/data`;
  const noneIn = (...dirs: string[]) => {
    for (const path of dirs) assert.deepEqual(filesOf(path, CANARY).holding, [], path);
  };
  {
    const served = site.serve();
    const api = await apiOf(served);
    assert.match(
      await served.line(/store\.opened/),
      new RegExp(`sealed=true key_id=${KEY_ID} retired_keys=0`),
    );
    using sender = await MllpSender.connect(port);
    partner.script({ do: "ack" }, { do: "raw", bytes: rejection("R1") });
    for (const [index, id] of ["D1", "R1", "F1", "K1"].entries()) {
      sender.send(canary(id));
      const replies = await sender.waitForReplies(index + 1);
      assert.equal(answered(replies[index]!).code, "AA", id);
    }
    sender.send(`${CANARY}GARBAGE is no HL7`);
    await sender.waitForReplies(5);
    await partner.waitForFrames(3);
    assert.match(partner.received[0]!.text, /CANARYNAME\^CANARYGIVEN/);
    await within(total(`${api}/dead-letters`, 1), "a dead letter", 15_000);
    await within(total(`${api}/messages?status=error`, 2), "two failed messages", 15_000);
    assert.deepEqual(
      filesOf(data, CANARY).all.filter((name) => /^mf\.db(-\w+)?$/.test(name)).toSorted(),
      ["mf.db", "mf.db-log", "mf.db-shm", "mf.db-wal"],
    );
    noneIn(data, `${dir.path}/tmp`);
    for (const path of ["/metrics", "/stats", "/status", "/health"]) {
      const response = await fetch(api + path);
      assert.doesNotMatch(await response.text(), /CANARY/, path);
    }
    const { messages } = await json(`${api}/messages?control_id=D1`);
    const { raw } = await json(`${api}/messages/${messages[0].id}`);
    assert.match(raw, /CANARYNAME\^CANARYGIVEN/, "who may see it, sees it");
    await served.stop("SIGKILL");
    assert.doesNotMatch(served.text, /CANARY/);
    assert.ok(!served.text.includes(key.slice(0, 8)), "the log shows the key");
    noneIn(data, `${dir.path}/tmp`);
  }
  await using again = site.serve();
  await apiOf(again);
  assert.equal(await again.stop(), 0);
  assert.doesNotMatch(again.text, /CANARY/);
  assert.deepEqual(filesOf(data, "").all.filter((name) => /-(wal|log)$/.test(name)), []);
  assert.deepEqual(filesOf(data, "mfenc:v1:").holding, ["mf.db"]);
  noneIn(data, `${dir.path}/tmp`);
});

// Goal: the search above finds what is there.
Deno.test("an engine without a key says so, and its files hold patients in clear", async () => {
  await using site = await openSite();
  await using served = site.serve({});
  await apiOf(served);
  assert.match(await served.line(/store\.opened/), /sealed=false(?!.*key)/);
  using sender = await MllpSender.connect(site.port);
  sender.send(canary("D1"));
  await sender.waitForReplies(1);
  assert.ok(filesOf(`${site.dir.path}/data`, CANARY).holding.includes("mf.db-log"));
});

// Goal: with the key gone or changed nothing is lost and nothing is taken (I48, I51): the engine
// does not start and says which key it wants; with that key retired everything is there.
Deno.test("an engine without the key of its store refuses, and goes on with it retired", async () => {
  await using site = await openSite();
  const { port, partner } = site;
  const newKey = new Uint8Array(32).fill(6).toBase64();
  {
    await using served = site.serve();
    await apiOf(served);
    partner.script({ do: "close" });
    using sender = await MllpSender.connect(port);
    sender.send(canary("D1"));
    await sender.waitForReplies(1);
    await partner.waitForFrames(1);
    assert.equal(await served.stop(), 0);
  }
  const wrong: readonly Record<string, string>[] = [{}, { MEFOR_STORE_ENCRYPTION_KEY: newKey }];
  for (const env of wrong) {
    const refused = site.serve(env);
    assert.equal(await refused.ended(), 3);
    assert.match(refused.text, new RegExp(`sealed with key "${KEY_ID}", which is not configured`));
    assert.doesNotMatch(refused.text, /engine\.(listener|started)|CANARY/);
    await assert.rejects(MllpSender.connect(port));
  }
  await using served = site.serve({
    MEFOR_STORE_ENCRYPTION_KEY: newKey,
    MEFOR_STORE_ENCRYPTION_KEYS_RETIRED: key,
  });
  await apiOf(served);
  assert.match(await served.line(/store\.opened/), /sealed=true key_id=\w{16} retired_keys=1/);
  await partner.waitForFrames(2);
  assert.match(partner.received[1]!.text, /CANARYNAME\^CANARYGIVEN/);
});
