/** Shows what partners answered to a message, where an outbound captures it. */
import { messageNotFound, operation } from "./operation.ts";

/** No transport captures its partners' answers yet, so there is none to show. */
export const viewResponses = operation({
  permission: "messages:read",
  async run(engine, { id }: { readonly id: string }): Promise<readonly never[]> {
    if (await engine.store.message(id) === undefined) throw messageNotFound();
    return [];
  },
  audit: ({ id }, { length }) => ({
    action: "response.read",
    fields: { message_id: id, count: length, body: false },
  }),
});
