/** Listeners that policy forbids: they exist, as `failed`, and never bind. */
import {
  type ConnectionCounters,
  type Connector,
  type ConnectorContext,
  ConnectorError,
  type Source,
  type SourceOptions,
} from "./connector.ts";
import { newCounters } from "./counters.ts";

/**
 * Returns the connectors with the sources named in `refused` replaced by ones that do not start.
 * The rest of the engine runs on. Source: spec api §5.1 (21), ruling D9.
 */
export function refuseSources(
  connectors: ReadonlyMap<string, Connector>,
  refused: ReadonlySet<string>,
): ReadonlyMap<string, Connector> {
  if (refused.size === 0) return connectors;
  const guarded = new Map<string, Connector>();
  for (const [type, connector] of connectors) {
    const { createSource } = connector;
    guarded.set(
      type,
      createSource === undefined ? connector : {
        ...connector,
        createSource: (options: SourceOptions, context: ConnectorContext) =>
          refused.has(context.name)
            ? new RefusedSource(context.name)
            : createSource.call(connector, options, context),
      },
    );
  }
  return guarded;
}

class RefusedSource implements Source {
  readonly counters: ConnectionCounters = newCounters();
  readonly #name: string;

  constructor(name: string) {
    this.#name = name;
  }

  start(): Promise<void> {
    return Promise.reject(
      new ConnectorError(
        "connector.bind_insecure",
        `Cannot listen for "${this.#name}": messages would cross the network in the clear`,
        { hint: "Set tls = true on it, bind it to loopback, or serve with --allow-insecure-bind" },
      ),
    );
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}
