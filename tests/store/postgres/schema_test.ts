// Goal: a schema is made once, brought up to date, and refused when it is not ours or not yet ours;
// what its keys seal is never in clear, and statements go by their indexes.
import assert from "node:assert/strict";
import fc from "fast-check";
import { verifyServerAudit } from "../../../src/audit/mod.ts";
import { keyIdOf } from "../../../src/crypto/keys.ts";
import { cipheredColumns } from "../../../src/store/ciphered_cells.ts";
import { postgres } from "../../../src/store/postgres/dialect.ts";
import { migrations } from "../../../src/store/postgres/migrations/mod.ts";
import { statements } from "../../../src/store/postgres/statements.ts";
import { openServerAuditRows } from "../../../src/store/server/audit_rows.ts";
import type { ServerOptions } from "../../../src/store/server/dialect.ts";
import { fromStoredText, toStoredText } from "../../../src/store/server/text.ts";
import { migrations as sqliteMigrations } from "../../../src/store/sqlite/migrations/mod.ts";
import { delivery, StoreBench } from "../../contract/store/bench.ts";
import { Authority } from "../../connectors/certificates.ts";
import { otherKeys, rotatedKeys, testKeys } from "../ciphers.ts";
import { openStore, postgresBackend } from "./bench.ts";
import { hasPostgres, PostgresServer } from "../../postgres/server.ts";

const isHere = hasPostgres();
const server = isHere ? await PostgresServer.start() : undefined;
if (server !== undefined) globalThis.addEventListener("unload", () => server.kill());

function test(name: string, act: (server: PostgresServer) => Promise<void>): void {
  Deno.test({ name, ignore: !isHere, fn: () => act(server!) });
}

Deno.test("migrations have the numbers and names of SQLite's", () => {
  const named = (all: typeof migrations) => all.map(({ version, name }) => [version, name]);
  assert.deepEqual(named(migrations), named(sqliteMigrations));
});

Deno.test("any text comes back as it was, and equal ones have equal forms", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: fc.constantFrom("\0", "%", "0", "m", "mfenc:nul:", '"', "\\") }),
  );
  fc.assert(
    fc.property(text, text, (one, other) => {
      assert.equal(fromStoredText(toStoredText(one)), one);
      assert.ok(!toStoredText(one).includes("\0"));
      assert.equal(toStoredText(one) === toStoredText(other), one === other);
    }),
    { numRuns: 500 },
  );
});

test("arrays of any texts and numbers reach the server as they are", async (server) => {
  const texts = fc.array(fc.option(fc.string({ unit: "binary" }).map((one) => one.toWellFormed())));
  await server.ask({ schema: undefined }, (connection) =>
    fc.assert(
      fc.asyncProperty(texts, fc.array(fc.option(fc.maxSafeInteger())), async (texts, numbers) => {
        const ask = async (kind: string, list: readonly (string | number | null)[]) =>
          (await connection.ask(
            `SELECT one FROM unnest($1::${kind}[]) WITH ORDINALITY AS t (one, at) ORDER BY at`,
            [list],
          )).rows.map(({ one }) => one);
        assert.deepEqual(await ask("text", texts), texts);
        assert.deepEqual(await ask("bigint", numbers), numbers);
      }),
      { numRuns: 50 },
    ));
});

test("several engines that open a new store at once make one schema", async (server) => {
  const options = server.options();
  const stores = await Promise.all(
    Array.from({ length: 4 }, () => openStore(options, { isShared: true })),
  );
  const tokens = stores.map((store) => store.nextToken());
  assert.equal(new Set(tokens).size, 4, "each has its own epoch");
  await Promise.all(stores.map((store) => store[Symbol.asyncDispose]()));
  const version = await server.ask(
    options,
    (it) => it.ask("SELECT schema_version FROM store_meta"),
  );
  assert.equal(version.rows[0]?.schema_version, migrations.length);
});

