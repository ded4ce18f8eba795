// Goal: what a query of SQL Server gives is taken as that of PostgreSQL is: whole or not at all, in time,
// within its bounds, and nothing of a row is told to anybody but author code.
// Method: a scripted server for the protocol's part; a translating one, and a real one wherever it is
// named, for a set that is kept in step with a table.
import assert from "node:assert/strict";
import type { DatabaseReference } from "../../src/graph/graph.ts";
import type { Row } from "../../src/maintenance/source_rows.ts";
import { readSqlServer, session as beginning } from "../../src/maintenance/sqlserver_source.ts";
import { Secret } from "../../src/settings/mod.ts";
import type { ServerOptions } from "../../src/store/server/dialect.ts";
import { sqlserver } from "../../src/store/sqlserver/dialect.ts";
import { Authority, textsOf } from "../connectors/certificates.ts";
import { freePort, until } from "../connectors/waiting.ts";
import { namedServer } from "../store/sqlserver/real_server.ts";
import { standIn } from "../store/sqlserver/stand_in.ts";
import {
  type Answer,
  type Certificate,
  Refusal,
  TdsServer,
} from "../store/sqlserver/tds_server.ts";
import { type Call, joined, writeDone, Writer } from "../store/sqlserver/tds_tokens.ts";
import {
  type Columns,
  decimal,
  digits,
  floating,
  head,
  kinds,
  little,
  row,
  solid,
  ucs2,
} from "../store/sqlserver/tds_types.ts";
import { translatedOptions } from "../store/sqlserver/translated.ts";
import { databaseSet, refusal } from "./database_set.ts";
import { test } from "./one_server.ts";
import { ReferenceBench } from "./reference_bench.ts";

const statement = "SELECT k FROM plans";
const never = new AbortController().signal;

function read(
  { port }: { readonly port: number },
  parts: Partial<DatabaseReference> = {},
): Promise<readonly Row[]> {
  return readSqlServer(databaseSet({ dialect: "sqlserver", port, statement, ...parts }), never);
}

type Ask = (call: Call, signal: AbortSignal) => Answer | Promise<Answer>;

