// Goal: a reference set is what its query gives, whole or not at all; the query changes nothing, ends
// in time, and nothing of a row is told to anybody but author code.
import assert from "node:assert/strict";
import type { DatabaseReference } from "../../src/graph/graph.ts";
import { readPostgres } from "../../src/maintenance/postgres_source.ts";
import type { Row } from "../../src/maintenance/source_rows.ts";
import { Secret } from "../../src/settings/mod.ts";
import { Authority, textsOf } from "../connectors/certificates.ts";
import { freePort, until } from "../connectors/waiting.ts";
import { databaseSet, refusal } from "./database_set.ts";
import { ReferenceBench } from "./reference_bench.ts";
import { PostgresServer, test } from "./one_server.ts";

function setOf(
  { port }: Pick<PostgresServer, "port">,
  parts: Partial<DatabaseReference>,
): DatabaseReference {
  return databaseSet({ dialect: "postgres", port, ...parts });
}

const never = new AbortController().signal;

function read(
  server: Pick<PostgresServer, "port">,
  statement: string,
  parts: Partial<DatabaseReference> = {},
): Promise<readonly Row[]> {
  return readPostgres(setOf(server, { statement, ...parts }), never);
}

test("a record has every column but the key, each in its type", async (server) => {
  const [row] = await read(
    server,
    `SELECT 7 AS k, true AS yes, 3::smallint AS small, 9007199254740993 AS large, 1.50::numeric AS
     exact, 2.5::float8 AS float, 'NaN'::float8 AS nan, 'Müller' AS name, NULL::text AS none,
     DATE '2026-07-01' AS day, '\\x00ff'::bytea AS bytes, 4::bigint AS "__proto__" -- a comment`,
  );
  assert.equal(
    JSON.stringify(row),
    '["7",{"yes":true,"small":3,"large":"9007199254740993","exact":"1.50","float":2.5,' +
      '"nan":"NaN","name":"Müller","none":"","day":"2026-07-01","bytes":"\\\\x00ff","__proto__":4}]',
  );
});

test("a value column is the value, rows come by key, and no row at all is a set", async (server) => {
  const values = "SELECT * FROM (VALUES ('b', 'x'), ('a', 'y'), ('c', NULL)) AS t (k, v)";
  const parts = { valueColumn: "v" };
  assert.deepEqual(await read(server, values, parts), [["a", "y"], ["b", "x"], ["c", ""]]);
  assert.deepEqual(await read(server, `${values} WHERE k = 'z'`, parts), []);
  assert.deepEqual(await read(server, "WITH t AS (SELECT 1 AS k) TABLE t;"), [["1", {}]]);
});

test("a result that is no table of keys and values is refused, and quoted nowhere", async (server) => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["SELECT 'CANARY' AS k UNION ALL SELECT 'CANARY'", /row 2: the key stands in an earlier row/],
    ["SELECT NULL AS k, 'CANARY' AS v", /row 1 has no key/],
    ["SELECT '' AS k", /row 1 has no key/],
    ["SELECT 'CANARY' AS key", /"key_column": the result has no column "k", but "key"$/],
    ["SELECT 1 AS K, 2 AS v WHERE false", /"value_column": .* no column "w", but "k", "v"$/],
    ["SELECT 1 AS k, 2 AS v, 3 AS v", /the result has two columns "v"/],
  ];
  for (const [statement, reason] of cases) {
    const valueColumn = reason.source.includes("value_column") ? "w" : undefined;
    const [code, message] = await refusal(read(server, statement, { valueColumn }));
    assert.equal(code, "graph.reference_unreadable");
    assert.match(message, reason);
  }
});

test("what would change the database, or is no query, is refused", async (server) => {
  const owner = { schema: undefined };
  await server.ask(owner, (it) => it.ask("CREATE TABLE IF NOT EXISTS own (k text)"));
  await server.ask(owner, (it) =>
    it.ask(
      `CREATE OR REPLACE FUNCTION add_one() RETURNS text LANGUAGE sql VOLATILE
       AS $$ INSERT INTO public.own VALUES ('CANARY') RETURNING k $$`,
    ));
  const cases: readonly (readonly [string, RegExp])[] = [
    ["INSERT INTO own VALUES ('CANARY')", /refuses the statement \(SQLSTATE 42601\)/],
    ["WITH x AS (DELETE FROM own RETURNING k) TABLE x", /refuses the statement/],
    ["SELECT add_one() AS k", /the statement would change the database \(SQLSTATE 25006\)/],
    ["SELECT 1 AS k; COMMIT; INSERT INTO own VALUES ('CANARY')", /refuses the statement/],
    ["SELECT 1 AS k; SELECT 'CANARY'", /refuses the statement/],
    ["SELECT set_config('transaction_read_only', 'off', false) AS k", /refuses|change/],
    ["SELECT 'CANARY'::integer AS k", /refuses the statement \(SQLSTATE 22P02\)/],
    ["SELECT * FROM nowhere", /refuses the statement \(SQLSTATE 42P01\)/],
  ];
  for (const [statement, reason] of cases) {
    const [code, message] = await refusal(read(server, statement));
    assert.equal(code, "reference.query_refused", statement);
    assert.match(message, reason, statement);
  }
  const { rows } = await server.ask(owner, (it) => it.ask("SELECT count(*) AS n FROM own"));
  assert.deepEqual(rows, [{ n: 0 }]);
});

