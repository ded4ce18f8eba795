/** Shows one message with its body, its rows and its timeline, and says so in the timeline. */
import type { MessageDetail } from "../store/store.ts";
import { messageNotFound, operation, stamp } from "./operation.ts";

export const viewMessage = operation({
  permission: "messages:view_raw",
  async run(engine, { id }: { readonly id: string }, rowOf): Promise<MessageDetail> {
    const message = await engine.store.message(id);
    if (message === undefined) throw messageNotFound();
    // Nobody sees a body without a trace of it, so the trace is durable first.
    const audit = rowOf("message_view", { message_id: id });
    await engine.store.submit({
      kind: "note_event",
      id,
      event: "viewed",
      at: stamp(engine),
      audit,
    });
    return message;
  },
  audit: ({ id }) => ({ action: "message_view", fields: { message_id: id }, isCommitted: true }),
});
