/** Sends deliveries again that were given up, optionally of one inbound and one outbound. */
import type { DeadLetterFilter } from "../store/store.ts";
import { approvable } from "./approval.ts";
import { requireInScope, requireUnscoped } from "./channel_scope.ts";
import { type Actor, operation, stamp } from "./operation.ts";

const replay = operation({
  permission: "messages:replay",
  async run(
    engine,
    filter: DeadLetterFilter,
    rowOf,
    actor,
  ): Promise<{ readonly requeued: number }> {
    const { channel, destination } = filter;
    requireScope(filter, actor);
    const { requeued, lanes, edges } = await engine.store.submit({
      kind: "replay_dead",
      channel,
      destination,
      at: stamp(engine),
      audit: rowOf("dead_letter_replay", { destination_name: destination ?? null }, channel),
    });
    await engine.touched(lanes, edges);
    return { requeued };
  },
  audit: ({ channel, destination }, { requeued }) =>
    requeued === 0 ? undefined : {
      action: "dead_letter_replay",
      channel,
      fields: { destination_name: destination ?? null, requeued },
      isCommitted: true,
    },
});

export const replayDeadLetters = approvable(replay, {
  key: "dead_letter_replay",
  check: (_engine, filter, actor) => requireScope(filter, actor),
  label: ({ channel = "every inbound", destination = "every outbound" }) =>
    `Replay dead letters from ${channel} to ${destination}`,
  params: ({ channel, destination }) => ({
    channel_id: channel ?? null,
    destination_name: destination ?? null,
  }),
  input: ({ channel_id, destination_name }) => ({
    channel: channel_id === null ? undefined : String(channel_id),
    destination: destination_name === null ? undefined : String(destination_name),
  }),
  result: ({ requeued }) => ({ requeued }),
});

function requireScope({ channel }: DeadLetterFilter, actor: Actor): void {
  if (channel === undefined) requireUnscoped(actor);
  else requireInScope(actor, channel);
}