/** A server whose every session answers the statement so; it counts those that are open. */
function scripted(ask: Ask, certificate?: Certificate) {
  let open = 0;
  const server = new TdsServer({
    open: () => {
      open += 1;
      return {
        ask: async (call, signal) => call.text === statement ? await ask(call, signal) : {},
        act: () => Promise.resolve(),
        close: () => void (open -= 1),
      };
    },
  }, certificate);
  return {
    server,
    port: server.port,
    untilAlone: () => until(() => open === 0, "the end of every session"),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function columnsOf(names: Readonly<Record<string, Columns[number][1]>>): Columns {
  return Object.entries(names);
}

const dayOf = (year: number, month: number, day: number) =>
  (Date.UTC(year, month - 1, day) - Date.UTC(2000, 0, 1)) / 86_400_000;
/** Since the first year, and since 1900. */
const days = little(730_119 + dayOf(2026, 7, 1), 3);
const days1900 = dayOf(2026, 7, 1) - dayOf(1900, 1, 1);
const halfPastNoon = 45_000;
const ticks = little(halfPastNoon * 1e7 + 1_234_567, 5);

const types: Columns = [
  ...[["k", kinds.int], ["yes", kinds.bit], ["tiny", kinds.tinyint], ["small", kinds.smallint]],
  ...[["large", kinds.bigint], ["__proto__", kinds.bigint], ["exact", decimal(9, 2)]],
  ...[["wide", decimal(38, 4)], ["double", kinds.float], ["single", kinds.real]],
  ...[["price", kinds.money], ["fee", kinds.smallmoney], ["name", kinds.nvarchar]],
  ...[["sign", kinds.varchar], ["day", kinds.date], ["noon", kinds.time]],
  ...[["fine", kinds.datetime2], ["coarse", kinds.datetime], ["rough", kinds.smalldatetime]],
  ...[["zoned", kinds.datetimeoffset], ["id", kinds.uniqueidentifier], ["bytes", kinds.varbinary]],
] as unknown as Columns;

const cells = [
  ...[little(7, 4), [1], [255], little(-3, 2)],
  ...[little(9_007_199_254_740_993n, 8), little(4, 8), digits(150n)],
  ...[digits(-12_345n), floating(2.5, 8), floating(0.1, 4)],
  ...[[...little(0, 4), ...little(125_000, 4)], little(-10_000, 4), ucs2("Müller")],
  ...[[0xa7], days, ticks],
  ...[[...ticks, ...days], [...little(days1900, 4), ...little(halfPastNoon * 300 + 1, 4)]],
  [...little(days1900, 2), ...little(halfPastNoon / 60, 2)],
  [...little(halfPastNoon * 1e7 + 5_000_000, 5), ...days, ...little(120, 2)],
  ...[Array.from({ length: 16 }, (_, at) => at), [0x00, 0xff]],
];

/** The same of a real server. */
const everyType = `
  SELECT CAST(7 AS int) AS k, CAST(1 AS bit) AS yes, CAST(255 AS tinyint) AS tiny,
         CAST(-3 AS smallint) AS small, CAST(9007199254740993 AS bigint) AS large,
         CAST(4 AS bigint) AS __proto__, CAST(1.5 AS decimal(9, 2)) AS exact,
         CAST(-1.2345 AS numeric(38, 4)) AS wide, CAST(2.5 AS float) AS [double],
         CAST(0.1 AS real) AS single, CAST(12.5 AS money) AS price, CAST(-1 AS smallmoney) AS fee,
         N'Müller' AS name, CAST(N'§' COLLATE Latin1_General_100_BIN2 AS varchar(9)) AS sign,
         CAST('2026-07-01' AS date) AS day, CAST('12:30:00.1234567' AS time) AS noon,
         CAST('2026-07-01T12:30:00.1234567' AS datetime2) AS fine,
         CAST('2026-07-01T12:30:00.003' AS datetime) AS coarse,
         CAST('2026-07-01T12:30:00' AS smalldatetime) AS rough,
         CAST('2026-07-01T14:30:00.5+02:00' AS datetimeoffset) AS zoned,
         CAST('03020100-0504-0706-0809-0a0b0c0d0e0f' AS uniqueidentifier) AS id,
         CAST(0x00FF AS varbinary(9)) AS bytes`;

const record = '["7",{"yes":true,"tiny":255,"small":-3,"large":"9007199254740993","__proto__":4,' +
  '"exact":"1.50","wide":"-1.2345","double":2.5,"single":0.1,"price":"12.5000","fee":"-1.0000",' +
  '"name":"Müller","sign":"§","day":"2026-07-01","noon":"12:30:00.1234567",' +
  '"fine":"2026-07-01 12:30:00.1234567","coarse":"2026-07-01 12:30:00.003",' +
  '"rough":"2026-07-01 12:30:00","zoned":"2026-07-01 12:30:00.5+00",' +
  '"id":"03020100-0504-0706-0809-0A0B0C0D0E0F","bytes":"0x00FF"}]';

Deno.test("a record has every column but the key, each in its type; NULL is an empty text", async () => {
  const nothing = [little(8, 4), ...Array.from(types.slice(1), () => null)];
  await using it = scripted(() => ({
    tokens: joined(joined(head(types), row(types, cells)), row(types, nothing)),
  }));
  const [full, empty] = await read(it);
  assert.equal(JSON.stringify(full), record);
  assert.deepEqual(Object.values(empty![1]), Array(types.length - 1).fill(""));
  await it.untilAlone();
  const solids = types.map(([name, kind]) => [name, solid(kind)] as const);
  await using other = scripted(() => ({ tokens: joined(head(solids), row(solids, cells)) }));
  assert.equal(JSON.stringify((await read(other))[0]), record, "columns that cannot be NULL");
});

Deno.test("what the library would tell less of than the server said is refused", async () => {
  const cases: readonly (readonly [Columns[number][1], readonly number[], RegExp])[] = [
    [decimal(38, 0), digits(10n ** 15n), /column "v" holds a number of more than 15 digits: cast/],
    [decimal(38, 2), digits(-(10n ** 18n)), /column "v" holds a number of more than 15 digits/],
    [kinds.sql_variant, [0, 0, 0, 0], /column "v" is of a type that is not read: cast it/],
  ];
  for (const [kind, cell, reason] of cases) {
    const columns = columnsOf({ k: kinds.int, v: kind });
    await using it = scripted(() => ({
      tokens: joined(head(columns), row(columns, [little(1, 4), cell])),
    }));
    const [code, message] = await refusal(read(it));
    assert.equal(code, "graph.reference_unreadable");
    assert.match(message, reason);
  }
  const columns = columnsOf({ k: kinds.int, v: decimal(38, 2) });
  await using it = scripted(() => ({
    tokens: joined(head(columns), row(columns, [little(1, 4), digits(999_999_999_999_999n)])),
  }));
  assert.deepEqual(await read(it, { valueColumn: "v" }), [["1", "9999999999999.99"]]);
});

Deno.test("it says who it is, asks in a transaction that nobody commits, and goes", async () => {
  await using it = scripted(() => ({ rows: [{ k: "b" }, { k: "a" }] }));
  const parts = { username: "reader", password: new Secret("CANARY"), database: "Master" };
  assert.deepEqual(await read(it, parts), [["a", {}], ["b", {}]]);
  const { user, application, database } = it.server.logins.at(-1)!;
  assert.deepEqual([user, application, database], [
    ...["reader", "messagefoundry reference", "Master"],
  ]);
  // A Windows account proves itself in another field.
  const account = { ...parts, auth: "integrated", username: "HOSPITAL\\mefor" } as const;
  assert.deepEqual(await read(it, account), [["a", {}], ["b", {}]]);
  assert.equal(it.server.logins.at(-1)!.user, "");
  assert.deepEqual(it.server.heard.slice(-2), [beginning, statement]);
  assert.doesNotMatch(it.server.heard.join(), /COMMIT(?!TED)/i);
  await it.untilAlone();
});

Deno.test("a result that is no table of keys and values is refused, and quoted nowhere", async () => {
  const columns = columnsOf({ k: kinds.nvarchar });
  const one = new Writer().put(...head(columns), ...row(columns, [ucs2("CANARY")]));
  writeDone(one, "statement", { count: 1, isMore: true });
  const cases: readonly (readonly [Answer, RegExp])[] = [
    [{ rows: [{ k: "CANARY" }, { k: "CANARY" }] }, /row 2: the key stands in an earlier row/],
    [{ rows: [{ k: null, v: "CANARY" }] }, /row 1 has no key/],
    [{ rows: [{ K: "CANARY" }] }, /"key_column": the result has no column "k", but "K"$/],
    [{ tokens: joined(one.bytes, one.bytes) }, /the statement gives more than one result/],
    [{ count: 1 }, /the statement gives no result/],
  ];
  for (const [answer, reason] of cases) {
    await using it = scripted(() => answer);
    const [code, message] = await refusal(read(it));
    assert.equal(code, "graph.reference_unreadable");
    assert.match(message, reason);
    await it.untilAlone();
  }
});

Deno.test("what the server refuses is told by its number", async () => {
  const cases: readonly (readonly [number, string, RegExp])[] = [
    [208, "reference.query_refused", /refuses the statement \(error 208\)/],
    [229, "reference.query_refused", /its login may not read .* \(error 229\)/],
    [916, "reference.query_refused", /its login may not read .* \(error 916\)/],
    [1205, "reference.query_refused", /gave the statement up for others \(error 1205\)/],
    [40613, "reference.unreachable", /no connection to "127\.0\.0\.1:\d+"/],
  ];
  for (const [number, code, reason] of cases) {
    await using it = scripted(() => {
      throw new Refusal(number);
    });
    const told = await refusal(read(it));
    assert.equal(told[0], code);
    assert.match(told[1], reason);
  }
  for (const number of [18456, 4060]) {
    const login = () => {
      throw new Refusal(number);
    };
    await using server = new TdsServer({ login, open: () => assert.fail("It was let in") });
    const [code, message] = await refusal(read(server));
    assert.equal(code, "reference.sign_in_refused");
    assert.match(message, new RegExp(`refuses the sign-in \\(error ${number}\\)`));
  }
});

Deno.test("a query that takes too long is stopped, and left when that does not help", async () => {
  const { promise: isOver, resolve: end } = Promise.withResolvers<void>();
  const deaf = async () => {
    await isOver;
    return {};
  };
  const heeding = async (_: Call, signal: AbortSignal) => {
    await new Promise((go) => signal.addEventListener("abort", go));
    return {};
  };
  const parts = { statementTimeoutMs: 200 };
  await using it = scripted(heeding);
  assert.equal((await refusal(read(it, parts)))[0], "reference.timed_out");
  assert.equal(it.server.heard.at(-1), "attention");
  await it.untilAlone();

  await using other = scripted(deaf);
  assert.equal((await refusal(read(other, parts)))[0], "reference.timed_out");
  const stop = new AbortController();
  const stopped = readSqlServer(
    databaseSet({ dialect: "sqlserver", port: other.port, statement }),
    stop.signal,
  );
  await until(
    () => other.server.heard.filter((text) => text === statement).length === 2,
    "the query",
  );
  stop.abort();
  assert.equal((await refusal(stopped))[0], "reference.unreachable");
  end();
  await other.untilAlone();
});

Deno.test("a result that is too large is left where it is", async () => {
  const columns = columnsOf({
    k: kinds.bigint,
    v: { info: [0xe7, 0xff, 0xff, 9, 4, 0xd0, 0, 0x34], nothing: [], write: (bytes) => bytes },
  });
  const unknown = [0xfe, ...Array(7).fill(0xff)];
  const chunk = new Uint8Array(4 + 60_000).fill(0x41);
  new DataView(chunk.buffer).setUint32(0, chunk.length - 4, true);
  await using one = scripted(() => ({
    tokens: joined(head(columns), row(columns, [little(1, 8), unknown])),
    endless: () => chunk,
  }));
  assert.match((await refusal(read(one)))[1], /more than 16777216 bytes/);
  await one.untilAlone();

  const keys = columnsOf({ k: kinds.bigint });
  let next = 0;
  await using many = scripted(() => ({
    tokens: head(keys),
    endless: () => {
      const rows = new Uint8Array(6_000 * 10);
      const view = new DataView(rows.buffer);
      for (let at = 0; at < rows.length; at += 10) {
        rows.set([0xd1, 8], at);
        view.setBigInt64(at + 2, BigInt(next += 1), true);
      }
      return rows;
    },
  }));
  assert.match((await refusal(read(many)))[1], /more than 500000 rows/);
  await many.untilAlone();
});

Deno.test("a server that is not there, does not answer, or goes is unreachable", async () => {
  const gone = read({ port: await freePort() });
  assert.match((await refusal(gone))[1], /no connection to "127\.0\.0\.1:\d+"/);
  using mute = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = mute.accept();
  const waiting = read({ port: (mute.addr as Deno.NetAddr).port }, { connectTimeoutMs: 300 });
  assert.equal((await refusal(waiting))[0], "reference.unreachable");
  (await accepted).close();

  const columns = columnsOf({ k: kinds.int });
  await using it = scripted(() => ({
    tokens: joined(head(columns), row(columns, [little(1, 4)])),
    endless: () => {
      it.server.drop();
      return new Uint8Array(8);
    },
  }));
  assert.equal((await refusal(read(it)))[0], "reference.unreachable");
});

Deno.test("cut off at any moment it ends, and leaves nothing behind", async () => {
  await using it = scripted(() => ({ rows: Array.from({ length: 50 }, (_, at) => ({ k: at })) }));
  for (let moment = 0; moment < 80; moment += 1) {
    const stop = new AbortController();
    const cut = moment % 2 === 0 ? () => stop.abort() : () => it.server.drop();
    const timer = setTimeout(cut, moment / 4);
    const definition = databaseSet({ dialect: "sqlserver", port: it.port, statement });
    const reading = readSqlServer(definition, stop.signal);
    const outcome = await reading.then((rows) => rows.length, ({ code }) => code);
    clearTimeout(timer);
    assert.ok(outcome === 50 || outcome === "reference.unreachable", String(outcome));
  }
  await it.untilAlone();
});

Deno.test("over TLS the server has to be the one it says", async () => {
  const directory = await Deno.makeTempDir({ prefix: "mefor_reference_tls_" });
  try {
    const authority = await Authority.create(directory);
    const identity = await textsOf(await authority.issue("server", "DNS:localhost"));
    await using server = scripted(() => ({ rows: [{ k: "1" }] }), identity);
    const tls = { encrypt: true, host: "localhost" };
    assert.equal((await refusal(read(server, tls)))[0], "reference.tls_refused");
    const trusted = { ...tls, tlsCaFile: authority.file };
    assert.deepEqual(await read(server, trusted), [["1", {}]]);
    const other = { ...trusted, host: "127.0.0.1" };
    assert.equal((await refusal(read(server, other)))[0], "reference.tls_refused");
    const any = { ...other, trustServerCertificate: true };
    assert.deepEqual(await read(server, any), [["1", {}]]);
    const [code, message] = await refusal(read(server));
    assert.equal(code, "reference.tls_refused");
    assert.match(message, /takes connections in TLS only/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

test("a set is refreshed like a file, and a failure keeps the version before", async (behind) => {
  await using tds = new TdsServer(standIn(behind));
  await refreshed(translatedOptions(tds, "reference"));
});

const real = namedServer();
if (real !== undefined) {
  Deno.test("SQL Server: a set is refreshed like a file", () => refreshed(real));
  Deno.test("SQL Server: every type is what it is of a scripted server", async () => {
    const [full] = await readSqlServer(setOn(real, { statement: everyType }), never);
    assert.equal(JSON.stringify(full), record);
  });
  Deno.test("SQL Server: what cannot be read is told apart", async () => {
    const on = (parts: Partial<DatabaseReference>) =>
      refusal(readSqlServer(setOn(real, parts), never));
    assert.match((await on({ statement: "SELECT k FROM nowhere" }))[1], /\(error 208\)/);
    const wrong = new Secret("CANARY");
    assert.equal((await on({ password: wrong }))[0], "reference.sign_in_refused");
    assert.equal((await on({ database: "nowhere" }))[0], "reference.sign_in_refused");
    const counted = "SELECT COUNT_BIG(*) AS k FROM sys.all_columns AS a, sys.all_columns AS b, " +
      "sys.all_columns AS c";
    const slow = await on({ statement: counted, statementTimeoutMs: 300 });
    assert.equal(slow[0], "reference.timed_out");
    const large = await on({
      statement: "SELECT TOP (9000) ROW_NUMBER() OVER (ORDER BY a.object_id) AS k, " +
        "REPLICATE(N'x', 4000) AS v FROM sys.all_columns AS a, sys.all_columns AS b",
    });
    assert.equal(large[0], "reference.source_too_large");
  });
}

function setOn(options: ServerOptions, parts: Partial<DatabaseReference>): DatabaseReference {
  const { host, port, database, encrypt, trustServerCertificate } = options;
  return databaseSet({
    ...{ dialect: "sqlserver", host, port, database, encrypt, trustServerCertificate },
    username: options.user!,
    password: new Secret(options.password!),
    ...parts,
  });
}

/** A table of a server, as author code sees it. */
async function refreshed(options: ServerOptions): Promise<void> {
  const table = `plans_${crypto.randomUUID().slice(0, 8)}`;
  const connection = await sqlserver.connect(options, "writer");
  try {
    await connection.ask(`CREATE TABLE ${table} (k nvarchar(20), v nvarchar(20))`);
    const fill = async (rows: string) => {
      await connection.ask(`DELETE FROM ${table}`);
      await connection.ask(`INSERT INTO ${table} (k, v) VALUES ${rows}`);
    };
    await using bench = await ReferenceBench.open();
    const parts = { name: "plans", valueColumn: "v", statement: `SELECT k, v FROM ${table}` };
    bench.definitions.set("plans", setOn(options, parts));
    await fill("(N'B', N'CANARY'), (N'A', N'one')");
    await using references = await bench.references();
    await bench.prepare(references);
    assert.deepEqual(bench.taken(), ['plans [["A","one"],["B","CANARY"]]']);

    await fill("(N'A', N'one'), (N'B', N'CANARY')");
    bench.bench.passSeconds(1);
    await references.refresh();
    assert.deepEqual(bench.taken(), [], "the same rows in another order are the same version");

    await fill("(N'A', N'CANARY'), (N'A', N'CANARY')");
    bench.bench.passSeconds(1);
    await references.refresh();
    await connection.ask(`DROP TABLE ${table}`);
    bench.bench.passSeconds(1);
    await references.refresh();
    assert.deepEqual(bench.taken(), []);
    const failures = bench.log.filter((line) => line.includes("reference.sync_failed"));
    assert.match(failures[0]!, /graph\.reference_unreadable.*row 2: the key stands in an earlier/);
    assert.match(failures[1]!, /reference\.query_refused.*\(error \d+\)/);
    assert.ok(bench.log.every((line) => !line.includes("CANARY")), "nothing of a row is told");
  } finally {
    await connection.close();
  }
}
