/** One PostgreSQL server for a file of tests. */
import { hasPostgres, PostgresServer } from "../postgres/server.ts";

export { hasPostgres, PostgresServer };

const isHere = hasPostgres();
const server = isHere ? await PostgresServer.start() : undefined;
if (server !== undefined) globalThis.addEventListener("unload", () => server.kill());

/** A test against it; skipped aloud where there is none. */
export function test(name: string, act: (server: PostgresServer) => Promise<void>): void {
  Deno.test({ name, ignore: !isHere, fn: () => act(server!) });
}
