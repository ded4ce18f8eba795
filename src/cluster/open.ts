/** Connects a node to the database its cluster meets in; from there on nobody asks which one it is. */
import type { ServerBackend } from "../store/open.ts";
import type { ClusterBackend } from "./cluster.ts";
import type { BackendOptions } from "./server/backend.ts";

/** @throws {ClusterError} */
export async function openBackend(
  backend: ServerBackend,
  options: BackendOptions,
): Promise<ClusterBackend> {
  // Each brings its library, and a node needs one of them.
  switch (backend) {
    case "postgres":
      return (await import("./postgres/backend.ts")).openPostgresBackend(options);
    case "sqlserver":
      return (await import("./sqlserver/backend.ts")).openSqlServerBackend(options);
  }
}
