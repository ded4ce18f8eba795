import { hasPostgres, PostgresServer } from "../postgres/server.ts";
import { dropSchema, namedServer, newSchema } from "../store/sqlserver/real_server.ts";
import { standIn } from "../store/sqlserver/stand_in.ts";
import { TdsServer } from "../store/sqlserver/tds_server.ts";
import { translatedOptions } from "../store/sqlserver/translated.ts";
import { testBackend } from "./backend_contract.ts";

if (hasPostgres()) {
  const server = await PostgresServer.start();
  globalThis.addEventListener("unload", () => server.kill());
  const open = () => ({ options: server.options() });
  testBackend({ name: "PostgreSQL", backend: "postgres", open });

  let databases = 0;
  testBackend({
    name: "SQL Server's stand-in",
    backend: "sqlserver",
    open() {
      const tds = new TdsServer(standIn(server));
      const options = translatedOptions(tds, `cluster_${databases += 1}`);
      return { options, [Symbol.asyncDispose]: () => tds[Symbol.asyncDispose]() };
    },
  });
}

const named = namedServer();
if (named !== undefined) {
  testBackend({
    name: "SQL Server",
    backend: "sqlserver",
    open() {
      const options = { ...named, schema: newSchema() };
      return { options, [Symbol.asyncDispose]: () => dropSchema(options) };
    },
  });
}
