/** Shows what was made of a message for each of its destinations. */
import type { OutboundPayload } from "../store/store.ts";
import { findMessage } from "./channel_scope.ts";
import { messageNotFound, operation } from "./operation.ts";

export const viewOutbound = operation({
  permission: "messages:view_raw",
  async run(
    engine,
    { id }: { readonly id: string },
    _rowOf,
    actor,
  ): Promise<readonly OutboundPayload[]> {
    if (actor.channels !== undefined) await findMessage(engine, id, actor);
    const payloads = await engine.store.outboundOf(id);
    if (payloads === undefined) throw messageNotFound();
    return payloads;
  },
  audit: ({ id }, { length }) => ({
    action: "outbound.read",
    fields: { message_id: id, count: length },
  }),
});
