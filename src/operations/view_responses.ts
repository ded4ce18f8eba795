/** Shows what partners answered to a message, where an outbound captures it. */
import { findMessage } from "./channel_scope.ts";
import { operation } from "./operation.ts";

/** No transport captures its partners' answers yet, so there is none to show. */
export const viewResponses = operation({
  permission: "messages:read",
  async run(
    engine,
    { id }: { readonly id: string },
    _rowOf,
    actor,
  ): Promise<readonly never[]> {
    await findMessage(engine, id, actor);
    return [];
  },
  audit: ({ id }, { length }) => ({
    action: "response.read",
    fields: { message_id: id, count: length, body: false },
  }),
});
