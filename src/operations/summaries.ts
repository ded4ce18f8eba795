/**
 * Whom messages are about, in the words of lists: `MRN 4711 · DOE^JANE`.
 *
 * It stands in the body and nowhere else, so that what retention empties is gone with it. A list
 * reads the bodies of those messages alone that this node has not read lately; one that is emptied
 * has no summary any more, whatever is remembered. Source: spec api §1.5.
 */
import type { Engine } from "../engine.ts";
import { summaryOf } from "../hl7/mod.ts";
import { type Actor, isPermitted } from "./operation.ts";

/** What a list shows beside what the store has. */
export type Summarized<M> = M & { readonly summary: string | null };

/** What a list has of a message. */
interface Listed {
  readonly number: number;
  readonly hasBody: boolean;
}

/** Bytes of a body, as it is stored, beyond which a list does not read it. */
const BODY_BYTES_MAX = 128 * 1024;
const REMEMBERED_MAX = 4_096;

const remembered = new WeakMap<Engine, Map<number, string | null>>();

/** The summaries of listed messages, in order; all null for whoever may not see them. */
export async function summariesOf(
  engine: Engine,
  actor: Actor,
  listed: readonly Listed[],
): Promise<readonly (string | null)[]> {
  if (!isPermitted(actor, "messages:view_summary")) return listed.map(() => null);
  let known = remembered.get(engine);
  if (known === undefined) remembered.set(engine, known = new Map());
  const held = listed.filter(({ hasBody }) => hasBody).map(({ number }) => number);
  const found = new Map(held.map((number) => [number, known.get(number)]));
  const missing = held.filter((number) => found.get(number) === undefined);
  if (missing.length > 0) {
    const bodies = await engine.store.bodiesOf([...new Set(missing)], BODY_BYTES_MAX);
    for (const number of missing) {
      const body = bodies.get(number);
      const summary = body === undefined ? null : summaryOf(body);
      found.set(number, summary);
      known.set(number, summary);
    }
    for (const number of known.keys()) {
      if (known.size <= REMEMBERED_MAX) break;
      known.delete(number);
    }
  }
  return listed.map(({ number, hasBody }) => {
    if (hasBody) return found.get(number) ?? null;
    known.delete(number);
    return null;
  });
}
