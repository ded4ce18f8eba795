/**
 * All routes, and what a request gets that none of them answers.
 *
 * Every answer, the refusals included, carries the headers of `headers.ts`; every failure becomes
 * one of the bodies of spec api §0.
 */
import { Hono } from "@hono/hono";
import { errorClass } from "../errors.ts";
import { nobody } from "../operations/mod.ts";
import { aiPolicyRoutes } from "./ai_policy.ts";
import { alertRoutes } from "./alerts.ts";
import { type Access, accessOf } from "./allow.ts";
import { approvalRoutes } from "./approvals.ts";
import { clusterRoutes } from "./cluster.ts";
import type { Answer } from "./arrival.ts";
import { auditRoutes } from "./audit.ts";
import { TrustedProxies } from "./client_address.ts";
import { configRoutes } from "./config.ts";
import { connectionRoutes } from "./connections.ts";
import { deadLetterRoutes } from "./dead_letters.ts";
import { directoryMapRoutes } from "./directory_maps.ts";
import { docsRoutes } from "./docs.ts";
import type { ApiContext, ApiEnv } from "./env.ts";
import { eventRoutes } from "./events.ts";
import { isLoopbackName, refusalOf } from "./guards.ts";
import { addHeaders } from "./headers.ts";
import { KnownPaths } from "./known_paths.ts";
import { isHandshake, liveStatsRoutes } from "./live_stats.ts";
import { ownAccountRoutes } from "./me.ts";
import { messageRoutes } from "./messages.ts";
import { openapiOf } from "./openapi.ts";
import { postureRoutes } from "./posture.ts";
import { answerTo, jsonAnswer } from "./refusal.ts";
import { roleRoutes } from "./roles.ts";
import { pathOf, routedPathOf, RouteTable } from "./route_table.ts";
import { sessionRoutes } from "./sessions.ts";
import { statusRoutes } from "./status.ts";
import { userRoutes } from "./users.ts";

/** Declares every route of the API, a group each. */
export const routeGroups = [
  statusRoutes,
  liveStatsRoutes,
  aiPolicyRoutes,
  postureRoutes,
  clusterRoutes,
  approvalRoutes,
  configRoutes,
  connectionRoutes,
  eventRoutes,
  alertRoutes,
  messageRoutes,
  deadLetterRoutes,
  sessionRoutes,
  ownAccountRoutes,
  userRoutes,
  roleRoutes,
  directoryMapRoutes,
  auditRoutes,
];

/** A route and whom it is for. */
export interface RouteAccess {
  readonly method: string;
  readonly path: string;
  readonly access: Access;
}

/** Every route with whom it is for; a route that does not say is a defect, and not served. */
export function accessTable(
  routes: readonly { method: string; path: string; handler: unknown }[],
): readonly RouteAccess[] {
  const table = new Map<string, RouteAccess>();
  for (const { method, path, handler } of routes) {
    if (method === "ALL" || table.has(`${method} ${path}`)) continue;
    const access = accessOf(handler);
    if (access === undefined) throw new Error(`Nobody says whom ${method} ${path} is for`);
    table.set(`${method} ${path}`, { method, path, access });
  }
  return [...table.values()];
}

/** All routes, behind what gives each request its first variables. */
export function declareRoutes(context: ApiContext): Hono<ApiEnv> {
  const app = new Hono<ApiEnv>({ getPath: routedPathOf, router: new KnownPaths() });
  app.use("*", async (c, next) => {
    c.set("actor", nobody);
    c.set("auth", context.engine.auth);
    c.set("client", c.env.client);
    c.set("ownOrigin", context.engine.settings.api.publicOrigin);
    await next();
  });
  for (const declare of routeGroups) app.route("/", declare(context));
  return app;
}

/** `host` is where it is served. */
export function createApp(context: ApiContext, host: string): Answer {
  const { logger, auth, settings: { api } } = context.engine;
  const app = declareRoutes(context);
  if (api.exposeDocs) app.route("/", docsRoutes(() => openapiOf(app.routes)));
  accessTable(app.routes);
  const table = new RouteTable(app.routes);
  const proxies = new TrustedProxies(api.trustedProxies);
  const hasProxy = api.trustedProxies.length > 0;
  const guards = {
    isExposed: auth !== undefined && (!isLoopbackName(host) || hasProxy),
    publicOrigin: api.publicOrigin,
    socketOrigins: api.wsAllowedOrigins,
  };
  const hasTls = api.tlsCertFile !== undefined || (api.tlsTerminatedUpstream && hasProxy);
  const failed = (thrown: unknown, request: Request): Response => {
    const answer = answerTo(thrown);
    // Whatever is wrong with a handshake, clients know one status for it.
    if (answer && isHandshake(request)) return jsonAnswer(403, answer.detail);
    if (answer) return jsonAnswer(answer.status, answer.detail, answer.headers);
    logger.error("api.internal_error", {
      error: errorClass(thrown),
      method: request.method,
      route: table.find(pathOf(request))?.pattern ?? "none",
    });
    return jsonAnswer(500, "internal error");
  };
  const unanswered = (request: Request): Response => {
    const found = table.find(pathOf(request));
    if (found) return jsonAnswer(405, "Method Not Allowed", { allow: found.methods.join(", ") });
    const location = table.withoutSlash(request);
    if (location === undefined) return jsonAnswer(404, "Not Found");
    return new Response(null, { status: 307, headers: { location } });
  };
  app.onError((thrown, c) => failed(thrown, c.req.raw));
  app.notFound((c) => unanswered(c.req.raw));

  return async (request, arrival) => {
    let response: Response;
    const { client, isSecure } = proxies.originOf(request, arrival.peer);
    try {
      const refusal = refusalOf(request, guards);
      if (refusal) {
        logger.warning("api.refused", { client, status: refusal.status, reason: refusal.message });
        response = failed(refusal, request);
      } else {
        // The library would answer HEAD as GET.
        response = request.method === "HEAD"
          ? unanswered(request)
          : await app.fetch(request, { client, arrival });
      }
    } catch (thrown) {
      response = failed(thrown, request);
    }
    return addHeaders(response, {
      path: pathOf(request),
      isSecure: isSecure || arrival.isTls || hasTls,
    });
  };
}
