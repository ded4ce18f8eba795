/**
 * Reference sets from a database: resolved for one instance, and what they reach.
 *
 * Running the query is `maintenance/`. Source: spec connectors-and-graph §1.2, §2.6, §4.6.
 */
import { resolve } from "node:path";
import { databaseRefSchema } from "../authoring/connectors/database_ref.ts";
import { Secret } from "../settings/mod.ts";
import type { ConnectionReach } from "./egress.ts";
import type { EnvironmentValues } from "./environment_values.ts";
import type { DatabaseReference, ReferenceDefinition } from "./graph.ts";
import { isLoopback } from "./ports.ts";
import { resolveTable } from "./resolve.ts";

const usualPorts = { postgres: 5432, sqlserver: 1433 } as const;

/** Resolves the source of one set; undefined when `tell` was told of a problem. */
export function resolveDatabaseReference(
  source: Readonly<Record<string, unknown>>,
  { any, environment, allowInsecureTls, tell, warn }: {
    readonly any: Pick<DatabaseReference, "name" | "refreshMs" | "position">;
    readonly environment: EnvironmentValues;
    readonly allowInsecureTls: boolean;
    readonly tell: (message: string) => void;
    readonly warn: (message: string) => void;
  },
): DatabaseReference | undefined {
  const { kind: _, ...declared } = source;
  let isWhole = true;
  const settings = resolveTable(databaseRefSchema, "in", {
    declared,
    values: environment.values,
    tell: (_, message) => {
      isWhole = false;
      tell(message);
    },
  });
  if (!isWhole) return undefined;
  const text = (key: string) => settings[key] === undefined ? undefined : String(settings[key]);
  const dialect = settings.dialect as DatabaseReference["dialect"];
  const host = String(settings.server);
  const encrypt = settings.encrypt === true;
  const trustServerCertificate = settings.trust_server_certificate === true;
  if (!isLoopback(host) && (!encrypt || trustServerCertificate)) {
    const key = encrypt ? "trust_server_certificate" : "encrypt";
    const shows = `setting "${key}" shows rows and password to whoever listens between here and ` +
      "the server";
    if (!allowInsecureTls) {
      tell(`${shows}: set "tls_ca_file" instead, or MEFOR_ALLOW_INSECURE_TLS=1 to accept the risk`);
      return undefined;
    }
    warn(`${shows}; MEFOR_ALLOW_INSECURE_TLS=1 accepts the risk`);
  }
  const password = text("password");
  const caFile = encrypt ? text("tls_ca_file") : undefined;
  return {
    ...any,
    kind: "database",
    dialect,
    host,
    port: Number(settings.port ?? usualPorts[dialect]),
    database: String(settings.database),
    auth: settings.auth as DatabaseReference["auth"],
    username: String(settings.username),
    password: password === undefined ? undefined : new Secret(password),
    statement: String(settings.statement),
    keyColumn: String(settings.key_column),
    valueColumn: text("value_column"),
    encrypt,
    trustServerCertificate,
    tlsCaFile: caFile === undefined ? undefined : resolve(caFile),
    connectTimeoutMs: Number(settings.connect_timeout) * 1000,
    statementTimeoutMs: Number(settings.statement_timeout) * 1000,
  };
}

/** What the sets reach over the network, for the lists of `[egress]`. */
export function reachesOfReferences(
  references: ReadonlyMap<string, ReferenceDefinition>,
): readonly ConnectionReach[] {
  const reaches: ConnectionReach[] = [];
  for (const definition of references.values()) {
    if (definition.kind !== "database") continue;
    const { name, position, host, port } = definition;
    reaches.push({
      connection: name,
      direction: "reference",
      position,
      reach: [{ kind: "net", list: "allowed_db", host, port }],
    });
  }
  return reaches;
}
