/** The token a request brings. */

const SCHEME = "Bearer ";
/** Of the console's pages. Source: spec api §1.7, §1.9. */
const SESSION_COOKIE = "mf_session";

/** The token of the `Authorization` header; undefined without one. No other place is looked at. */
export function tokenOf({ headers }: Request): string | undefined {
  const header = headers.get("authorization");
  if (header === null || !header.startsWith(SCHEME)) return undefined;
  const token = header.slice(SCHEME.length).trim();
  return token === "" ? undefined : token;
}

/**
 * The token of a WebSocket: of its header, or of the console's cookie when a page of our own opens
 * it. A browser cannot set a header there, and sends the cookie for pages of other ports, too: so
 * the origin has to be ours to the letter.
 */
export function socketTokenOf(
  request: Request,
  publicOrigin: string | undefined,
): string | undefined {
  return tokenOf(request) ?? (isOwnPage(request, publicOrigin) ? cookieOf(request) : undefined);
}

function isOwnPage({ headers }: Request, publicOrigin: string | undefined): boolean {
  const origin = headers.get("origin");
  if (origin === null) return false;
  if (publicOrigin !== undefined) return origin === publicOrigin;
  const url = URL.parse(origin);
  return url !== null && url.origin === origin && url.host === headers.get("host");
}

function cookieOf({ headers }: Request): string | undefined {
  const found = (headers.get("cookie") ?? "").split(";").map((pair) => pair.trim())
    .find((pair) => pair.startsWith(`${SESSION_COOKIE}=`));
  const token = found?.slice(SESSION_COOKIE.length + 1);
  return token === "" ? undefined : token;
}
