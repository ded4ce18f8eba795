/**
 * Settings of `databaseRef()`: the query that fills a reference set, and how its server is reached.
 *
 * Keys and defaults are those of the Database transport. Source: spec connectors-and-graph §2.6, §4.6.
 */
import {
  isEnvironmentReference,
  type SettingDirection,
  type SettingProblem,
  type SettingSpec,
  type SettingValues,
  type TransportSchema,
} from "./schema.ts";
import { tsqlQueryProblem } from "./tsql_query.ts";

const settings = [
  {
    key: "dialect",
    type: "string",
    direction: "in",
    enum: ["sqlserver", "postgres"],
    default: "sqlserver",
    help: "Kind of server.",
  },
  {
    key: "server",
    type: "string",
    direction: "in",
    required: true,
    help: "Name or address of the database server.",
  },
  {
    key: "port",
    type: "integer",
    direction: "in",
    min: 1,
    max: 65_535,
    help: "Its port; 1433 of a SQL Server and 5432 of a PostgreSQL without it.",
  },
  {
    key: "database",
    type: "string",
    direction: "in",
    required: true,
    help: "Name of the database.",
  },
  {
    key: "auth",
    type: "string",
    direction: "in",
    enum: ["sql", "integrated"],
    default: "sql",
    help: "How to sign in; `integrated` is a Windows account at a SQL Server, by NTLM.",
  },
  {
    key: "username",
    type: "string",
    direction: "in",
    required: true,
    help:
      "Role, login or `DOMAIN\\user` to sign in as; give it no more than SELECT on what the statement reads.",
  },
  {
    key: "password",
    type: "string",
    direction: "in",
    secret: true,
    help: "Its password; a default of its `env()` is refused.",
  },
  {
    key: "statement",
    type: "string",
    direction: "in",
    required: true,
    help:
      "One query that only reads: `SELECT` or `WITH`; of a PostgreSQL also `VALUES` or `TABLE`.",
  },
  {
    key: "key_column",
    type: "string",
    direction: "in",
    required: true,
    help: "Column of the result whose text is the key.",
  },
  {
    key: "value_column",
    type: "string",
    direction: "in",
    help: "Column that is the value; a record of all columns but the key without it.",
  },
  {
    key: "encrypt",
    type: "boolean",
    direction: "in",
    default: true,
    help: "TLS; false needs a server on this machine or MEFOR_ALLOW_INSECURE_TLS=1.",
  },
  {
    key: "trust_server_certificate",
    type: "boolean",
    direction: "in",
    default: false,
    help: "Take any certificate; true needs MEFOR_ALLOW_INSECURE_TLS=1.",
  },
  {
    key: "tls_ca_file",
    type: "string",
    direction: "in",
    help: "PEM file of the authority that signed the server's certificate.",
  },
  {
    key: "connect_timeout",
    type: "number",
    direction: "in",
    default: 10,
    min: 1,
    max: 60,
    help: "Seconds to connect and sign in.",
  },
  {
    key: "statement_timeout",
    type: "number",
    direction: "in",
    default: 30,
    min: 1,
    max: 600,
    help: "Seconds the whole read may take.",
  },
] as const satisfies readonly SettingSpec[];

export const databaseRefSchema = {
  type: "databaseRef",
  listen: false,
  poll: true,
  settings,
  rules: databaseRefRules,
} as const satisfies TransportSchema;

function databaseRefRules(
  _direction: SettingDirection,
  settings: SettingValues,
): readonly SettingProblem[] {
  const { dialect = "sqlserver", password } = settings;
  const problems = dialect === "sqlserver"
    ? [...sqlServerProblems(settings)]
    : dialect === "postgres"
    ? [...postgresProblems(settings)]
    : [];
  if (
    isEnvironmentReference(password) && (password as { default?: unknown }).default !== undefined
  ) {
    problems.push({
      key: "password",
      message: 'Setting "password" is a secret: its env() takes no default, which would stand in ' +
        "the graph",
    });
  }
  return problems;
}

function* sqlServerProblems(
  { server, auth, username, statement }: SettingValues,
): Iterable<SettingProblem> {
  if (typeof server === "string" && /[\\,]/.test(server)) {
    yield {
      key: "server",
      message: 'Setting "server" must be a host alone: give an instance a port of its own, and ' +
        'name it in "port"',
    };
  }
  if (
    auth === "integrated" && typeof username === "string" && !/^[^\\]+\\[^\\]+$/.test(username)
  ) {
    yield {
      key: "username",
      message: 'Setting "username" must be such as "DOMAIN\\user" when "auth" is "integrated"',
    };
  }
  const problem = typeof statement === "string" ? tsqlQueryProblem(statement) : undefined;
  if (problem !== undefined) {
    yield { key: "statement", message: `Setting "statement" ${problem}` };
  }
}

/** What the statement may be, PostgreSQL itself says. */
function* postgresProblems({ auth }: SettingValues): Iterable<SettingProblem> {
  if (auth === "integrated") {
    yield { key: "auth", message: 'Setting "auth" must be "sql" when "dialect" is "postgres"' };
  }
}
