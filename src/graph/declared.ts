/** What a bundle declares, of modules and `connections.toml` together; nothing resolved yet. */
import type {
  DeclaredConnection,
  DeclaredFunction,
  DeclaredReference,
  Registry,
} from "../sandbox/protocol.ts";
import type { DeclaredInToml } from "./connections_toml.ts";
import { type GraphProblem, problemAt } from "./problems.ts";

export interface Declared {
  readonly inbounds: readonly DeclaredConnection[];
  readonly outbounds: readonly DeclaredConnection[];
  readonly routers: readonly DeclaredFunction[];
  readonly handlers: readonly DeclaredFunction[];
  readonly references: readonly DeclaredReference[];
  /** Names that modules read and declare elsewhere. */
  readonly referencesRead: readonly string[];
  readonly readsResponses: boolean;
  /** Line of one setting or option, where it is known better than the connection's own. */
  readonly lineOf: (connection: DeclaredConnection, key: string) => number | undefined;
}

/** Puts both together; a name that is taken stays with its first owner and is a problem. */
export function mergeDeclared(
  registry: Registry,
  toml: DeclaredInToml,
): { declared: Declared; problems: readonly GraphProblem[] } {
  const problems: GraphProblem[] = [];
  const sides = [
    ["inbound", [...registry.inbounds, ...toml.inbounds]],
    ["outbound", [...registry.outbounds, ...toml.outbounds]],
  ] as const;
  const taken = new Map<string, { kind: string; owner: DeclaredConnection }>();
  const kept = { inbound: [] as DeclaredConnection[], outbound: [] as DeclaredConnection[] };
  for (const [kind, connections] of sides) {
    for (const connection of connections) {
      const former = taken.get(connection.name);
      if (former === undefined) {
        taken.set(connection.name, { kind, owner: connection });
        kept[kind].push(connection);
        continue;
      }
      const { file, line } = former.owner.position ?? {};
      const place = file === undefined ? "" : ` at ${file}:${line}`;
      problems.push(problemAt(
        connection.position,
        `Name "${connection.name}" of this ${kind} is taken by the ${former.kind}${place}`,
      ));
    }
  }
  const declared: Declared = {
    inbounds: kept.inbound,
    outbounds: kept.outbound,
    routers: registry.routers,
    handlers: registry.handlers,
    references: registry.references,
    referencesRead: registry.referencesRead,
    readsResponses: registry.readsResponses,
    lineOf: toml.lineOf,
  };
  return { declared, problems };
}
