/** Headers of every answer. Source: spec api §0.2. */

const ALWAYS: readonly (readonly [string, string])[] = [
  ["x-content-type-options", "nosniff"],
  ["referrer-policy", "no-referrer"],
  ["x-frame-options", "DENY"],
];

/** Paths whose answers hold patient data. */
const PRIVATE = /^\/(messages|dead-letters)(\/|$)/;

export function addHeaders(response: Response, path: string): Response {
  for (const [name, value] of ALWAYS) response.headers.set(name, value);
  if (PRIVATE.test(path)) response.headers.set("cache-control", "no-store");
  return response;
}
