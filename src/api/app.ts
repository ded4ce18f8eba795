/**
 * All routes, and what a request gets that none of them answers.
 *
 * Every answer, the refusals included, carries the headers of `headers.ts`; every failure becomes
 * one of the bodies of spec api §0.
 */
import { Hono } from "@hono/hono";
import { errorClass } from "../errors.ts";
import { localOperator } from "../operations/mod.ts";
import { aiPolicyRoutes } from "./ai_policy.ts";
import type { Answer } from "./arrival.ts";
import { approvalRoutes } from "./approvals.ts";
import { clusterRoutes } from "./cluster.ts";
import { configRoutes } from "./config.ts";
import { connectionRoutes } from "./connections.ts";
import { deadLetterRoutes } from "./dead_letters.ts";
import type { ApiContext, ApiEnv } from "./env.ts";
import { eventRoutes } from "./events.ts";
import { Exposure } from "./exposure.ts";
import { refusalOf } from "./guards.ts";
import { addHeaders } from "./headers.ts";
import { messageRoutes } from "./messages.ts";
import { postureRoutes } from "./posture.ts";
import { answerTo, jsonAnswer } from "./refusal.ts";
import { pathOf, RouteTable } from "./route_table.ts";
import { statusRoutes } from "./status.ts";

/** Declares every route of the API, a group each. */
export const routeGroups = [
  statusRoutes,
  aiPolicyRoutes,
  postureRoutes,
  clusterRoutes,
  approvalRoutes,
  configRoutes,
  connectionRoutes,
  eventRoutes,
  messageRoutes,
  deadLetterRoutes,
];

export function createApp(context: ApiContext): Answer {
  const { logger, settings } = context.engine;
  const exposure = new Exposure(settings.api);
  const app = new Hono<ApiEnv>({ getPath: pathOf });
  // The one place that says who asks; signing in comes here.
  app.use("*", async (c, next) => {
    c.set("actor", localOperator);
    await next();
  });
  for (const declare of routeGroups) app.route("/", declare(context));
  const table = new RouteTable(app.routes);
  const failed = (thrown: unknown, request: Request): Response => {
    const answer = answerTo(thrown);
    if (answer) return jsonAnswer(answer.status, answer.detail);
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
    try {
      const refusal = refusalOf(request, exposure);
      if (refusal) {
        const client = arrival.peer;
        logger.warning("api.refused", { client, status: refusal.status, reason: refusal.message });
        response = failed(refusal, request);
      } else {
        // The library would answer HEAD as GET.
        response = request.method === "HEAD"
          ? unanswered(request)
          : await app.fetch(request, { arrival });
      }
    } catch (thrown) {
      response = failed(thrown, request);
    }
    return addHeaders(response, {
      path: pathOf(request),
      isStrictTransport: exposure.wantsStrictTransport(request.headers, arrival),
    });
  };
}
