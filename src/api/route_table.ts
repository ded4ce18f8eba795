/** The routes as patterns: which methods a path has, for 405, redirects and log lines. */

interface RouteLike {
  readonly path: string;
  readonly method: string;
}

interface Entry {
  readonly pattern: string;
  readonly expression: RegExp;
  readonly methods: readonly string[];
}

export class RouteTable {
  readonly #entries: readonly Entry[];

  constructor(routes: readonly RouteLike[]) {
    const methods = new Map<string, Set<string>>();
    for (const { path, method } of routes) {
      if (method === "ALL") continue;
      methods.set(path, (methods.get(path) ?? new Set()).add(method));
    }
    this.#entries = [...methods].map(([pattern, ofPattern]) => ({
      pattern,
      expression: new RegExp(`^${pattern.replace(/:[a-z_]+/g, "[^/]+")}$`),
      methods: [...ofPattern].sort(),
    }));
  }

  /** The route of a path, whatever the method. */
  find(
    path: string,
  ): { readonly pattern: string; readonly methods: readonly string[] } | undefined {
    return this.#entries.find(({ expression }) => expression.test(path));
  }

  /** Where a request with slashes at the end of its path belongs, when that is a route. */
  withoutSlash(request: Request): string | undefined {
    const raw = rawPathOf(request);
    const short = raw.replace(/\/+$/, "");
    // Two slashes at the start would name another host.
    if (short === raw || !/^\/[^/]/.test(short) || !this.find(decoded(short))) return undefined;
    return asHeader(short + queryOf(request));
  }
}

/** The path of a request target as it came: decoded where it can be, never resolved. */
export function pathOf(request: Request): string {
  return decoded(rawPathOf(request));
}

/**
 * The path as the router is to read it. A part that looks like a pattern's (`:name`, `*`) would
 * match its route twice, once as a parameter and once by name, and run its checks twice.
 */
export function routedPathOf(request: Request): string {
  return pathOf(request).replace(/(?<=\/)[:*]/g, encodeAscii);
}

/** `encodeURIComponent` leaves `*` as it is. */
function encodeAscii(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

/** Everything from the first `?` on, or nothing. */
export function queryOf(request: Request): string {
  const at = request.url.indexOf("?");
  return at < 0 ? "" : request.url.slice(at);
}

function decoded(path: string): string {
  try {
    // What was encoded twice is decoded once here and once where the router takes the parts.
    return decodeURI(path.replaceAll("%25", "%2525"));
  } catch {
    return path;
  }
}

/** A header takes ASCII only. */
function asHeader(target: string): string {
  return target.toWellFormed().replace(/[^\x21-\x7e]/gu, encodeURIComponent);
}

function rawPathOf({ url }: Request): string {
  const start = url.indexOf("/", url.indexOf("//") + 2);
  if (start < 0) return "/";
  const end = url.indexOf("?", start);
  return end < 0 ? url.slice(start) : url.slice(start, end);
}
