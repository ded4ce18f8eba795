/**
 * A router that remembers where paths without parts of their own lead.
 *
 * The library looks a path up piece by piece through a tree of all routes, beside traffic that
 * waits for the same thread; nearly all that is asked are the same dozen lists and figures.
 */
import { Hono } from "@hono/hono";
import type { ApiEnv } from "./env.ts";

type Router = Hono<ApiEnv>["router"];
type Found = ReturnType<Router["match"]>;

/** Beyond it paths are looked up every time: anybody may ask for any. */
const KNOWN_MAX = 256;

export class KnownPaths implements Router {
  readonly name = "KnownPaths";
  readonly #router: Router = new Hono<ApiEnv>().router;
  readonly #known = new Map<string, Found>();

  add(...route: Parameters<Router["add"]>): void {
    this.#router.add(...route);
    this.#known.clear();
  }

  match(method: string, path: string): Found {
    const key = `${method} ${path}`;
    let found = this.#known.get(key);
    if (found === undefined) {
      found = this.#router.match(method, path);
      if (this.#known.size < KNOWN_MAX && isRemembered(found)) this.#known.set(key, found);
    }
    return found;
  }
}

/** What leads nowhere has met no more than what stands before all routes. */
function isRemembered([handlers]: Found): boolean {
  return handlers.length > 1 && handlers.every(([, parts]) => Object.keys(parts).length === 0);
}