test("a newer schema, another program's and one that is not there are refused", async (server) => {
  const newer = server.options();
  await (await openStore(newer))[Symbol.asyncDispose]();
  await server.ask(newer, (it) => it.ask("UPDATE store_meta SET schema_version = 99"));
  await assert.rejects(openStore(newer), { code: "store.newer_schema" });

  const foreign = server.options();
  await server.ask(
    foreign,
    (it) => it.ask(`CREATE SCHEMA ${foreign.schema}; CREATE TABLE messages (id integer)`),
  );
  await assert.rejects(openStore(foreign), { code: "store.foreign" });

  const latin = server.options({ database: "latin" });
  await server.ask(
    { schema: undefined },
    (it) => it.ask("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0"),
  );
  await assert.rejects(openStore(latin), { code: "store.open_failed", message: /encoding/ });
  await assert.rejects(openStore(server.options({ database: "none" })), {
    code: "store.sign_in_refused",
  });
  await assert.rejects(openStore(server.options({ port: 1 })), {
    code: "store.unavailable",
    message: /127\.0\.0\.1:1/,
  });
});

/** Cells that this test does not write. */
const unwritten: ReadonlySet<string> = new Set([
  ...["messages.summary", "messages.metadata"],
  ...["users.totp_secret", "users.totp_staged"],
]);

// I47, I48 on the server's tables.
test("a store with a key leaves no cell in clear, and opens with no other key", async (server) => {
  const backend = postgresBackend(server, { keys: testKeys, look: assertSealed });
  {
    await using bench = await StoreBench.open(backend);
    const refused = bench.message({ raw: "CANARYrefused" });
    await bench.store.submit({ kind: "record_error", message: refused, error: "CANARYrefusal" });
    const held = await bench.receive({ raw: "CANARYraw" });
    await bench.handOff(held, {
      deliveries: [delivery("OB_A", { payload: "CANARYpayload" }), delivery("OB_B")],
      failures: [{ handler: "h", error: "CANARYfailure" }],
      state: [{ namespace: "n", key: "k", value: "CANARYstate" }],
    });
    await bench.retry(await bench.take("outbound", "OB_A"), "OB_A", bench.now, "CANARYretry");
    await bench.bury(await bench.take("outbound", "OB_B"), "OB_B", "CANARYdead");
    await bench.store.submit({
      kind: "connection_events",
      events: [{
        ...{ at: bench.now, connection: "IB", transport: "mllp", direction: "inbound" },
        ...{ event: "closed", peer: undefined, reason: "CANARYreason" },
      }],
    });
    const raised = ["queue_buildup", "OB_A", "warning", 1, 1, 1, "CANARYalert"];
    const changes = [{ name: "alertRaise" as const, values: raised }];
    await bench.store.submit({ kind: "register", changes, audit: [] });
    await bench.queued(["OB_C"]);
    const { seq, token, messageSeq } = await bench.take("outbound", "OB_C");
    await bench.store.submit({
      ...{ kind: "complete_with_response", at: bench.now, seq, token, messageSeq },
      ...{ destination: "OB_C", next: undefined },
      response: {
        ...{ outcome: "accepted", detail: "CANARYdetail", body: "CANARYanswer" },
        reingress: undefined,
      },
    });
    await bench.store.submit({
      kind: "register",
      changes: [
        { name: "referencePart", values: ["wards", "1", 0, '[["CANARYkey","CANARYrow"]]'] },
        { name: "referenceFlip", values: ["wards", "1", 1, 1, "CANARYdigest"] },
      ],
      audit: [],
    });
    const detail = await bench.store.message(held.id);
    assert.deepEqual([detail?.raw, detail?.error], ["CANARYraw", "CANARYdead"]);
    assert.equal((await bench.store.register("alertsLive", 1))[0]?.reason, "CANARYalert");
    assert.deepEqual(await bench.store.state(), [
      { namespace: "n", key: "k", value: "CANARYstate" },
    ]);
  }

  async function assertSealed(_store: unknown, { schema }: ServerOptions): Promise<void> {
    await server.ask({ schema }, async (connection) => {
      for (const { table, column } of cipheredColumns) {
        const { rows } = await connection.ask(
          `SELECT ${column} AS cell FROM ${table} WHERE coalesce(${column}, '') <> ''`,
        );
        assert.equal(rows.length > 0, !unwritten.has(`${table}.${column}`), `${table}.${column}`);
        for (const { cell } of rows) {
          assert.ok(String(cell).startsWith(`mfenc:v1:${keyIdOf(testKeys.active)}:`));
        }
      }
    });
  }
});

