/** Shows one message with its body, its rows and its timeline, and says so in the timeline. */
import { summaryOf } from "../hl7/mod.ts";
import type { MessageDetail } from "../store/store.ts";
import { findMessage } from "./channel_scope.ts";
import { gatedDetail } from "./field_gates.ts";
import { operation, stamp } from "./operation.ts";
import type { Summarized } from "./summaries.ts";

export const viewMessage = operation({
  permission: "messages:view_raw",
  async run(
    engine,
    { id }: { readonly id: string },
    rowOf,
    actor,
  ): Promise<Summarized<MessageDetail>> {
    const message = await findMessage(engine, id, actor);
    // Nobody sees a body without a trace of it, so the trace is durable first.
    const audit = rowOf("message_view", { message_id: id });
    await engine.store.submit({
      kind: "note_event",
      id,
      event: "viewed",
      at: stamp(engine),
      audit,
    });
    return gatedDetail({ ...message, summary: summaryOf(message.raw) }, actor);
  },
  audit: ({ id }) => ({ action: "message_view", fields: { message_id: id }, isCommitted: true }),
});
