/**
 * Sends a message again: what of it is dead or pending, else all that was delivered. Cancelled rows
 * stay. Source: spec api §1.5.
 */
import { findMessage } from "./channel_scope.ts";
import { messageNotFound, operation, OperationError, stamp } from "./operation.ts";

export const replayMessage = operation({
  permission: "messages:replay",
  async run(engine, { id }: { readonly id: string }, rowOf, actor): Promise<{ requeued: number }> {
    if (actor.channels !== undefined) await findMessage(engine, id, actor);
    const audit = rowOf("message_replay", { message_id: id });
    const result = await engine.store.submit({ kind: "replay", id, at: stamp(engine), audit });
    if (!result.found) throw messageNotFound();
    const { requeued, bodyPurged, lanes, edges } = result;
    if (requeued === 0) throw nothingToReplay(bodyPurged);
    await engine.touched(lanes, edges);
    return { requeued };
  },
  audit: ({ id }, { requeued }) => ({
    action: "message_replay",
    fields: { message_id: id, requeued },
    isCommitted: true,
  }),
});

function nothingToReplay(bodyPurged: boolean): OperationError {
  return bodyPurged
    ? new OperationError("message.body_purged", "The body of this message is purged")
    : new OperationError(
      "message.nothing_to_replay",
      "Nothing of this message can be sent again: it is on its way, or was cancelled",
    );
}
