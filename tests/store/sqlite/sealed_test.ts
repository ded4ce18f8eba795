/** A store with a key: what lies in its files, what comes back, what cannot be opened. */
import assert from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { type CellKeys, keyIdOf } from "../../../src/crypto/keys.ts";
import { cipheredColumns } from "../../../src/store/ciphered_cells.ts";
import { testHandOffs } from "../../contract/store/handoffs.ts";
import { testProperties } from "../../contract/store/properties.ts";
import { delivery, heldOf, type StoreBackend, StoreBench } from "../../contract/store/bench.ts";
import { otherKeys, rotatedKeys, testKeys, UNSEALABLE } from "../ciphers.ts";
import { inspect, openStore, sqliteBackend } from "./bench.ts";

const keys = testKeys;

const sealedBackend: StoreBackend = {
  ...sqliteBackend,
  name: "SQLite, sealed:",
  open: async (now) => {
    const path = `${await Deno.makeTempDir()}/store.db`;
    return openStore(path, { now, keys });
  },
  reopen: ({ path }, now) => openStore(path, { now, keys }),
};

testHandOffs(sealedBackend);
testProperties(sealedBackend);

/** Cells that this test does not write. */
const unwritten: ReadonlySet<string> = new Set([
  "messages.summary",
  ...["users.totp_secret", "users.totp_staged"],
]);

/** No cell of any listed column lies in clear; each column but those nobody writes yet has some. */
function assertSealed(db: DatabaseSync, keyId: string): void {
  for (const { table, column } of cipheredColumns) {
    const sql = `SELECT ${column} AS cell FROM ${table} WHERE coalesce(${column}, '') <> ''`;
    const cells = db.prepare(sql).all().map(({ cell }) => String(cell));
    const isWritten = !unwritten.has(`${table}.${column}`);
    assert.equal(cells.length > 0, isWritten, `${table}.${column} is filled by this test`);
    for (const cell of cells) {
      assert.ok(cell.startsWith(`mfenc:v1:${keyId}:`), `${table}.${column} is sealed`);
    }
  }
}

/** One for every cell of spec pipeline-store-cluster §4.3 that this schema has. */
const canaries = {
  raw: "CANARYraw",
  refused: "CANARYrefused",
  refusal: "CANARYrefusal",
  payload: "CANARYpayload",
  failure: "CANARYfailure",
  retry: "CANARYretry",
  dead: "CANARYdead",
  state: "CANARYstate",
  reason: "CANARYreason",
  alert: "CANARYalert",
  answer: "CANARYanswer",
  detail: "CANARYdetail",
  metadata: "CANARYmetadata",
  row: "CANARYrow",
  digest: "CANARYdigest",
};

