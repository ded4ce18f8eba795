/**
 * Takes the store's lock as its writer does and asks for more than a connection holds at once:
 * `HOST PORT`. Says "locked" then, and reads on until it is ended.
 */
import { postgres } from "../../../src/store/postgres/dialect.ts";

const [host, port] = Deno.args;
const connection = await postgres.connect({
  ...{ host: host!, port: Number(port), database: "postgres", user: "postgres" },
  ...{ password: undefined, encrypt: false, trustServerCertificate: false, caText: undefined },
  ...{ schema: undefined, applicationName: "long read" },
  ...{ connectTimeoutMs: 5_000, commandTimeoutMs: 60_000 },
}, "writer");
await connection.begin();
await connection.run("lockStore");
console.log("locked");
for (;;) await connection.ask("SELECT repeat('x', 16000000) AS filler");