test("a store is not opened without the keys of its cells; uses of a key are counted", async (server) => {
  const options = server.options();
  await (await openStore(options, { keys: testKeys }))[Symbol.asyncDispose]();
  await assert.rejects(openStore(options), { code: "store.key_missing" });
  await assert.rejects(openStore(options, { keys: otherKeys }), { code: "store.key_missing" });
  await using store = await openStore(options, { keys: rotatedKeys });
  assert.equal(store.keyId, keyIdOf(otherKeys.active));
  const { rows } = await server.ask(
    options,
    (it) => it.ask("SELECT key_id, uses FROM store_keys ORDER BY first_used_at, uses"),
  );
  const uses = new Map(rows.map((row) => [row.key_id, Number(row.uses)]));
  // A clean stop takes back what was not made: the audit chain's key is all that was sealed.
  assert.equal(uses.get(keyIdOf(testKeys.active)), 1);
  assert.ok(uses.get(keyIdOf(otherKeys.active))! >= 2 ** 18, "entered before the first is made");
});

// I52, I53: one chain over restarts and two nodes; every change of a row is found.
test("the audit chain is whole after appends of two nodes, and shows what was changed", async (server) => {
  const options = server.options();
  const audit = (n: number) => [
    { at: n, actor: "ann", action: `act.${n}`, channel: null, detail: null },
  ];
  {
    await using one = await openStore(options, { isShared: true, keys: testKeys });
    await using other = await openStore(options, { isShared: true, keys: testKeys });
    await Promise.all(
      Array.from(
        { length: 30 },
        (_, n) => (n % 2 ? one : other).submit({ kind: "register", changes: [], audit: audit(n) }),
      ),
    );
  }
  const verify = async (keys = testKeys) => {
    await using log = await openServerAuditRows(postgres, options, keys);
    return await verifyServerAudit(log.rows(), log.key);
  };
  const whole = await verify();
  assert.deepEqual([whole.ok, whole.rows], [true, 30]);
  const change = (sql: string) => server.ask(options, (it) => it.ask(sql));
  for (const [edit, undo] of [["actor = 'bob'", "actor = 'ann'"], ["at = at + 1", "at = at - 1"]]) {
    await change(`UPDATE audit_log SET ${edit} WHERE id = 17`);
    const found = await verify();
    assert.ok(!found.ok && found.row === 17, edit);
    await change(`UPDATE audit_log SET ${undo} WHERE id = 17`);
  }
  await change("DELETE FROM audit_log WHERE id = 9");
  const cut = await verify();
  assert.ok(!cut.ok && cut.row === 10);
  assert.equal((await verify(otherKeys)).ok, false);
});

