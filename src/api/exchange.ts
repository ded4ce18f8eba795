/**
 * What a route takes and gives, declared where the route is: the schemas check what comes in, and the
 * OpenAPI document is made of the same ones.
 *
 * Both stand after the access of the route: nothing is looked at before whoever asks is let in.
 */
import type { Context, MiddlewareHandler } from "@hono/hono";
import type { z } from "zod";
import type { ApiEnv } from "./env.ts";
import { readPath, readQuery, takeJson } from "./input.ts";

/** Schemas of what a route takes. */
export interface Takes {
  readonly query?: z.ZodObject;
  readonly path?: z.ZodObject;
  readonly body?: z.ZodType;
}

/** What a route answers when all went well. */
export interface Gives {
  readonly status: number;
  /** Undefined: no JSON; see `type`. */
  readonly model: z.ZodType | undefined;
  /** Content type of what is no JSON. */
  readonly type: string;
  /** The act can be held for a second person: 202. */
  readonly canBeHeld: boolean;
}

type Taken<Q extends z.ZodObject, P extends z.ZodObject, B extends z.ZodType> = {
  out: { query: z.output<Q>; param: z.output<P>; json: z.output<B> };
};

const taken = new WeakMap<object, Takes>();
const given = new WeakMap<object, Gives>();

/**
 * Checks query, path and body; the handler takes them with `c.req.valid()`: `query`, `param`, `json`.
 * Throws `Refusal` 422.
 */
export function takes<Q extends z.ZodObject, P extends z.ZodObject, B extends z.ZodType>(
  { query, path, body }: { query?: Q; path?: P; body?: B },
): MiddlewareHandler<ApiEnv, string, Taken<Q, P, B>> {
  const handler = async (c: Context<ApiEnv>, next: () => Promise<void>) => {
    if (path !== undefined) c.req.addValidatedData("param", readPath(c.req.param(), path));
    if (query !== undefined) c.req.addValidatedData("query", readQuery(c.req.raw, query));
    if (body !== undefined) c.req.addValidatedData("json", takeJson(c, body) as object);
    await next();
  };
  taken.set(handler, { query, path, body });
  return handler as MiddlewareHandler<ApiEnv, string, Taken<Q, P, B>>;
}

/** Says what the route answers; changes nothing. */
export function gives(
  model: z.ZodType | undefined,
  { status = 200, type = "application/json", canBeHeld = false }: Partial<Omit<Gives, "model">> =
    {},
): MiddlewareHandler<ApiEnv> {
  const handler: MiddlewareHandler<ApiEnv> = (_c, next) => next();
  given.set(handler, { status, model, type, canBeHeld });
  return handler;
}

export function takesOf(handler: unknown): Takes | undefined {
  return typeof handler === "function" ? taken.get(handler) : undefined;
}

export function givesOf(handler: unknown): Gives | undefined {
  return typeof handler === "function" ? given.get(handler) : undefined;
}
