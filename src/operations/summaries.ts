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

/** Adds to each of a list whom its message is about. */
export async function summarized<M extends { readonly hasBody: boolean }>(
  { engine, actor }: { readonly engine: Engine; readonly actor: Actor },
  list: readonly M[],
  numberOf: (one: M) => number,
): Promise<readonly Summarized<M>[]> {
  const listed = list.map((one) => ({ number: numberOf(one), hasBody: one.hasBody }));
  const summaries = await summariesOf(engine, actor, listed);
  return list.map((one, index) => ({ ...one, summary: summaries[index]! }));
}

/** The summaries of listed messages, in order; all null for whoever may not see them. */
export async function summariesOf(
  engine: Engine,
  actor: Actor,
  listed: readonly Listed[],
): Promise<readonly (string | null)[]> {
  if (!isPermitted(actor, "messages:view_summary")) return listed.map(() => null);
  let known = remembered.get(engine);
  if (known === undefined) remembered.set(engine, known = new Map());
  // A list that is asked for again and again is mostly known.
  const summaries = listed.map(({ number, hasBody }) => hasBody ? known.get(number) : null);
  for (const { number, hasBody } of listed) if (!hasBody) known.delete(number);
  const missing = new Set<number>();
  for (const [index, summary] of summaries.entries()) {
    if (summary === undefined) missing.add(listed[index]!.number);
  }
  if (missing.size === 0) return summaries as readonly (string | null)[];
  const bodies = await engine.store.bodiesOf([...missing], BODY_BYTES_MAX);
  const found = new Map<number, string | null>();
  for (const number of missing) {
    const body = bodies.get(number);
    found.set(number, body === undefined ? null : summaryOf(body));
  }
  remember(known, found);
  return summaries.map((summary, index) => summary ?? found.get(listed[index]!.number) ?? null);
}

/** The latest stay. */
function remember(
  known: Map<number, string | null>,
  found: ReadonlyMap<number, string | null>,
): void {
  for (const [number, summary] of found) known.set(number, summary);
  for (const number of known.keys()) {
    if (known.size <= REMEMBERED_MAX) break;
    known.delete(number);
  }
}
