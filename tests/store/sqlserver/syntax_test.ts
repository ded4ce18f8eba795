/**
 * Every statement the SQL Server store says parses as T-SQL. What a parser cannot tell, whether names
 * and types fit, `translated_test.ts` and a real server do (`store_test.ts`).
 */
import assert from "node:assert/strict";
import { sessionOf as clusterSessionOf } from "../../../src/cluster/sqlserver/driver.ts";
import { statements as clusterStatements } from "../../../src/cluster/sqlserver/statements.ts";
import { hasTables, tableTexts } from "../../../src/cluster/sqlserver/tables.ts";
import { session as referenceSession } from "../../../src/maintenance/sqlserver_source.ts";
import { changeStatements, statementNames } from "../../../src/store/server/statement_names.ts";
import {
  killOf,
  sessionOf,
  sessionTexts,
  sqlserver,
} from "../../../src/store/sqlserver/dialect.ts";
import { migrations } from "../../../src/store/sqlserver/migrations/mod.ts";
import { schemaTexts, statementsOf } from "../../../src/store/sqlserver/schema.ts";
import { bracketed, inSchema } from "../../../src/store/sqlserver/words.ts";
import { migrations as sqliteMigrations } from "../../../src/store/sqlite/migrations/mod.ts";
import { syntaxErrors } from "./tsql.ts";

const { statements, queries, registers, checks } = sqlserver;
const { condition } = sqlserver.leads(7);
const server = { commandTimeoutMs: 30_000 } as Parameters<typeof sessionOf>[1];

/** By a name for people. */
const texts = new Map<string, string>([
  ...Object.entries({
    ...{ statements, queries, registers, checks, schemaTexts, sessionTexts },
    ...{ clusterStatements, tableTexts },
  })
    .flatMap(([group, all]) =>
      Object.entries(all).map(([name, text]) => [`${group}.${name}`, text] as const)
    ),
  ...migrations.flatMap(({ name, sql }) =>
    statementsOf(sql).map((text, at) => [`${name} statement ${at + 1}`, text] as const)
  ),
  [
    "everything a batch changes",
    sqlserver.join(
      changeStatements.map((name) => ({ name, values: [[1], ["a"]] })),
    ).text,
  ],
  ["a new schema", `CREATE SCHEMA ${bracketed("mefor_1")}`],
  ["a session that is ended", killOf(51)],
  ["a writer's session", sessionOf("writer", server)],
  ["the cluster's tables are looked for", hasTables],
  ["a session of the cluster", clusterSessionOf(1_250.5)],
  ["a session of a reference set", referenceSession],
  ["a fence", `SELECT (CASE WHEN ${condition} THEN 1 ELSE 0 END) AS may_claim`],
  [
    "no fence",
    `SELECT (CASE WHEN ${sqlserver.leadsNever.condition} THEN 1 ELSE 0 END) AS may_claim`,
  ],
]);

const everyTable = [
  ...migrations.flatMap(({ sql }) => statementsOf(sql)),
  ...Object.values(tableTexts),
].join("\n");

function tablesIn(text: string): readonly string[] {
  return [...text.matchAll(/CREATE TABLE mefor\.(\w+)/g)].map(([, table]) => table!);
}

Deno.test("every statement parses as T-SQL, in a schema of its own", () => {
  for (const [name, text] of texts) {
    assert.deepEqual(syntaxErrors(inSchema(text, "[mefor_1]")), [], name);
  }
});

for (
  const [page, count] of [["operating/sqlserver.md", 5], ["authoring/references.md", 3]] as const
) {
  Deno.test(`what docs/${page} has an administrator say parses too`, async () => {
    const path = new URL(`../../../docs/${page}`, import.meta.url);
    const [, script] = /```text tsql\n([\s\S]*?)```/.exec(await Deno.readTextFile(path)) ?? [];
    const batches = script!.split(/^GO$/m);
    assert.equal(batches.length, count);
    for (const text of batches) assert.deepEqual(syntaxErrors(text), [], text);
  });
}

// What other servers take, and slips of the pen: a parser that took these would prove nothing.
const broken: readonly (readonly [why: string, text: string])[] = [
  ["LIMIT", "SELECT a FROM b ORDER BY a LIMIT 5"],
  ["RETURNING", "UPDATE a SET b = 1 RETURNING c"],
  ["ON CONFLICT", "INSERT INTO a (b) VALUES (1) ON CONFLICT DO NOTHING"],
  ["DELETE USING", "DELETE FROM a USING b WHERE a.x = b.x"],
  ["a cast of PostgreSQL's", "SELECT a::bigint FROM b"],
  ["rows compared", "SELECT a FROM b WHERE (a, b) > (@p1, @p2)"],
  ["a condition as a value", "SELECT a = 1 AND b = 2 AS c FROM d"],
  ["FETCH without OFFSET", "SELECT a FROM b FETCH NEXT 5 ROWS ONLY"],
  ["OUTPUT behind WHERE", "UPDATE a SET b = 1 WHERE c = 1 OUTPUT inserted.b"],
  ["a path without quotes", "SELECT a FROM OPENJSON(@p1) WITH (a bigint $[0]) AS t"],
  ["WHERE behind ORDER BY", "SELECT a FROM b ORDER BY c WHERE d = 1"],
  ["a comma too many", "SELECT a,, b FROM c"],
  ["nothing to set", "UPDATE a SET WHERE b = 1"],
  ["a CASE without END", "SELECT CASE WHEN 1 = 1 THEN 2 FROM a"],
  ["an open parenthesis", "SELECT a FROM b WHERE c IN (SELECT d FROM e"],
  ["an open quote", "SELECT 'a FROM b"],
  ["an alias where none may be", "UPDATE q AS x SET a = 1 WHERE b = 2"],
];