/** Statements of every commit and every claim, and the index that serves them. */
const hot: readonly (readonly [keyof typeof statements, string, readonly (string | number)[]])[] = [
  ["load", "queue_message", ["{1}", "{2}"]],
  ["updateRows", "queue_pkey", ["{1}", "{a}", "{1}", "{1}", "{1}", "{a}", "{1}"]],
  ["updateMessages", "messages_pkey", ["{1}", "{a}", "{a}"]],
  ["deleteRows", "queue_pkey", ["{1}"]],
  ["readLane", "queue_lane_open", ["outbound", "OB", 0, 10]],
  ["readDueLane", "queue_lane_open", ["outbound", "OB", 0, 1, 10]],
  ["laneRest", "queue_lane_open", ["outbound", "OB", 0]],
  ["laneHead", "queue_lane_open", ["OB"]],
  ["cancellable", "queue_lane_open", ["OB", 10]],
  ["findMessage", "message_by_id", ["id"]],
  ["rowsOfMessage", "queue_message", [1]],
  ["deadDeliveries", "queue_dead", ["IB", "OB"]],
  ["dueMessages", "messages_unpurged", [0, 0, 1, 10]],
  ["dueDeadLetters", "queue_dead_unpurged", [0, 0, 1, 10]],
  ["deleteConnectionEvents", "connection_event_ts", [1, 10]],
];

test("statements of commits, claims and purges go by their indexes", async (server) => {
  const options = server.options();
  await (await openStore(options))[Symbol.asyncDispose]();
  await server.ask(options, async (connection) => {
    // As the writer's session does: a plan is made once, while tables may still be empty.
    for (const name of ["enable_seqscan", "enable_hashjoin", "enable_mergejoin"]) {
      await connection.ask(`SET ${name} TO off`);
    }
    await connection.ask("SET plan_cache_mode TO force_generic_plan");
    for (const [name, index, values] of hot) {
      const { rows } = await connection.ask(`EXPLAIN ${statements[name]}`, values);
      const plan = rows.map((row) => row["QUERY PLAN"]).join("\n");
      assert.match(plan, new RegExp(`\\b${index}\\b`), `${name}\n${plan}`);
    }
  });
});

// A node that does not lead any more claims nothing; what it received and sent is stored all the same.
test("a fence keeps a node from claiming, and from nothing else", async (server) => {
  const options = server.options();
  let closed = 0;
  await using bench = await StoreBench.open({
    ...postgresBackend(server),
    open: (now) => openStore(options, { isShared: true, now, onFenced: () => closed += 1 }),
    remove: async () => {},
  });
  await server.ask(options, async (it) => {
    await it.ask("CREATE TABLE leader (epoch bigint)");
    await it.ask("INSERT INTO leader VALUES (1)");
  });
  const store = bench.store as Awaited<ReturnType<typeof openStore>>;
  const condition = "(SELECT epoch FROM leader) <= $1::bigint";
  store.setFence({ condition, values: [1] });
  const lead = (epoch: number) =>
    server.ask(options, (it) => it.ask("UPDATE leader SET epoch = $1", [epoch]));
  const held = await bench.receive();
  const { seqs: [seq] } = await bench.handOff(held, {
    deliveries: [delivery("OB_A", { token: store.nextToken() }), delivery("OB_A")],
  });
  const flying = await bench.receive();
  assert.equal(closed, 0);
  await lead(2);
  const late = await bench.receive();
  assert.equal(closed, 1, "told before the answer");
  assert.deepEqual((await bench.look(late.id)).rows, ["ingress IB_ADT pending 0"]);
  assert.deepEqual((await bench.claim("ingress", "IB_ADT")).rows, []);
  const next = { seq: seq! + 1, token: store.nextToken() };
  const token = (await bench.handOff(flying, {
    deliveries: [delivery("OB_B", { token: store.nextToken() })],
  })).mine;
  assert.equal(token, true, "what is in flight is resolved");
  assert.deepEqual((await bench.look(flying.id)).rows, ["outbound OB_B pending 0"]);
  const claim = { kind: "claim_row", at: bench.now, ...next } as const;
  assert.equal((await store.submit(claim)).mine, false);
  assert.equal(closed, 1, "told once");
  await assert.rejects(bench.purge("messages", bench.now + 1), { code: "store.not_leader" });
  await lead(1);
  assert.equal((await store.submit(claim)).mine, true);

  // The other node takes over what this one left in flight, and nothing of its own.
  await using other = await openStore(options, { isShared: true });
  const own = await other.submit({
    kind: "receive",
    message: bench.message({ channel: "IB_OTHER" }),
    token: other.nextToken(),
  });
  assert.equal(await other.recoverOthers(bench.now), 2);
  const lane = await other.oldestInLane("ingress", "IB_OTHER");
  assert.ok(lane !== undefined && own.seq > late.seq, "its numbers go on");
  assert.equal((await bench.complete({ ...held, seq: seq!, token: 1 }, "OB_A")).mine, false);
});

