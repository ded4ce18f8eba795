/**
 * What author code may know of where a message comes from: its correlation, and the answers that
 * partners gave to the messages before it.
 *
 * Asked of the store before a batch runs, for author code reads nothing by itself. Source: spec
 * connectors-and-graph §4.6.
 */
import type { LineageData } from "../authoring/lineage.ts";
import type { Store, StoredResponse } from "../store/store.ts";
import { type Correlation, readCorrelation } from "./correlation.ts";

/**
 * JSON of the lineage of a message; undefined for one that a partner sent.
 *
 * @throws {StoreError} the answers cannot be read.
 */
export async function lineageOf(
  metadata: string | undefined,
  { store, readsResponses }: { readonly store: Store; readonly readsResponses: boolean },
): Promise<string | undefined> {
  const correlation = readCorrelation(metadata);
  if (correlation === undefined) return undefined;
  const stored = readsResponses ? await responsesOf(correlation, store) : [];
  return JSON.stringify(toData(correlation, stored));
}

/** Of the message it was made of and of the first of the chain, oldest first. */
async function responsesOf(
  { id, rootId }: Correlation,
  store: Store,
): Promise<readonly StoredResponse[]> {
  const ids = new Set([rootId, id]);
  const found = await Promise.all([...ids].map((one) => store.responsesOf(one)));
  return found.flat().sort((a, b) => a.capturedAt - b.capturedAt);
}

function toData(
  { id, rootId, depth, from }: Correlation,
  stored: readonly StoredResponse[],
): LineageData {
  return {
    id,
    rootId,
    depth,
    ...(from.kind === "answer" ? { outbound: from.outbound } : { handler: from.handler }),
    responses: stored.map(({ destination: outbound, outcome, detail, body }) => ({
      outbound,
      outcome,
      ...(detail === null ? {} : { detail }),
      ...(body === null ? {} : { body }),
    })),
  };
}