for (const [why, text] of broken) {
  Deno.test(`what is no T-SQL is refused: ${why}`, () => {
    assert.notDeepEqual(syntaxErrors(text), []);
  });
}

Deno.test("a statement that lost any of its words is refused", () => {
  const text = statements.purgeState.trim();
  for (
    const word of ["DECLARE", "TABLE", "WITH", "SELECT", "TOP", "FROM", "ORDER", "BY", "OUTPUT"]
  ) {
    const lost = text.replace(new RegExp(`\\b${word}\\b`), "");
    assert.notDeepEqual(syntaxErrors(lost), [], word);
  }
});

Deno.test("every statement has a text, and the migrations SQLite's numbers and names", () => {
  assert.deepEqual(Object.keys(statements).toSorted(), [...statementNames].toSorted());
  const named = (all: typeof migrations) => all.map(({ version, name }) => [version, name]);
  assert.deepEqual(named(migrations), named(sqliteMigrations));
});

Deno.test("no statement merges, names an index, or reads what is not committed", () => {
  for (const [name, text] of texts) {
    assert.doesNotMatch(
      text,
      /\bMERGE\b|\bINDEX\s*\(|\bINDEX\s*=|NOLOCK|READUNCOMMITTED|READPAST/,
      name,
    );
  }
});

// A server refuses to give what a change did to a table with a trigger straight to whoever asked.
Deno.test("what a change returns goes through a variable, which triggers allow", () => {
  let found = 0;
  for (const [name, text] of texts) {
    for (const [, target] of text.matchAll(/\bOUTPUT\b[^;]*?(?:\bINTO (@\w+)|;|$)/g)) {
      assert.ok(target, name);
      found += 1;
    }
  }
  assert.ok(found >= 10, `${found}`);
});

Deno.test("every table is named with its schema, and no value stands in a text", () => {
  const tables = tablesIn(everyTable);
  assert.ok(tables.includes("queue") && tables.includes("leader_lease"));
  for (const [name, text] of texts) {
    for (const table of ["store_meta", ...tables]) {
      const bare = new RegExp(`\\b(FROM|JOIN|INTO|UPDATE|TABLE|ON) ${table}\\b(?!\\s*\\.)`);
      assert.doesNotMatch(text, bare, `${name}: ${table}`);
    }
    assert.doesNotMatch(text, /\$\d|\?|undefined|\bnull\b/, name);
  }
});

Deno.test("no key of an index passes what the server takes", () => {
  const bytesOf = (definition: string) => {
    const sized = /nvarchar\((\d+)\)/.exec(definition);
    if (sized !== null) return 2 * Number(sized[1]);
    if (/nvarchar\(max\)/.test(definition)) return Infinity;
    return /binary\(32\)/.test(definition) ? 32 : 8;
  };
  const all = everyTable;
  const columns = new Map<string, number>();
  for (const [, table, body] of all.matchAll(/CREATE TABLE mefor\.(\w+) \(\n([\s\S]*?)\n\)/g)) {
    for (
      const [, column, definition] of body!.matchAll(/^ {2}\[?(\w+)\]? +((?:AS )?[a-z(CN].*)$/gm)
    ) {
      // A computed column is of the type it is cast to last.
      const type = /^AS .*AS (\S+)\) PERSISTED/.exec(definition!)?.[1] ?? definition!;
      columns.set(`${table}.${column}`, bytesOf(type));
    }
  }
  const keys = [
    ...all.matchAll(/CREATE (?:UNIQUE )?INDEX \w+ ON mefor\.(\w+) \(([^)]*)\)/g),
    ...[...all.matchAll(/CREATE TABLE mefor\.(\w+) \([\s\S]*?\n\)/g)].flatMap(([text, table]) =>
      [...text.matchAll(/PRIMARY KEY NONCLUSTERED \(([^)]*)\)/g)].map(([, key]) => ["", table, key])
    ),
  ];
  assert.ok(keys.length > 15);
  for (const [, table, key] of keys) {
    const bytes = key!.split(", ").map((name) => columns.get(`${table}.${name}`) ?? NaN);
    const sum = bytes.reduce((total, one) => total + one, 0);
    assert.ok(sum <= 1_700, `${table} (${key}): ${sum} bytes`);
  }
  for (const [text, table] of all.matchAll(/CREATE TABLE mefor\.(\w+) \([\s\S]*?\n\)/g)) {
    for (const [, key] of text.matchAll(/PRIMARY KEY CLUSTERED \(([^)]*)\)/g)) {
      const sum = key!.split(", ").reduce(
        (total, one) => total + columns.get(`${table}.${one}`)!,
        0,
      );
      assert.ok(sum <= 900, `${table} (${key}): ${sum} bytes`);
    }
    for (const [, column] of text.matchAll(/^ {2}(\w+) .*PRIMARY KEY CLUSTERED(?! \()/gm)) {
      assert.ok(columns.get(`${table}.${column}`)! <= 900, `${table} (${column})`);
    }
  }
});
