/**
 * The OpenAPI document, made of what the routes declare: their access, what they take, what they
 * give. There is no second description that could differ. Source: OpenAPI 3.1.0.
 */
import { z } from "zod";
import { VERSION } from "../version.ts";
import { type Access, accessOf } from "./allow.ts";
import { type Gives, givesOf, type Takes, takesOf } from "./exchange.ts";
import { modelRegistry, pending } from "./models/mod.ts";

interface RouteLike {
  readonly path: string;
  readonly method: string;
  readonly handler: unknown;
}

type Schema = Record<string, unknown>;

interface Described {
  readonly method: string;
  readonly path: string;
  readonly access: Access;
  readonly takes: Takes;
  readonly gives: Gives;
}

/** The document of these routes. @throws {Error} for a route that does not say what it gives. */
export function openapiOf(routes: readonly RouteLike[]): Schema {
  const paths: Record<string, Schema> = {};
  for (const route of describedOf(routes)) {
    const path = route.path.replace(/:(\w+)/g, "{$1}");
    (paths[path] ??= {})[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: "3.1.0",
    info: { title: "MessageFoundry", version: VERSION },
    paths,
    components: {
      schemas: { ...namedSchemas(), Error: errorSchema, InvalidInput: invalidInputSchema },
      securitySchemes: { session: { type: "http", scheme: "bearer" } },
    },
  };
}

/** What is known of each route, from all of its handlers. */
export function describedOf(routes: readonly RouteLike[]): readonly Described[] {
  const byRoute = Map.groupBy(
    routes.filter(({ method }) => method !== "ALL"),
    ({ method, path }) => `${method} ${path}`,
  );
  return [...byRoute.values()].map((handlers) => {
    const [{ method, path }] = handlers as [RouteLike];
    const access = firstOf(handlers, accessOf);
    const gives = firstOf(handlers, givesOf);
    if (access === undefined || gives === undefined) {
      throw new Error(`Nobody says what ${method} ${path} answers`);
    }
    return { method, path, access, gives, takes: firstOf(handlers, takesOf) ?? {} };
  });
}

function firstOf<T>(
  handlers: readonly RouteLike[],
  of: (handler: unknown) => T | undefined,
): T | undefined {
  return handlers.map(({ handler }) => of(handler)).find((found) => found !== undefined);
}

function operationOf({ method, path, access, takes, gives }: Described): Schema {
  const { mode, permissions } = access;
  const words = path.split("/").filter((part) => part !== "").map((part) => part.replace(":", ""));
  return {
    operationId: [method.toLowerCase(), ...words].join("_").replaceAll(/\W/g, "_"),
    tags: [words[0]],
    description: `${ASKS[mode]}.${
      permissions.length === 0 ? "" : ` Needs the permission ${permissions.join(", ")}.`
    }`,
    security: mode === "P" ? [] : mode === "O" ? [{}, { session: [] }] : [{ session: [] }],
    parameters: [...pathParameters(path, takes.path), ...queryParameters(takes.query)],
    ...(takes.body !== undefined && {
      requestBody: {
        required: true,
        content: { "application/json": { schema: inputSchema(takes.body) } },
      },
    }),
    responses: responsesOf(access, takes, gives),
  };
}

const ASKS: Readonly<Record<Access["mode"], string>> = {
  P: "For everybody",
  O: "For everybody; whoever has a session is shown more",
  B: "For whoever has a session",
  PHI: "For whoever has a session; how many looks is limited",
  SU: "For whoever has a session, the second factor where one is due, and a fresh password",
  RA: "For whoever has a session and a fresh password",
};

function pathParameters(path: string, schema: z.ZodObject | undefined): Schema[] {
  const known = schema === undefined ? {} : propertiesOf(inputSchema(schema));
  return [...path.matchAll(/:(\w+)/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    schema: known[name] ?? { type: "string" },
  }));
}

function queryParameters(schema: z.ZodObject | undefined): Schema[] {
  if (schema === undefined) return [];
  return Object.entries(propertiesOf(inputSchema(schema)))
    .map(([name, of]) => ({ name, in: "query", required: false, schema: of }));
}

function responsesOf(access: Access, { query, path, body }: Takes, gives: Gives): Schema {
  const { mode, permissions, isLimited, needsAccounts } = access;
  const needsSession = mode !== "P" && mode !== "O";
  const takesInput = query !== undefined || path !== undefined || body !== undefined;
  const isRefused = needsSession && (permissions.length > 0 || mode === "SU" || mode === "RA");
  return {
    [gives.status]: successOf(gives),
    ...(gives.canBeHeld && {
      202: { description: "Held until another person approves it", content: json(pending) },
    }),
    ...((needsSession || isLimited) && { 401: refusal("No valid session, or a wrong proof") }),
    ...(isRefused && { 403: refusal("Not permitted, or a proof is missing") }),
    ...(takesInput && {
      422: {
        description: "The input does not fit",
        content: { "application/json": { schema: ref("InvalidInput") } },
      },
    }),
    ...((isLimited || mode === "PHI") && { 429: refusal("Too often") }),
    ...(needsAccounts && { 503: refusal("Nobody signs in here") }),
    default: refusal("Refused; see the status"),
  };
}

function successOf({ status, model, type }: Gives): Schema {
  if (status === 101) return { description: "A WebSocket" };
  if (model !== undefined) return { description: "Done", content: json(model) };
  return { description: "Done", content: { [type]: { schema: { type: "string" } } } };
}

function refusal(description: string): Schema {
  return { description, content: { "application/json": { schema: ref("Error") } } };
}

function json(model: z.ZodType): Schema {
  return { "application/json": { schema: outputSchema(model) } };
}

/** A named answer is referred to; a list of a named one, too. */
function outputSchema(model: z.ZodType): Schema {
  const id = modelRegistry.get(model)?.id;
  if (id !== undefined) return ref(id);
  if (model instanceof z.ZodArray) {
    return { type: "array", items: outputSchema(model.element as z.ZodType) };
  }
  return withoutDialect(z.toJSONSchema(model));
}

function namedSchemas(): Record<string, Schema> {
  const { schemas } = z.toJSONSchema(modelRegistry, {
    uri: (id) => `#/components/schemas/${id}`,
    // A later version may add keys, so a client is not promised that there are no others.
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, schema]) => [id, withoutDialect(schema)]),
  );
}

function inputSchema(schema: z.ZodType): Schema {
  return withoutDialect(z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    // A number in a query is text that is read as one; clients write a number.
    override: ({ jsonSchema, zodSchema }) => {
      if (jsonSchema.type === "integer" || jsonSchema.type === "number") delete jsonSchema.pattern;
      const { def } = zodSchema._zod;
      if (def.type === "default") jsonSchema.default = def.defaultValue;
    },
  }));
}

function propertiesOf({ properties }: Schema): Record<string, Schema> {
  return (properties ?? {}) as Record<string, Schema>;
}

function withoutDialect({ $schema: _, $id: __, ...schema }: Schema): Schema {
  return schema;
}

function ref(id: string): Schema {
  return { $ref: `#/components/schemas/${id}` };
}

const errorSchema: Schema = {
  type: "object",
  properties: { detail: { type: "string" } },
  required: ["detail"],
};

const invalidInputSchema: Schema = {
  type: "object",
  properties: {
    detail: {
      type: "array",
      items: {
        type: "object",
        properties: {
          type: { type: "string" },
          loc: { type: "array", items: { type: ["string", "integer"] } },
          msg: { type: "string" },
          input: {},
        },
        required: ["type", "loc", "msg", "input"],
      },
    },
  },
  required: ["detail"],
};