// Goal: no cell that may hold patient data lies in clear in any file of the store, and each comes
// back as it was (I47).
// Method: a text of its own in every such cell, then a search of the raw bytes.
Deno.test("SqliteStore with a key leaves no cell in clear in its files", async () => {
  await using bench = await StoreBench.open(sealedBackend);
  const refused = bench.message({ raw: canaries.refused, controlId: "CLEARcontrol" });
  await bench.store.submit({ kind: "record_error", message: refused, error: canaries.refusal });
  const held = await bench.receive({ raw: canaries.raw });
  await bench.handOff(held, {
    deliveries: [delivery("OB_A", { payload: canaries.payload }), delivery("OB_B")],
    failures: [{ handler: "h", error: canaries.failure }],
    state: [{ namespace: "CLEARnamespace", key: "k", value: canaries.state }],
  });
  await bench.retry(await bench.take("outbound", "OB_A"), "OB_A", bench.now, canaries.retry);
  await bench.bury(await bench.take("outbound", "OB_B"), "OB_B", canaries.dead);
  await bench.store.submit({
    kind: "connection_events",
    events: [{
      ...{ at: bench.now, connection: "IB", transport: "mllp", direction: "inbound" },
      ...{ event: "closed", peer: undefined, reason: canaries.reason },
    }],
  });
  const raised = ["queue_buildup", "OB_A", "warning", 1, 1, 1, canaries.alert];
  await bench.store.submit({
    kind: "register",
    changes: [
      { name: "alertRaise", values: raised },
      { name: "referencePart", values: ["set", "1", 0, `[["${canaries.row}",1]]`] },
      { name: "referenceFlip", values: ["set", "1", 1, 1, canaries.digest] },
    ],
    audit: [],
  });
  await bench.queued(["OB_C"]);
  const asked = await bench.take("outbound", "OB_C");
  await bench.store.submit({
    ...{ kind: "complete_with_response", ...asked, at: bench.now },
    ...{ destination: "OB_C", next: undefined },
    response: {
      ...{ outcome: "accepted", detail: canaries.detail, body: canaries.answer },
      reingress: { lane: "IB_LOOP", token: undefined },
    },
  });
  const child = bench.message({ channel: "IB_LOOP", metadata: canaries.metadata });
  await bench.store.submit({
    ...{ kind: "reingress", ...await bench.take("response", "IB_LOOP"), at: bench.now },
    ...{ isAnswer: true, message: child, error: undefined, ingressToken: undefined },
  });

  const files = ["", "-wal", "-shm", "-log"].map((end) =>
    Deno.readFileSync(bench.store.path + end)
  );
  const bytes = files.map((file) => new TextDecoder("latin1").decode(file)).join();
  assert.doesNotMatch(bytes, /CANARY/);
  for (const clear of ["CLEARcontrol", "CLEARnamespace", "OB_A"]) assert.ok(bytes.includes(clear));
  await bench.store.totals();
  inspect(bench.store.path, (db) => assertSealed(db, keyIdOf(testKeys.active)));

  const detail = await bench.store.message(held.id);
  assert.deepEqual(
    [detail?.raw, detail?.error, detail?.rows.map(({ lastError }) => lastError)],
    [canaries.raw, canaries.dead, [canaries.retry, canaries.dead, canaries.failure]],
  );
  assert.deepEqual(
    detail?.events.flatMap(({ detail }) => detail ?? []),
    [canaries.failure, canaries.retry, canaries.dead],
  );
  const [answer] = await bench.store.responsesOf(asked.id);
  assert.deepEqual([answer?.body, answer?.detail], [canaries.answer, canaries.detail]);
  assert.equal((await bench.store.message(child.id))?.metadata, canaries.metadata);
  const [part] = await bench.store.register("referenceParts", "set");
  assert.equal(part?.entries, `[["${canaries.row}",1]]`);
  const [set] = await bench.store.register("references");
  assert.equal(set?.digest, canaries.digest);
  const other = await bench.store.message(refused.id);
  assert.deepEqual([other?.raw, other?.error, other?.events[0]?.detail], [
    canaries.refused,
    canaries.refusal,
    canaries.refusal,
  ]);
  assert.deepEqual(
    (await bench.store.outboundOf(held.id))?.map(({ payload }) => payload),
    [canaries.payload, canaries.raw],
  );
  const { deadLetters } = await bench.store.deadLetters({}, { limit: 9, offset: 0 });
  assert.deepEqual(deadLetters.map(({ lastError }) => lastError), [canaries.dead]);
  const { messages } = await bench.store.messages({}, { limit: 9, offset: 0 });
  assert.deepEqual(messages.flatMap(({ error }) => error ?? []), [canaries.dead, canaries.refusal]);
  assert.deepEqual((await bench.store.state()).map(({ value }) => value), [canaries.state]);
  const events = await bench.store.connectionEvents({ limit: 9 });
  assert.deepEqual(events.map(({ reason }) => reason), [canaries.reason]);
  const [alert] = await bench.store.register("alertsLive", 9);
  assert.equal(alert?.reason, canaries.alert);
  assert.equal((await bench.take("outbound", "OB_A")).id, held.id);
});

