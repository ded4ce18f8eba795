/**
 * The graph for people and editors: what is declared, with references as references.
 *
 * Edges are decided in code, so they are best effort: the names a function's source mentions.
 * Source: spec api §5.2, connectors-and-graph §6.4.
 */
import type { DeclaredConnection, DeclaredFunction } from "../sandbox/protocol.ts";
import type { Declared } from "./declared.ts";
import { defaultAckMode, isReference } from "./resolve.ts";
import { transports } from "./transports.ts";

interface Placed {
  readonly name: string;
  readonly file: string | null;
  readonly line: number | null;
}

interface DescribedConnection extends Placed {
  readonly type: string;
  readonly settings: Readonly<Record<string, unknown>>;
}

export interface DescribedGraph {
  readonly inbound: readonly (DescribedConnection & {
    readonly router: string;
    readonly ack_mode: string;
    readonly strict: boolean;
  })[];
  readonly outbound: readonly DescribedConnection[];
  readonly routers: readonly (Placed & { readonly handlers: readonly string[] })[];
  readonly handlers: readonly (Placed & { readonly sends: readonly string[] })[];
}

/** Describes what a bundle declares; needs no environment. */
export function describeDeclared(declared: Declared): DescribedGraph {
  const handlerNames = new Set(declared.handlers.map(({ name }) => name));
  const outboundNames = new Set(declared.outbounds.map(({ name }) => name));
  return {
    inbound: declared.inbounds.map((connection) => ({
      name: connection.name,
      type: connection.type,
      settings: shownSettings(connection.type, connection.settings),
      router: String(connection.options.router ?? ""),
      ack_mode: String(connection.options.ack_mode ?? defaultAckMode(connection)),
      strict: connection.options.strict === true,
      ...placeOf(connection),
    })),
    outbound: declared.outbounds.map((connection) => ({
      name: connection.name,
      type: connection.type,
      settings: shownSettings(connection.type, connection.settings),
      ...placeOf(connection),
    })),
    routers: declared.routers.map((router) => ({
      name: router.name,
      ...placeOf(router),
      handlers: router.mentions.filter((name) => handlerNames.has(name)),
    })),
    handlers: declared.handlers.map((handler) => ({
      name: handler.name,
      ...placeOf(handler),
      sends: handler.mentions.filter((name) => outboundNames.has(name)),
    })),
  };
}

function placeOf({ position }: DeclaredConnection | DeclaredFunction) {
  return { file: position?.file ?? null, line: position?.line ?? null };
}

/**
 * Returns settings fit to be shown: a reference as `{ env, default? }`, a secret as `***`; the
 * default of a secret is left out.
 */
export function shownSettings(
  type: string,
  settings: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const schema = transports.get(type);
  const shown: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(settings)) {
    const isSecret = schema?.settings.find((spec) => spec.key === key)?.secret === true;
    if (isReference(value)) {
      const hasDefault = value.default !== undefined && !isSecret;
      shown[key] = hasDefault ? { env: value.env, default: value.default } : { env: value.env };
    } else shown[key] = isSecret && value !== null ? "***" : value;
  }
  return shown;
}
