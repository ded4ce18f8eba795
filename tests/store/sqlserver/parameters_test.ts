import assert from "node:assert/strict";
import fc from "fast-check";
import mssql from "mssql";
import type { ServerOptions } from "../../../src/store/server/dialect.ts";
import { fromStoredText } from "../../../src/store/server/text.ts";
import { configOf } from "../../../src/store/sqlserver/connection.ts";
import { jsonList, jsonRows } from "../../../src/store/sqlserver/lists.ts";
import { toParameter, toRows } from "../../../src/store/sqlserver/parameters.ts";
import { judgeServer } from "../../../src/store/sqlserver/schema.ts";
import { bracketed, inSchema } from "../../../src/store/sqlserver/words.ts";

const once = { endOnFailure: true } as const;

const text = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({ unit: fc.constantFrom("\0", "%", "'", '"', "\\", "\ud800", "mfenc:nul:", "\u2028") }),
);
const cell = fc.oneof(fc.constant(null), fc.maxSafeInteger(), text);

Deno.test("lists come back from their JSON as they were, whatever is in them", () => {
  fc.assert(
    fc.property(fc.array(cell), (list) => {
      const json = jsonList(list);
      assert.ok(!json.includes("\\u0000") && !json.includes("\0"));
      const back = (JSON.parse(json) as typeof list).map(opened);
      assert.deepEqual(back, list);
    }),
    once,
  );
});

Deno.test("columns become rows, each cell at its column's place", () => {
  const table = fc.integer({ min: 1, max: 5 }).chain((rows) =>
    fc.array(fc.array(cell, { minLength: rows, maxLength: rows }), { minLength: 1, maxLength: 6 })
  );
  fc.assert(
    fc.property(table, (columns) => {
      const rows = JSON.parse(jsonRows(columns)) as (string | number | null)[][];
      assert.equal(rows.length, columns[0]!.length);
      for (const [at, row] of rows.entries()) {
        assert.deepEqual(row.map(opened), columns.map((column) => column[at]));
      }
    }),
    once,
  );
});

function opened(one: string | number | null) {
  return typeof one === "string" ? fromStoredText(one) : one;
}

Deno.test("a value has the type its columns have, so that indexes are looked into by it", () => {
  const typeOf = (value: Parameters<typeof toParameter>[0]) =>
    JSON.stringify(
      toParameter(value).type,
      (_, part) => typeof part === "function" ? part.name : part,
    );
  assert.equal(toParameter(2 ** 53 - 1).type, mssql.BigInt);
  assert.equal(toParameter(true).type, mssql.Bit);
  assert.equal(typeOf("a"), typeOf("a".repeat(4_000)));
  assert.notEqual(typeOf("a"), typeOf("a".repeat(4_001)));
  assert.equal(typeOf(null), typeOf("a"));
  assert.equal(typeOf(["a"]), typeOf("a".repeat(4_001)));
  assert.equal(toParameter([1, null, "a"]).value, '[1,null,"a"]');
});

Deno.test("a number the tables do not hold is refused, in a list too", () => {
  for (const number of [1.5, NaN, Infinity, 2 ** 53]) {
    assert.throws(() => toParameter(number), TypeError);
    assert.throws(() => jsonList([1, number]), TypeError);
    assert.throws(() => jsonRows([[1], [number]]), TypeError);
  }
});

Deno.test("big numbers come back as numbers, bits as 1 and 0, texts as they were", () => {
  const rows = [
    { seq: "9007199254740991", is_open: true, name: "mfenc:nul:a%00b", none: null },
    { seq: null, is_open: false, name: "12", none: null },
  ];
  const columns = {
    seq: { name: "seq", type: mssql.BigInt },
    is_open: { name: "is_open", type: mssql.Bit },
    name: { name: "name", type: mssql.NVarChar },
    none: { name: "none", type: mssql.NVarChar },
  };
  assert.deepEqual(toRows(Object.assign(rows, { columns }) as never), [
    { seq: 2 ** 53 - 1, is_open: 1, name: "a\0b", none: null },
    { seq: null, is_open: 0, name: "12", none: null },
  ]);
  assert.deepEqual(toRows(undefined), []);
});

Deno.test("tables stand in the schema that is set, and a schema's name cannot leave its brackets", () => {
  assert.equal(inSchema("FROM mefor.queue AS q", "[a]"), "FROM [a].queue AS q");
  assert.equal(inSchema("FROM mefor.queue AS q", undefined), "FROM queue AS q");
  assert.equal(bracketed("a]; DROP TABLE b--"), "[a]]; DROP TABLE b--]");
});

const options: ServerOptions = {
  host: "sql01.example.org",
  port: 1433,
  database: "MessageFoundry",
  user: "mefor",
  password: "secret",
  auth: "sql",
  encrypt: true,
  trustServerCertificate: false,
  caText: "PEM",
  schema: undefined,
  applicationName: "messagefoundry",
  connectTimeoutMs: 15_000,
  commandTimeoutMs: 30_000,
};

Deno.test("the library is told what the settings say", () => {
  const config = configOf(options);
  const { appName, packetSize, encrypt, trustServerCertificate } = config.options;
  assert.deepEqual(
    [appName, packetSize, encrypt, trustServerCertificate],
    ["messagefoundry", 16_384, true, false],
  );
  assert.deepEqual(config.options.cryptoCredentialsDetails, { minVersion: "TLSv1.2", ca: "PEM" });
  assert.equal(config.options.abortTransactionOnError, true);
  assert.deepEqual([config.connectionTimeout, config.requestTimeout], [15_000, 30_000]);
  assert.deepEqual([config.user, config.password, config.domain], ["mefor", "secret", undefined]);
});

Deno.test("each way to sign in is told to the library, or what it lacks to the operator", () => {
  const ntlm = configOf({ ...options, auth: "integrated", user: "HOSPITAL\\mefor" });
  assert.deepEqual([ntlm.domain, ntlm.user, ntlm.password], ["HOSPITAL", "mefor", "secret"]);
  const token = configOf({ ...options, auth: "entra" });
  assert.equal(token.authentication_type, "azure-active-directory-access-token");
  assert.deepEqual([token.token, token.password], ["secret", undefined]);
  for (const user of [undefined, "mefor", "a\\b\\c", "\\mefor", "HOSPITAL\\"]) {
    assert.throws(
      () => configOf({ ...options, auth: "integrated", user }),
      /such as "DOMAIN\\user"/,
    );
  }
  assert.throws(
    () => configOf({ ...options, auth: "entra", password: undefined }),
    /access token in MEFOR_STORE_PASSWORD/,
  );
});

Deno.test("a server that cannot hold the store is refused, one that may lose or wait is warned of", () => {
  const fine = {
    version: 15,
    edition: 3,
    level: 150,
    versions_rows: 1,
    is_read_only: 0,
    delays: 0,
  };
  assert.deepEqual(judgeServer(fine), []);
  assert.deepEqual(judgeServer({ ...fine, version: 12, edition: 5 }), [], "Azure SQL Database");
  assert.throws(() => judgeServer({ ...fine, version: 13 }), /server is too old/);
  assert.throws(() => judgeServer({ ...fine, level: 120 }), /compatibility level 120 is too low/);
  assert.throws(() => judgeServer({ ...fine, is_read_only: 1 }), /read-only/);
  assert.match(judgeServer({ ...fine, delays: 1 })[0]!, /DELAYED_DURABILITY/);
  assert.match(judgeServer({ ...fine, versions_rows: 0 })[0]!, /READ_COMMITTED_SNAPSHOT is off/);
});
