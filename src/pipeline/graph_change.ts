/**
 * What another graph changes of the one that runs. Pure.
 *
 * A connection is changed when something of it differs that its connector, its intake or its lane
 * was built with. Its router, its window of retention, its texts for people and its place in the source
 * do not count: those are taken over while it runs.
 */
import { isDeepStrictEqual } from "node:util";
import type { InboundDefinition, OutboundDefinition } from "../graph/graph.ts";

/** Names of connections, by what becomes of them. */
export interface Change {
  readonly kept: readonly string[];
  readonly changed: readonly string[];
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

export function changeOf<D>(
  before: ReadonlyMap<string, D>,
  after: ReadonlyMap<string, D>,
  isSame: (before: D, after: D) => boolean,
): Change {
  const kept: string[] = [];
  const changed: string[] = [];
  const added: string[] = [];
  for (const [name, next] of after) {
    const former = before.get(name);
    if (former === undefined) added.push(name);
    else (isSame(former, next) ? kept : changed).push(name);
  }
  const removed = [...before.keys()].filter((name) => !after.has(name));
  return { kept, changed, added, removed };
}

export function isSameInbound(before: InboundDefinition, after: InboundDefinition): boolean {
  return isDeepStrictEqual(builtFrom(before), builtFrom(after));
}

export function isSameOutbound(before: OutboundDefinition, after: OutboundDefinition): boolean {
  return isDeepStrictEqual(laneFrom(before), laneFrom(after));
}

/** All but what may change while the inbound runs; a new option counts until it is named here. */
function builtFrom(definition: InboundDefinition) {
  const {
    router: _router,
    metadata: _,
    declaredSettings: _declared,
    position: _at,
    messagesDays: _days,
    captureConnectionErrors: _captured,
    ...rest
  } = definition;
  return rest;
}

/** As `builtFrom()`; thresholds of a build-up are looked up whenever they are evaluated. */
function laneFrom(definition: OutboundDefinition) {
  const {
    buildup: _buildup,
    metadata: _,
    declaredSettings: _declared,
    position: _at,
    deadLetterDays: _days,
    ...rest
  } = definition;
  return rest;
}