// Goal: a body that no key opens costs its own row and no other (I24).
Deno.test("SqliteStore gives up one unreadable body, its lane goes on", async () => {
  await using bench = await StoreBench.open(sealedBackend);
  const sent: string[] = [];
  for (let index = 0; index < 5; index += 1) {
    sent.push((await bench.receiveCold({ raw: `body ${index}` })).id);
  }
  await bench.store.totals();
  inspect(bench.store.path, (db) => {
    db.prepare(`
      UPDATE bodies SET body = body || 'x'
       WHERE seq = (SELECT body_seq FROM messages WHERE id = ?)`).run(sent[2]!);
    db.prepare("DELETE FROM bodies WHERE seq = (SELECT body_seq FROM messages WHERE id = ?)")
      .run(sent[3]!);
  });
  const { rows, drained } = await bench.claim("ingress", "IB_ADT", { limit: 9 });
  assert.deepEqual(
    rows.map(({ messageId, body }) => [messageId, body]),
    sent.map((id, index) => [id, index === 2 || index === 3 ? undefined : `body ${index}`]),
  );
  assert.equal(drained, true);
  for (const row of rows) {
    const held = heldOf(row);
    const { mine } = row.body === undefined
      ? await bench.bury(held, undefined, "body cannot be decrypted")
      : await bench.handOff(held);
    assert.equal(mine, true);
  }
  const statuses = await Promise.all(sent.map(async (id) => (await bench.look(id)).status));
  assert.deepEqual(statuses, ["filtered", "filtered", "error", "error", "filtered"]);
  assert.equal((await bench.store.message(sent[2]!))?.raw, "[cannot be decrypted]");
});

Deno.test("SqliteStore refuses to read a state that no key opens, and names no key of it", async () => {
  await using bench = await StoreBench.open(sealedBackend);
  await bench.handOff(await bench.receive(), {
    state: [{ namespace: "beds", key: "DOE^JOHN", value: "1" }],
  });
  await bench.store.totals();
  inspect(bench.store.path, (db) => db.exec("UPDATE state SET value = value || 'x'"));
  await assert.rejects(bench.store.state(), (error: Error & { code?: string }) => {
    assert.equal(error.code, "store.unreadable");
    assert.match(error.message, /"beds"/);
    assert.doesNotMatch(error.message, /DOE/);
    return true;
  });
});

Deno.test("SqliteStore with a key reads what was stored before it had one", async () => {
  await using bench = await StoreBench.open({ ...sealedBackend, open: sqliteBackend.open });
  const clear = await bench.receive({ raw: "in clear" });
  await bench.handOff(clear, { deliveries: [delivery("OB_A", { payload: "clear payload" })] });
  await bench.reopen();
  const { rows } = await bench.claim("outbound", "OB_A");
  assert.deepEqual(rows.map(({ body }) => body), ["clear payload"]);
  assert.equal((await bench.store.message(clear.id))?.raw, "in clear");
});

Deno.test("SqliteStore refuses a batch that cannot be sealed, and takes the next", async () => {
  const writer = new URL("./refusing_writer_worker.ts", import.meta.url);
  await using bench = await StoreBench.open({
    ...sealedBackend,
    open: async (now) => openStore(`${await Deno.makeTempDir()}/store.db`, { now, keys, writer }),
  });
  const outcomes = await Promise.allSettled([
    bench.receive(),
    bench.receive({ raw: UNSEALABLE }),
    bench.receive(),
  ]);
  assert.deepEqual(outcomes.map(({ status }) => status), Array(3).fill("rejected"));
  assert.equal((await bench.store.totals()).messages, 0);
  const after = await bench.receive();
  assert.equal((await bench.look(after.id)).status, "received");
});

// What gathers behind lanes is sealed before its commit: a failure there is its batch's and no other's.
Deno.test("SqliteStore refuses what could not be sealed ahead of its commit, and takes the next", async () => {
  const writer = new URL("./refusing_writer_worker.ts", import.meta.url);
  await using bench = await StoreBench.open({
    ...sealedBackend,
    open: async (now) => openStore(`${await Deno.makeTempDir()}/store.db`, { now, keys, writer }),
  });
  for (let lane = 0; lane < 4; lane += 1) bench.store.march(1);
  /** A resolution of a lane goes at once, and tells of what gathers. */
  const resolveLane = () => {
    const row = { at: bench.now, seq: 1, token: 1 };
    return bench.store.submit({ kind: "release", ...row }, { pressing: true });
  };
  const gather = (raw: string) => bench.receiveCold({ raw });
  const refused = [gather(UNSEALABLE)];
  assert.equal((await resolveLane()).mine, false);
  refused.push(gather("shares its batch"));
  bench.store.flush();
  const outcomes = await Promise.allSettled(refused);
  assert.deepEqual(outcomes.map(({ status }) => status), ["rejected", "rejected"]);
  const taken = [gather("told of")];
  await resolveLane();
  taken.push(gather("not told of"));
  bench.store.flush();
  await Promise.all(taken);
  for (let lane = 0; lane < 4; lane += 1) bench.store.march(-1);
  const { rows } = await bench.claim("ingress", "IB_ADT", { limit: 9 });
  assert.deepEqual(rows.map(({ body }) => body), ["told of", "not told of"]);
});

