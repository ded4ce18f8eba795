/**
 * What is looked at before any route: whom the request was meant for, who sent the browser here,
 * and how its body is framed.
 *
 * Where loopback is the only wall, a page of another site must not get through it: neither by a name
 * of its own that resolves to this machine (the `Host`), nor by asking from its own origin. Off
 * loopback any name may lead here, and the origin must be that name, or `[api] public_origin`.
 * Source: spec api §0.1, §1.7.
 */
import { type Exposure, isLoopbackName } from "./exposure.ts";
import { Refusal } from "./refusal.ts";

/** Largest body taken, bytes. */
export const BODY_BYTES_MAX = 1_048_576;

/** Returns why a request is refused, or undefined. */
export function refusalOf(request: Request, exposure: Exposure): Refusal | undefined {
  return hostRefusal(request, exposure) ?? originRefusal(request, exposure) ??
    bodyRefusal(request.headers);
}

function hostRefusal({ headers, url }: Request, { isLocal, publicOrigin }: Exposure) {
  const host = headers.get("host");
  const target = URL.parse(url);
  const publicHost = publicOrigin === undefined ? undefined : new URL(publicOrigin).hostname;
  const isServed = (name: string) =>
    isLocal
      ? isLoopbackName(name) || name.toLowerCase() === publicHost
      : /^([a-z0-9._-]+|\[[0-9a-f:.]+\])$/i.test(name);
  const isOurs = (host === null || isServed(withoutPort(host))) &&
    target !== null && isServed(target.hostname);
  return isOurs ? undefined : new Refusal(421, "This host name is not served here");
}

function withoutPort(host: string): string {
  return host.replace(/:\d{1,5}$/, "");
}

function originRefusal({ headers, method }: Request, exposure: Exposure): Refusal | undefined {
  const origin = headers.get("origin");
  if (origin !== null && !isOurOrigin(origin, headers.get("host"), exposure)) {
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

function isOurOrigin(
  origin: string,
  host: string | null,
  { isLocal, publicOrigin }: Exposure,
): boolean {
  const url = URL.parse(origin);
  if (url === null || url.origin !== origin.toLowerCase() || !/^https?:$/.test(url.protocol)) {
    return false;
  }
  if (url.origin === publicOrigin) return true;
  if (isLocal) return isLoopbackName(url.hostname);
  return publicOrigin === undefined && host !== null &&
    URL.parse(`${url.protocol}//${host}`)?.host === url.host;
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
