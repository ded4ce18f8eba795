// Goal: of T-SQL only one query that reads is let through. The server begins another statement without
// any mark, so whatever it would take behind a query has to be found by its words.
import assert from "node:assert/strict";
import { tsqlQueryProblem } from "../../src/authoring/connectors/tsql_query.ts";
import { syntaxErrors } from "../store/sqlserver/tsql.ts";

const queries = [
  "SELECT plan_code, payer_id FROM dbo.plans WHERE active = 1",
  "select 1 as k;\n -- done; DELETE\n",
  "WITH a AS (SELECT 1 AS k) SELECT k FROM a ORDER BY k OFFSET 0 ROWS FETCH NEXT 5 ROWS ONLY",
  "SELECT 1 AS k UNION ALL SELECT 2",
  "SELECT 'it''s; DELETE' AS k, [drop] AS v, \"into\" AS w, N'EXEC' AS x FROM t",
  "SELECT a.k /* UPDATE /* EXEC */ DELETE */ FROM a INNER MERGE JOIN b ON a.k = b.k OPTION (MERGE JOIN)",
  "SELECT k, deleted_at, updated, [a]]b] FROM t WITH (NOLOCK) OPTION (USE PLAN N'INTO')",
  "SELECT CASE WHEN k = 1 THEN 2 ELSE 3 END AS k, @@SPID AS v, 0x1F AS w, 1e5 AS x FROM #t",
];

/** What the server would carry out behind a query; some of it without one before. */
const statements = [
  ...["DELETE FROM t", "INSERT INTO t (k) VALUES (1)", "UPDATE t SET k = 1", "TRUNCATE TABLE t"],
  ...["DROP TABLE t", "CREATE TABLE t (k int)", "ALTER TABLE t ADD v int", "EXEC p", "EXECUTE p"],
  ...["DECLARE @x int", "SET NOCOUNT ON", "USE other", "COMMIT", "ROLLBACK", "PRINT 'x'"],
  ...["BEGIN TRANSACTION", "IF 1 = 1 SELECT 1", "WHILE 1 = 1 BREAK", "RETURN", "KILL 51"],
  ...["GRANT SELECT ON t TO u", "DENY SELECT ON t TO u", "REVOKE SELECT ON t TO u", "REVERT"],
  ...["WAITFOR DELAY '00:01'", "RAISERROR ('x', 16, 1)", "CHECKPOINT", "SHUTDOWN", "GOTO x"],
  "MERGE t USING s ON t.k = s.k WHEN MATCHED THEN DELETE;",
];

Deno.test("one query is let through, however it is written", () => {
  for (const text of queries) {
    assert.deepEqual(syntaxErrors(text), [], text);
    assert.equal(tsqlQueryProblem(text), undefined, text);
  }
});

Deno.test("a statement behind a query is found without any mark between", () => {
  for (const statement of statements) {
    const text = `SELECT 1 AS k ${statement}`;
    assert.match(tsqlQueryProblem(text) ?? "", /only reads|goes on behind/, text);
    assert.match(tsqlQueryProblem(statement) ?? "", /must be a query/, statement);
  }
});

Deno.test("what does more in the middle of a query is found too", () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["SELECT k INTO copy FROM t", /it says "INTO"/],
    ["WITH a AS (SELECT 1 AS k) DELETE FROM a", /it says "DELETE"/],
    ["WITH a AS (SELECT 1 AS k) MERGE a USING b ON a.k = b.k", /it says "MERGE"/],
    ["SELECT NEXT VALUE FOR numbers AS k", /it says "NEXT"/],
    ["SELECT k FROM OPENQUERY(far, 'DELETE FROM t')", /it says "OPENQUERY"/],
    ["SELECT k FROM OPENROWSET(BULK 'c:\\x', SINGLE_CLOB) AS x", /it says "OPENROWSET"/],
    ["SELECT 1DELETE FROM t", /it says "DELETE"/],
    ["SELECT 1.eDELETE FROM t", /it says "DELETE"/],
    ["SELECT 'x'EXEC p", /it says "EXEC"/],
    ["SELECT [k]exec p", /it says "EXEC"/],
    ["SELECT 1/**/EXEC/**/p", /it says "EXEC"/],
    ["SELECT 1 --\nEXEC p", /it says "EXEC"/],
    ["SELECT 1 {call p}", /it says "{"/],
    ["SELECT 1 AS k; SELECT 2", /it goes on behind a ";"/],
    ["TABLE t", /must be a query: SELECT, or WITH and SELECT/],
    ["-- nothing", /must be a query: SELECT/],
    ["SELECT 'x", /a quote or a comment that does not end/],
    ["SELECT [x", /a quote or a comment that does not end/],
    ['SELECT "x', /a quote or a comment that does not end/],
    ["SELECT 1 /* /* */", /a quote or a comment that does not end/],
  ];
  for (const [text, problem] of cases) {
    assert.match(tsqlQueryProblem(text) ?? "", problem, text);
  }
});
