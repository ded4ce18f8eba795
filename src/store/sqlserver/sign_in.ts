/** How the library is told to sign in. */
import { StoreError } from "../errors.ts";
import type { ServerOptions } from "../server/dialect.ts";
import type { Config } from "./mssql.d.ts";

type SignIn = Pick<
  Config,
  "user" | "password" | "domain" | "authentication_type" | "token"
>;

/**
 * - `sql`: a login of the server, by name and password.
 * - `integrated`: a Windows account by NTLM, `DOMAIN\\user` with its password. Kerberos and the
 *   account the engine runs under need native code, which the engine never loads.
 * - `entra`: an access token that somebody else got; it is used for each connection that is made, so
 *   the store is lost when it has expired and a connection breaks.
 *
 * The settings refuse what is missing before anything is opened (`settings/store_checks.ts`).
 *
 * @throws {StoreError} `store.open_failed`: something is missing all the same.
 */
export function signInOf({ auth = "sql", user, password }: ServerOptions): SignIn {
  switch (auth) {
    case "sql":
      return { user, password: password ?? "" };
    case "integrated": {
      const [domain, name] = splitAccount(user);
      return { domain, user: name, password: password ?? "" };
    }
    case "entra":
      if (password === undefined) throw missing("needs an access token in MEFOR_STORE_PASSWORD");
      return { authentication_type: "azure-active-directory-access-token", token: password };
  }
}

function splitAccount(user: string | undefined): readonly [domain: string, name: string] {
  const [domain, name, ...rest] = (user ?? "").split("\\");
  if (!domain || !name || rest.length > 0) {
    throw missing('needs a [store] username such as "DOMAIN\\user"');
  }
  return [domain, name];
}

function missing(what: string): StoreError {
  return new StoreError("store.open_failed", `Cannot sign in to the database: it ${what}`, {
    hint: "See docs/operating/sqlserver.md",
  });
}
