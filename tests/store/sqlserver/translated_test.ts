/**
 * What looks for rows, of the store contract, on SQL Server's own statements: they go out over TDS and
 * are translated for PostgreSQL. `deno task proof:sqlserver` runs the whole contract so.
 */
import { testClaims } from "../../contract/store/claims.ts";
import { testOperator } from "../../contract/store/operator.ts";
import { testReads } from "../../contract/store/reads.ts";
import { testRegisters } from "../../contract/store/registers.ts";
import { testRestart } from "../../contract/store/restart.ts";
import { testRetention } from "../../contract/store/retention.ts";
import { hasPostgres, PostgresServer } from "../postgres/server.ts";
import { standIn } from "./stand_in.ts";
import { TdsServer } from "./tds_server.ts";
import { translatedBackend } from "./translated.ts";

if (hasPostgres()) {
  const behind = await PostgresServer.start();
  globalThis.addEventListener("unload", () => behind.kill());
  const backend = translatedBackend(behind, new TdsServer(standIn(behind)));
  testClaims(backend);
  testOperator(backend);
  testReads(backend);
  testRegisters(backend);
  testRetention(backend);
  testRestart(backend);
}
