/**
 * Keeps connections out of the folder of the store.
 *
 * What lies there is the engine's own: every message, and the file of the first password. An inbound
 * would take it in as messages, an outbound could write over it, so whoever writes a graph could read
 * and change what roles keep from them. Folders below it are free.
 */
import { dirname, resolve } from "node:path";
import { quoteName } from "../authoring/names.ts";
import type { ConnectionReach } from "./egress.ts";
import { type GraphProblem, problemAt } from "./problems.ts";
import { findRealPath } from "./real_path.ts";
import { isWithin } from "./source_trust.ts";

/** Returns a problem for every directory that is the store's folder, or is read down to it. */
export async function checkStoreFolder(
  connections: readonly ConnectionReach[],
  storePath: string,
): Promise<readonly GraphProblem[]> {
  const folder = await realPathOr(dirname(resolve(storePath)));
  const problems: GraphProblem[] = [];
  for (const { connection, direction, position, reach } of connections) {
    for (const one of reach) {
      // What is only read is a certificate or a key, and never becomes a message.
      if (one.kind !== "path" || !one.write) continue;
      const path = await realPathOr(one.path);
      if (path !== folder && !(one.recursive === true && isWithin(path, folder))) continue;
      const side = direction === "inbound" ? "Inbound" : "Outbound";
      problems.push(problemAt(
        position,
        `${side} ${quoteName(connection)} may not reach "${one.path}": the store lies there; ` +
          "give it a directory of its own",
      ));
    }
  }
  return problems;
}

/** As written where the operating system will not resolve it. */
async function realPathOr(path: string): Promise<string> {
  try {
    return (await findRealPath(path)).path;
  } catch {
    return resolve(path);
  }
}
