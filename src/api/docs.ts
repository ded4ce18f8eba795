/**
 * The API's own description, for whoever set `[api] expose_docs`: as OpenAPI, and as a page without
 * a script. Both names of the page that clients know show the same. Source: spec api §0.
 */
import { type Context, Hono } from "@hono/hono";
import { allowAnyone } from "./allow.ts";
import type { ApiEnv } from "./env.ts";
import { gives } from "./exchange.ts";
import { escaped } from "./html.ts";

type Document = Record<string, unknown>;

/** `describe` makes the document, once somebody asks for it. */
export function docsRoutes(describe: () => Document): Hono<ApiEnv> {
  let made: Document | undefined;
  const document = () => made ??= describe();
  const anyone = allowAnyone();
  const page = gives(undefined, { type: "text/html" });
  const show = (c: Context<ApiEnv>) => c.html(pageOf(document()), 200, PAGE_HEADERS);
  return new Hono<ApiEnv>()
    .get("/openapi.json", anyone, gives(undefined), (c) => c.json(document()))
    .get("/docs", anyone, page, show)
    .get("/redoc", anyone, page, show);
}

const PAGE_HEADERS = {
  "content-security-policy":
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
};

function pageOf({ paths, info }: Document): string {
  const { title, version } = info as { title: string; version: string };
  const heading = escaped(`${title} ${version}`);
  const rows = Object.entries(paths as Record<string, Record<string, Operation>>)
    .flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => rowOf(method, path, operation))
    );
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${heading}</title></head>` +
    `<body><h1>${heading}</h1><p>As a document: <a href="openapi.json">openapi.json</a></p>` +
    `<table border="1"><thead><tr><th>Route</th><th>For</th><th>Takes</th><th>Answers</th></tr>` +
    `</thead><tbody>${rows.join("")}</tbody></table></body></html>`;
}

interface Operation {
  readonly description: string;
  readonly parameters: readonly { readonly name: string }[];
  readonly requestBody?: {
    readonly content: Readonly<
      Record<
        string,
        { readonly schema: { readonly properties?: Readonly<Record<string, unknown>> } }
      >
    >;
  };
  readonly responses: Readonly<Record<string, unknown>>;
}

function rowOf(method: string, path: string, operation: Operation): string {
  const { description, parameters, requestBody, responses } = operation;
  const body = requestBody?.content["application/json"]?.schema.properties ?? {};
  const takes = [...parameters.map(({ name }) => name), ...Object.keys(body)].join(", ");
  const statuses = Object.keys(responses).filter((status) => status !== "default").join(", ");
  const cells = [`${method.toUpperCase()} ${path}`, description, takes, statuses];
  return `<tr>${cells.map((cell) => `<td>${escaped(cell)}</td>`).join("")}</tr>`;
}
