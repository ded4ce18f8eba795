import type { SectionSpec } from "./declaration.ts";

/** The port of a PostgreSQL server when no other is set. */
const POSTGRES_PORT = 5432;
/** The port of a SQL Server. */
const SQLSERVER_PORT = 1433;

/** The port of the database server; undefined: the backend is none. */
export function storePort(
  { backend, port }: { readonly backend: string; readonly port: number | undefined },
): number | undefined {
  if (backend === "sqlite") return undefined;
  return port ?? (backend === "postgres" ? POSTGRES_PORT : SQLSERVER_PORT);
}

export const store = {
  name: "store",
  help: "Where messages, queues and audit live.",
  keys: {
    backend: {
      type: "enum",
      values: ["sqlite", "postgres", "sqlserver"],
      default: "sqlite",
      inEffect: true,
      help: "Database that holds everything.",
    },
    path: {
      type: "string",
      default: "./messagefoundry.db",
      inEffect: true,
      flag: "--db",
      help: "SQLite database file, relative to [engine] data_dir.",
    },
    synchronous: {
      type: "enum",
      values: ["normal", "full"],
      default: "normal",
      inEffect: true,
      help: "SQLite: whether a commit waits for the disk (full) or for the operating system.",
    },
    encryption_key: {
      type: "string",
      secret: true,
      inEffect: true,
      help: "Active key, base64 of 32 bytes; set, bodies and errors are sealed with AES-256-GCM.",
    },
    encryption_keys_retired: {
      type: "string",
      secret: true,
      inEffect: true,
      help: "Former keys, comma-separated base64, kept for reading until rotate-key has finished.",
    },
    key_provider: {
      type: "enum",
      values: ["auto", "env", "dpapi", "aws_kms", "azure_kv", "gcp_kms", "vault", "pkcs11"],
      default: "auto",
      inEffect: true,
      help: "Where key bytes come from; a provider that is not built refuses the start.",
    },
    require_encryption: {
      type: "boolean",
      default: false,
      inEffect: true,
      help: "Refuse to start without an encryption key.",
    },
    server: { type: "string", inEffect: true, help: "Host of the database server." },
    port: {
      type: "integer",
      min: 1,
      max: 65535,
      inEffect: true,
      help: "Port of the database server; unset, 5432 for postgres and 1433 for sqlserver.",
    },
    database: { type: "string", inEffect: true, help: "Database on the server." },
    auth: {
      type: "enum",
      values: ["sql", "integrated", "entra"],
      default: "sql",
      inEffect: true,
      help: "How to sign in to SQL Server: a login, a Windows account by NTLM, or an access token.",
    },
    username: { type: "string", inEffect: true, help: "Database user." },
    password: {
      type: "string",
      secret: true,
      inEffect: true,
      help: "Password of that user, or the access token of auth entra.",
    },
    encrypt: {
      type: "boolean",
      default: true,
      inEffect: true,
      help: "Use TLS to the database server.",
    },
    trust_server_certificate: {
      type: "boolean",
      default: false,
      inEffect: true,
      help: "Accept any certificate of the database server; insecure.",
    },
    tls_ca_file: {
      type: "string",
      inEffect: true,
      help: "PEM of the authorities that the server's certificate is checked against.",
    },
    pool_size: {
      type: "integer",
      default: 5,
      min: 1,
      max: 1000,
      inEffect: true,
      help: "Connections to the database server; a cluster needs 2, better 3.",
    },
    connect_timeout: {
      type: "integer",
      unit: "seconds",
      default: 15,
      min: 1,
      inEffect: true,
      help: "Wait for a connection to the database server.",
    },
    command_timeout: {
      type: "integer",
      unit: "seconds",
      default: 30,
      min: 1,
      inEffect: true,
      help: "Wait for one statement on the database server.",
    },
    lease_ttl_seconds: {
      type: "number",
      unit: "seconds",
      default: 60,
      min: 0,
      exclusiveMin: true,
      inEffect: false,
      help: "Lifetime of a row lease in a cluster; the background reclaim waits this long.",
    },
    allow_unencrypted_phi: {
      type: "boolean",
      default: false,
      inEffect: true,
      help:
        "Known from other installations; shown by /security/posture, and asks for nothing here.",
    },
    db_schema: { type: "string", inEffect: true, help: "Schema of the tables on the server." },
    application_name: {
      type: "string",
      default: "messagefoundry",
      inEffect: true,
      help: "Name shown by the database server for our connections.",
    },
  },
} as const satisfies SectionSpec;