test("a role that may not read, or not sign in, is told apart", async (server) => {
  const owner = { schema: undefined };
  await server.ask(owner, async (it) => {
    await it.ask("CREATE ROLE reader LOGIN");
    await it.ask("CREATE TABLE closed (k text)");
  });
  const as = (parts: Partial<DatabaseReference>) => refusal(read(server, "TABLE closed", parts));
  assert.match((await as({ username: "reader" }))[1], /its role may not read .*\(SQLSTATE 42501\)/);
  assert.equal((await as({ username: "nobody" }))[0], "reference.sign_in_refused");
  assert.equal((await as({ database: "nowhere" }))[0], "reference.sign_in_refused");
});

test("a query that takes too long, or gives too much, ends in time", async (server) => {
  const slow = read(server, "SELECT pg_sleep(60) AS k", { statementTimeoutMs: 300 });
  assert.equal((await refusal(slow))[0], "reference.timed_out");
  const large = [
    "SELECT 1 AS k, repeat('x', 200000000) AS v",
    "SELECT n AS k, repeat('x', 9000) " +
    "AS v FROM generate_series(1, 9000) AS n",
  ];
  for (const statement of large) {
    assert.equal((await refusal(read(server, statement)))[0], "reference.source_too_large");
  }
  const stop = new AbortController();
  const stopped = readPostgres(
    setOf(server, { statement: "SELECT pg_sleep(60) AS k" }),
    stop.signal,
  );
  setTimeout(() => stop.abort(), 200);
  assert.equal((await refusal(stopped))[0], "reference.unreachable");
  const { rows } = await server.ask({ schema: undefined }, (it) =>
    it.ask(
      `SELECT count(*) AS n FROM pg_stat_activity
        WHERE application_name = 'messagefoundry reference' AND query LIKE '%generate_series%'`,
    ));
  assert.deepEqual(rows, [{ n: 0 }], "no connection stays");
});

test("a server that is not there, or does not answer, is unreachable", async () => {
  const gone = read({ port: await freePort() }, "SELECT 1 AS k");
  assert.match((await refusal(gone))[1], /no connection to "127\.0\.0\.1:\d+"/);
  using mute = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = mute.addr as Deno.NetAddr;
  const accepted = mute.accept();
  const waiting = read({ port }, "SELECT 1 AS k", { connectTimeoutMs: 300 });
  assert.equal((await refusal(waiting))[0], "reference.unreachable");
  (await accepted).close();
});

test("a set is refreshed like a file, and a failure keeps the version before", async (server) => {
  const owner = { schema: undefined };
  const fill = (rows: string) =>
    server.ask(owner, async (it) => {
      await it.ask("DROP TABLE IF EXISTS plans");
      await it.ask(`CREATE TABLE plans AS SELECT * FROM (VALUES ${rows}) AS t (k, v)`);
    });
  await using bench = await ReferenceBench.open();
  const declare = (parts: Partial<DatabaseReference> = {}) => {
    const more = { name: "plans", valueColumn: "v", statement: "TABLE plans", ...parts };
    bench.definitions.set("plans", setOf(server, more));
  };
  declare();
  await fill("('B', 'CANARY'), ('A', 'one')");
  await using references = await bench.references();
  await bench.prepare(references);
  assert.deepEqual(bench.taken(), ['plans [["A","one"],["B","CANARY"]]']);

  await fill("('A', 'one'), ('B', 'CANARY')");
  bench.bench.passSeconds(1);
  await references.refresh();
  assert.deepEqual(bench.taken(), [], "the same rows in another order are the same version");

  await fill("('A', 'CANARY'), ('A', 'CANARY')");
  bench.bench.passSeconds(1);
  await references.refresh();
  await server.ask(owner, (it) => it.ask("DROP TABLE plans"));
  bench.bench.passSeconds(1);
  await references.refresh();
  assert.deepEqual(bench.taken(), []);
  const failures = bench.log.filter((line) => line.includes("reference.sync_failed"));
  assert.match(failures[0]!, /graph\.reference_unreadable.*row 2: the key stands in an earlier/);
  assert.match(failures[1]!, /reference\.query_refused.*\(SQLSTATE 42P01\)/);
  assert.ok(bench.log.every((line) => !line.includes("CANARY")), "nothing of a row is told");

  // The engine begins anew: it serves what the store has and asks the database right afterwards.
  await fill("('A', 'two')");
  await using after = await bench.references();
  await bench.prepare(after);
  assert.deepEqual(bench.taken(), ['plans [["A","one"],["B","CANARY"]]']);
  after.start();
  await until(() => bench.published.length > 0, "the database's rows");
  assert.deepEqual(bench.taken(), ['plans [["A","two"]]']);

  // Another statement is another source, which a reload reads at once.
  declare({ statement: "SELECT k, v || '!' AS v FROM plans" });
  await bench.prepare(after);
  assert.deepEqual(bench.taken(), ['plans [["A","two!"]]']);
});

test("over TLS the server has to be the one it says", async () => {
  const directory = await Deno.makeTempDir({ prefix: "mefor_reference_tls_" });
  try {
    const authority = await Authority.create(directory);
    const identity = await textsOf(await authority.issue("db", "DNS:localhost"));
    await using server = await PostgresServer.start({ tls: identity });
    const statement = "SELECT ssl AS k FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    const password = new Secret("CANARY");
    const tls = { encrypt: true, host: "localhost", password };
    assert.equal((await refusal(read(server, statement, tls)))[0], "reference.tls_refused");
    const trusted = { ...tls, tlsCaFile: authority.file };
    assert.deepEqual(await read(server, statement, trusted), [["true", {}]]);
    const other = { ...trusted, host: "127.0.0.1" };
    assert.equal((await refusal(read(server, statement, other)))[0], "reference.tls_refused");
    const any = { ...other, trustServerCertificate: true };
    assert.deepEqual(await read(server, statement, any), [["true", {}]]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
