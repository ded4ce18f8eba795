/** Shows what partners answered to a message, where an outbound captures it. */
import type { StoredResponse } from "../store/store.ts";
import { findMessage } from "./channel_scope.ts";
import { gatedResponse } from "./field_gates.ts";
import { operation } from "./operation.ts";

export const viewResponses = operation({
  permission: "messages:read",
  async run(
    engine,
    { id }: { readonly id: string },
    _rowOf,
    actor,
  ): Promise<readonly StoredResponse[]> {
    await findMessage(engine, id, actor);
    const responses = await engine.store.responsesOf(id);
    return responses.map((response) => gatedResponse(response, actor));
  },
  audit: ({ id }, shown) => ({
    action: "response.read",
    fields: {
      message_id: id,
      count: shown.length,
      body: shown.some(({ body }) => body !== null),
    },
  }),
});
