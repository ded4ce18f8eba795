/** The token a request brings. */

const SCHEME = "Bearer ";

/** The token of the `Authorization` header; undefined without one. No other place is looked at. */
export function tokenOf({ headers }: Request): string | undefined {
  const header = headers.get("authorization");
  if (header === null || !header.startsWith(SCHEME)) return undefined;
  const token = header.slice(SCHEME.length).trim();
  return token === "" ? undefined : token;
}