Deno.test("SqliteStore with a key keeps order and waits for what is being sealed", async () => {
  await using bench = await StoreBench.open(sealedBackend);
  const submitted: Promise<{ id: string }>[] = [];
  for (let batch = 0; batch < 4; batch += 1) {
    for (let index = 0; index < 10; index += 1) submitted.push(bench.receiveCold());
    bench.store.flush();
  }
  const closing = bench.store[Symbol.asyncDispose]();
  const sent = await Promise.all(submitted);
  await closing;
  await bench.reopen();
  const lane = await bench.lane("ingress", "IB_ADT");
  assert.deepEqual(lane.map(({ messageId }) => messageId), sent.map(({ id }) => id));
});

// Goal: changing the key loses nothing: what was sealed before opens with the retired key, what is
// new is sealed with the active one (I48).
Deno.test("SqliteStore opens with its retired keys what it sealed with them", async () => {
  await using bench = await StoreBench.open(sealedBackend);
  const { path } = bench.store;
  const old = await bench.receiveCold({ raw: "old body" });
  await bench.store[Symbol.asyncDispose]();
  bench.store = await openStore(path, { now: () => bench.now, keys: rotatedKeys });
  const fresh = await bench.receiveCold({ raw: "new body" });
  const { rows } = await bench.claim("ingress", "IB_ADT", { limit: 9 });
  assert.deepEqual(rows.map(({ body }) => body), ["old body", "new body"]);
  assert.equal((await bench.store.message(old.id))?.raw, "old body");
  assert.equal((await bench.store.message(fresh.id))?.raw, "new body");
  const cells = inspect(path, (db) => db.prepare("SELECT body FROM bodies ORDER BY seq").all());
  const ids = cells.map(({ body }) => String(body).split(":")[2]);
  assert.deepEqual(ids, [keyIdOf(testKeys.active), keyIdOf(rotatedKeys.active)]);
});

// Goal: a key that was forgotten costs no message: the store is not opened, instead of giving up
// row by row what it cannot read (I48); it opens unharmed once the key is there again.
// Method: no key, another key, and after a change of keys each of the two alone.
Deno.test("SqliteStore.open refuses a store whose key is not configured, and changes nothing", async () => {
  await using bench = await StoreBench.open(sealedBackend);
  const { path } = bench.store;
  const opens = async (keys?: CellKeys) => {
    await bench.store[Symbol.asyncDispose]();
    bench.store = await openStore(path, { now: () => bench.now, keys });
  };
  const refuses = async (keys: CellKeys | undefined, missing: Uint8Array) => {
    await assert.rejects(openStore(path, { keys }), (error: Error & { code?: string }) => {
      assert.equal(error.code, "store.key_missing");
      assert.ok(error.message.includes(`"${keyIdOf(missing)}"`));
      return true;
    });
  };
  await bench.receiveCold({ raw: "old body" });
  await bench.store[Symbol.asyncDispose]();
  await refuses(undefined, testKeys.active);
  await refuses(otherKeys, testKeys.active);
  await opens(rotatedKeys);
  await bench.receiveCold({ raw: "new body" });
  await bench.store[Symbol.asyncDispose]();
  await refuses(otherKeys, testKeys.active);
  await refuses(testKeys, otherKeys.active);
  await opens({ active: testKeys.active, retired: [otherKeys.active] });
  const { rows } = await bench.claim("ingress", "IB_ADT", { limit: 9 });
  assert.deepEqual(rows.map(({ body }) => body), ["old body", "new body"]);
});

