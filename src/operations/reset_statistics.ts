/** Lets the counters people see begin at zero; metrics and totals go on. */
import { requireInScope, requireUnscoped } from "./channel_scope.ts";
import { requireServing } from "./connection.ts";
import { operation } from "./operation.ts";

export interface StatisticsTarget {
  readonly role: "source" | "destination";
  readonly channel: string;
  /** Set on destinations. */
  readonly destination: string | undefined;
}

export interface StatisticsReset {
  readonly all: boolean;
  readonly targets: readonly StatisticsTarget[];
}

export const resetStatistics = operation({
  permission: "monitoring:diagnose",
  async run(
    engine,
    { all, targets }: StatisticsReset,
    _rowOf,
    actor,
  ): Promise<{ readonly reset: number }> {
    if (all) requireUnscoped(actor);
    for (const { role, channel, destination } of targets) {
      if (role === "source") requireInScope(actor, channel);
      else requireUnscoped(actor, destination);
    }
    requireServing(engine);
    const { statistics } = engine.pipeline;
    const sources = [...statistics.inbounds].filter(([channel]) =>
      all || targets.some((target) => target.role === "source" && target.channel === channel)
    );
    const edges = statistics.edges().filter(({ inbound, outbound }) =>
      all ||
      targets.some(({ role, channel, destination }) =>
        role === "destination" && channel === inbound && destination === outbound
      )
    );
    for (const [, source] of sources) source.reset();
    for (const edge of edges) edge.reset();
    return { reset: sources.length + edges.length };
  },
  audit: ({ all }, { reset }) => ({ action: "stats_reset", fields: { all, reset } }),
});
