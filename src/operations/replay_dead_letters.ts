/** Sends deliveries again that were given up, optionally of one inbound and one outbound. */
import type { DeadLetterFilter } from "../store/store.ts";
import { requireInScope, requireUnscoped } from "./channel_scope.ts";
import { operation, stamp } from "./operation.ts";

export const replayDeadLetters = operation({
  permission: "messages:replay",
  approval: "dead_letter_replay",
  async run(
    engine,
    filter: DeadLetterFilter,
    rowOf,
    actor,
  ): Promise<{ readonly requeued: number }> {
    const { channel, destination } = filter;
    if (channel === undefined) requireUnscoped(actor);
    else requireInScope(actor, channel);
    const { requeued, lanes, edges } = await engine.store.submit({
      kind: "replay_dead",
      channel,
      destination,
      at: stamp(engine),
      audit: rowOf("dead_letter_replay", { destination_name: destination ?? null }, channel),
    });
    await engine.pipeline.touched(lanes, edges);
    return { requeued };
  },
  audit: ({ channel, destination }, { requeued }) =>
    requeued === 0 ? undefined : {
      action: "dead_letter_replay",
      channel,
      fields: { destination_name: destination, requeued },
      isCommitted: true,
    },
});
