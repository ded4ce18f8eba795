/** Headers of every answer. Source: spec api §0.2. */

const ALWAYS: readonly (readonly [string, string])[] = [
  ["x-content-type-options", "nosniff"],
  ["referrer-policy", "no-referrer"],
  ["x-frame-options", "DENY"],
];

/** Paths whose answers hold patient data. */
const PRIVATE = /^\/(messages|dead-letters)(\/|$)/;

const ONE_YEAR = "max-age=31536000; includeSubDomains";

/** `isSecure`: browsers reach the API over TLS, whoever terminates it. */
export function addHeaders(
  response: Response,
  { path, isSecure }: { readonly path: string; readonly isSecure: boolean },
): Response {
  if (isSecure) response.headers.set("strict-transport-security", ONE_YEAR);
  for (const [name, value] of ALWAYS) response.headers.set(name, value);
  if (PRIVATE.test(path)) response.headers.set("cache-control", "no-store");
  return response;
}