// Two writers take turns: what one remembers is forgotten when the other has written (I19, I40).
test("an act of another node is seen by the next commit of this one", async (server) => {
  const options = server.options();
  await using bench = await StoreBench.open({
    ...postgresBackend(server),
    open: (now) => openStore(options, { isShared: true, now }),
    remove: async () => {},
  });
  await using standby = await openStore(options, { isShared: true });
  for (let round = 0; round < 5; round += 1) {
    const { id, seqs } = await bench.queued(["OB_A", "OB_B"]);
    const cancel = { kind: "cancel", destination: "OB_B", scope: "all", at: bench.now } as const;
    assert.equal((await standby.submit(cancel)).cancelled, 1);
    const claim = { kind: "claim_row", at: bench.now, seq: seqs[1]!, token: 9 } as const;
    assert.equal((await bench.store.submit(claim)).mine, false, "cancelled meanwhile");
    await bench.complete(await bench.take("outbound", "OB_A"), "OB_A");
    const look = await bench.look(id);
    assert.deepEqual([look.status, look.rows], ["processed", [
      "outbound OB_A done 1",
      "outbound OB_B cancelled 0",
    ]]);
    assert.deepEqual(look.events.slice(-2), ["cancelled OB_B", "delivered OB_A"]);
  }
  assert.deepEqual(await bench.store.checkIntegrity(), { ok: true, detail: "ok" });
});

test("TLS: the authority's file, the server's name, or a warning sign", async (server) => {
  const directory = await Deno.makeTempDir({ prefix: "mefor_tls_" });
  try {
    const authority = await Authority.create(directory);
    const leaf = await authority.issue("db", "DNS:localhost");
    const [cert, key, caText] = await Promise.all(
      [leaf.cert, leaf.key, authority.file].map((path) => Deno.readTextFile(path)),
    );
    const other = await Authority.create(directory, "other");
    await using own = await PostgresServer.start({ tls: { cert: cert!, key: key! } });
    const tls = (parts: Partial<ServerOptions>) =>
      own.options({ encrypt: true, host: "localhost", caText, ...parts });
    const opens = async (options: ServerOptions) => {
      await using _store = await openStore(options);
      const { rows } = await own.ask(
        { schema: undefined },
        (it) =>
          it.ask(`SELECT bool_and(s.ssl) AS all_tls FROM pg_stat_ssl s
                  JOIN pg_stat_activity a ON a.pid = s.pid
                 WHERE a.application_name = 'messagefoundry' AND a.pid <> pg_backend_pid()`),
      );
      assert.equal(rows[0]?.all_tls, 1);
    };
    const refused = { code: "store.tls_refused" };
    await opens(tls({}));
    await opens(tls({ trustServerCertificate: true, caText: undefined, host: "127.0.0.1" }));
    await assert.rejects(openStore(tls({ caText: undefined })), refused, "nobody vouches for it");
    const otherText = await Deno.readTextFile(other.file);
    await assert.rejects(openStore(tls({ caText: otherText })), refused, "another authority");
    await assert.rejects(openStore(tls({ host: "127.0.0.1" })), refused, "another name");
    // A server without TLS is not spoken to in the clear.
    await assert.rejects(openStore(server.options({ encrypt: true })), refused);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
