/** Names of openings of the store: each ends with the id of the key it seals with. */
import { CLEAR } from "../store_keys.ts";

/** Names an opening that seals with this key; undefined: with none. */
export function newSession(keyId: string | undefined): string {
  return `${crypto.randomUUID()}.${keyId ?? CLEAR}`;
}

/** The key that an opening seals with, or `CLEAR`. */
export function keyOfSession(session: string): string {
  return session.slice(session.indexOf(".") + 1);
}
