/** The whole store contract on SQL Server's statements, translated; `deno task proof:sqlserver`. */
import { testStore } from "../../contract/store_contract.ts";
import { hasPostgres, PostgresServer } from "../../postgres/server.ts";
import { standIn } from "./stand_in.ts";
import { TdsServer } from "./tds_server.ts";
import { translatedBackend } from "./translated.ts";

if (hasPostgres()) {
  const behind = await PostgresServer.start();
  globalThis.addEventListener("unload", () => behind.kill());
  testStore(translatedBackend(behind, new TdsServer(standIn(behind))));
}
