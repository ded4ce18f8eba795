/** Definitions as `graph/` resolves them, with what a test does not care about filled in. */
import type { Graph, InboundDefinition, OutboundDefinition } from "../../src/graph/graph.ts";

export function inboundDefinition(
  name: string,
  given: Partial<InboundDefinition> = {},
): InboundDefinition {
  return {
    name,
    type: "fake",
    settings: {},
    declaredSettings: {},
    router: "route",
    contentType: "text",
    ackMode: "original",
    strict: false,
    hl7Version: undefined,
    bindAddress: undefined,
    sourceIpAllowlist: [],
    messagesDays: undefined,
    captureConnectionErrors: undefined,
    metadata: {},
    position: undefined,
    ...given,
  };
}

export function outboundDefinition(
  name: string,
  given: Partial<OutboundDefinition> = {},
): OutboundDefinition {
  return {
    name,
    type: "fake",
    settings: {},
    declaredSettings: {},
    retry: { maxAttempts: null, backoffMs: 100, multiplier: 2, maxBackoffMs: 1_000 },
    ordering: "fifo",
    internalError: "continue",
    buildup: { maxDepth: null, maxOldestMs: null },
    simulate: false,
    captureResponse: false,
    reingressTo: undefined,
    verifyAckControlId: "lenient",
    deadLetterDays: undefined,
    metadata: {},
    position: undefined,
    ...given,
  };
}

export function graphOf(
  inbounds: readonly InboundDefinition[],
  outbounds: readonly OutboundDefinition[],
  handlers: readonly string[],
): Graph {
  return {
    bundleDir: "/bundle",
    references: new Map(),
    readsResponses: false,
    inbounds: new Map(inbounds.map((definition) => [definition.name, definition])),
    outbounds: new Map(outbounds.map((definition) => [definition.name, definition])),
    routers: new Map([["route", { name: "route", handlers, position: undefined }]]),
    handlers: new Map(handlers.map((name) => [name, { name, sends: [], position: undefined }])),
    fingerprint: "0".repeat(64),
    files: 1,
    gitHead: undefined,
  };
}
