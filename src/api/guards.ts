/**
 * What is looked at before any route: whom the request was meant for, who sent the browser here,
 * and how its body is framed.
 *
 * On loopback a page of another site must not get through to the engine: neither by a name of its
 * own that resolves to this machine (the `Host`), nor by asking from its own origin. An API that
 * other machines reach has any name; there, whoever asks has to bring a token, which no browser
 * adds by itself. Source: spec api §0.1.
 */
import { pathOf } from "./route_table.ts";
import { Refusal } from "./refusal.ts";

/** Largest body taken, bytes. */
export const BODY_BYTES_MAX = 1_048_576;

export interface GuardOptions {
  /** Other machines reach the API, by themselves or through a proxy, under any name. */
  readonly isExposed: boolean;
  /** `[api] public_origin`. */
  readonly publicOrigin: string | undefined;
  /** `[api] ws_allowed_origins`: further ones that may open a WebSocket, and nothing else. */
  readonly socketOrigins: readonly string[];
}

/** Returns why a request is refused, or undefined. */
export function refusalOf(request: Request, options: GuardOptions): Refusal | undefined {
  return (options.isExposed ? undefined : hostRefusal(request)) ??
    originRefusal(request, options) ?? bodyRefusal(request.headers);
}

/** True for names and addresses that never leave the machine; brackets of IPv6 are allowed. */
export function isLoopbackName(name: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/i.test(name);
}

function hostRefusal({ headers, url }: Request): Refusal | undefined {
  const host = headers.get("host");
  const target = URL.parse(url);
  const isOurs = (host === null || isLoopbackName(withoutPort(host))) &&
    target !== null && isLoopbackName(target.hostname);
  return isOurs ? undefined : new Refusal(421, "This host name is not served here");
}

function withoutPort(host: string): string {
  return host.replace(/:\d{1,5}$/, "");
}

function originRefusal(
  request: Request,
  { isExposed, publicOrigin, socketOrigins }: GuardOptions,
): Refusal | undefined {
  const { headers, method } = request;
  const origin = headers.get("origin");
  const isSocket = pathOf(request) === "/ws/stats";
  // It still has to bring a token, which a page of another origin does not have by itself.
  if (origin !== null && isSocket && socketOrigins.includes(origin)) return undefined;
  // Answers do not come back to a page of another port, but what a WebSocket says does.
  const isOurs = (text: string) =>
    isExposed || isSocket
      ? text === publicOrigin || URL.parse(text)?.host === headers.get("host")
      : isLoopbackOrigin(text);
  if (origin !== null && !isOurs(origin)) {
    return new Refusal(403, "Requests from another origin are not served");
  }
  // A picture or a form of another site sends no Origin, but every browser says where it stood.
  // Following a link is not an act of that site, and nothing of the answer comes back to it.
  const isCrossSite = headers.get("sec-fetch-site") === "cross-site";
  const isNavigation = method === "GET" && headers.get("sec-fetch-mode") === "navigate" &&
    headers.get("sec-fetch-dest") === "document";
  if (!isCrossSite || isNavigation) return undefined;
  return new Refusal(403, "Requests from another site are not served");
}

function isLoopbackOrigin(origin: string): boolean {
  const url = URL.parse(origin);
  return url !== null && url.origin === origin.toLowerCase() && isLoopbackName(url.hostname) &&
    (url.protocol === "http:" || url.protocol === "https:");
}

function bodyRefusal(headers: Headers): Refusal | undefined {
  const length = headers.get("content-length");
  const isChunked = headers.has("transfer-encoding");
  if (length !== null && isChunked) return new Refusal(400, "The body is framed in two ways");
  if (isChunked) return new Refusal(411, "The length of the body is missing");
  if (length === null) return undefined;
  if (!/^\d{1,15}$/.test(length)) return new Refusal(400, "The length of the body is no number");
  return Number(length) > BODY_BYTES_MAX ? new Refusal(413, "The body is too large") : undefined;
}
