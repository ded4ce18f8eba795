/** Headers of every answer. Source: spec api §0.2. */

const ALWAYS: readonly (readonly [string, string])[] = [
  ["x-content-type-options", "nosniff"],
  ["referrer-policy", "no-referrer"],
  ["x-frame-options", "DENY"],
];

/** Paths whose answers hold patient data. */
const PRIVATE = /^\/(messages|dead-letters)(\/|$)/;

const STRICT_TRANSPORT = [
  "strict-transport-security",
  "max-age=31536000; includeSubDomains",
] as const;

/** `isSecure`: browsers reach the API over TLS, whoever terminates it. */
export function addHeaders(
  response: Response,
  { path, isSecure }: { readonly path: string; readonly isSecure: boolean },
): Response {
  // A connection that became a WebSocket has no answer any more.
  if (response.status === 101) return response;
  if (isSecure) response.headers.set(...STRICT_TRANSPORT);
  for (const [name, value] of ALWAYS) response.headers.set(name, value);
  if (PRIVATE.test(path)) response.headers.set("cache-control", "no-store");
  return response;
}

/** The headers of an answer to bytes that are no request, which can only have come over TLS. */
export function bareHeaders(): readonly (readonly [string, string])[] {
  return [...ALWAYS, STRICT_TRANSPORT];
}
