/** Headers of every answer. Source: spec api §0.2. */

const ALWAYS: readonly (readonly [string, string])[] = [
  ["x-content-type-options", "nosniff"],
  ["referrer-policy", "no-referrer"],
  ["x-frame-options", "DENY"],
];

const STRICT_TRANSPORT = [
  "strict-transport-security",
  "max-age=31536000; includeSubDomains",
] as const;

/** Paths whose answers hold patient data. */
const PRIVATE = /^\/(messages|dead-letters)(\/|$)/;

export function addHeaders(
  response: Response,
  { path, isStrictTransport }: { readonly path: string; readonly isStrictTransport: boolean },
): Response {
  for (const [name, value] of ALWAYS) response.headers.set(name, value);
  if (isStrictTransport) response.headers.set(...STRICT_TRANSPORT);
  if (PRIVATE.test(path)) response.headers.set("cache-control", "no-store");
  return response;
}

/** The headers of an answer to bytes that are no request, which can only have come over TLS. */
export function bareHeaders(): readonly (readonly [string, string])[] {
  return [...ALWAYS, STRICT_TRANSPORT];
}