// Goal: texts that look like sealed cells go through a store whether it has a key, gets one, or
// never has one.
Deno.test("SqliteStore brings back bodies that look like sealed cells", async () => {
  await using bench = await StoreBench.open(sqliteBackend);
  const { path } = bench.store;
  const bodies = ["mfenc:", "mfenc:v1:0123456789abcdef:AAAA", "mfenc:clear:x", "MSH|"];
  const reads = async () => {
    const { rows } = await bench.claim("ingress", "IB_ADT", { limit: 9 });
    for (const { seq, token } of rows.map(heldOf)) {
      await bench.store.submit({ kind: "release", at: bench.now, seq, token });
    }
    return rows.map(({ body }) => body);
  };
  for (const raw of bodies) await bench.receiveCold({ raw });
  assert.deepEqual(await reads(), bodies);
  await bench.reopen();
  assert.deepEqual(await reads(), bodies);
  await bench.store[Symbol.asyncDispose]();
  bench.store = await openStore(path, { now: () => bench.now, keys });
  for (const raw of bodies) await bench.receiveCold({ raw });
  assert.deepEqual(await reads(), [...bodies, ...bodies]);
});

// Goal: a bit flipped in any sealed cell is seen: its text is missing, and nothing is garbled (I48).
// Method: one bit of every cell of every listed column, in the file; then everything is read.
Deno.test("SqliteStore reads no cell that was tampered with, and reads the rest", async () => {
  await using bench = await StoreBench.open(sealedBackend);
  const held = await bench.receive({ raw: canaries.raw });
  await bench.handOff(held, {
    deliveries: [delivery("OB_A", { payload: canaries.payload }), delivery("OB_B")],
    failures: [{ handler: "h", error: canaries.failure }],
  });
  await bench.bury(await bench.take("outbound", "OB_B"), "OB_B", canaries.dead);
  const whole = await bench.receiveCold({ raw: "whole" });
  await bench.store.totals();
  inspect(bench.store.path, (db) => {
    for (const { table, key, column } of cipheredColumns) {
      const rows = db.prepare(`SELECT * FROM ${table} WHERE coalesce(${column}, '') <> ''`).all();
      for (const [index, row] of rows.entries()) {
        if (table === "bodies" && index === rows.length - 1) continue;
        const cell = String(row[column]);
        const at = 26 + (index * 7) % (cell.length - 30);
        const flipped = cell[at] === "A" ? "B" : "A";
        db.prepare(
          `UPDATE ${table} SET ${column} = ? WHERE ${
            key.map((name) => `${name} = ?`).join(" AND ")
          }`,
        ).run(cell.slice(0, at) + flipped + cell.slice(at + 1), ...key.map((name) => row[name]!));
      }
    }
  });
  const unreadable = "[cannot be decrypted]";
  const detail = await bench.store.message(held.id);
  assert.equal(detail?.raw, unreadable);
  assert.deepEqual(
    detail?.rows.flatMap(({ lastError }) => lastError ?? []),
    [unreadable, unreadable],
  );
  assert.deepEqual(detail?.events.flatMap(({ detail }) => detail ?? []), [unreadable, unreadable]);
  const payloads = await bench.store.outboundOf(held.id);
  assert.deepEqual(payloads?.map(({ payload }) => payload), [unreadable, unreadable]);
  const { rows } = await bench.claim("outbound", "OB_A");
  assert.deepEqual(rows.map(({ body }) => body), [undefined]);
  assert.equal((await bench.store.message(whole.id))?.raw, "whole");
});

// Goal: no nonce comes twice with a key, however often the store is opened (I49).
Deno.test("SqliteStore seals no two cells with one nonce, over restarts and kinds of cells", async () => {
  await using bench = await StoreBench.open(sealedBackend);
  for (let start = 0; start < 6; start += 1) {
    for (let index = 0; index < 20; index += 1) {
      await bench.handOff(await bench.receive(), {
        deliveries: [delivery("OB_A", { payload: `payload ${start} ${index}` })],
        failures: [{ handler: "h", error: `failure ${start} ${index}` }],
      });
    }
    await bench.reopen();
  }
  const cells = inspect(
    bench.store.path,
    (db) =>
      cipheredColumns.flatMap(({ table, column }) =>
        db.prepare(`SELECT ${column} AS cell FROM ${table} WHERE ${column} LIKE 'mfenc:v1:%'`).all()
          .map(({ cell }) => String(cell))
      ),
  );
  const forms = new Set(cells);
  const nonces = new Set([...forms].map((cell) => cell.slice(26, 42)));
  assert.ok(forms.size >= 6 * 20 * 3);
  assert.equal(nonces.size, forms.size);
});
