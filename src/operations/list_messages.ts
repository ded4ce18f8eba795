/** Lists messages, newest first, without their bodies. */
import type { MessageFilter, MessagePage, Page } from "../store/store.ts";
import { scopeOf } from "./channel_scope.ts";
import { gatedSummary } from "./field_gates.ts";
import { operation } from "./operation.ts";

export interface MessageList {
  readonly filter: MessageFilter;
  readonly page: Page;
}

export const listMessages = operation({
  permission: "messages:read",
  async run(engine, { filter, page }: MessageList, _rowOf, actor): Promise<MessagePage> {
    const found = await engine.store.messages({ ...filter, channels: scopeOf(actor) }, page);
    const messages = found.messages.map((message) => gatedSummary(message, actor));
    const count = messages.filter(({ summary, error, metadata }) =>
      summary !== null || error !== null || metadata !== null
    ).length;
    engine.summaryAccess.add({ actor: actor.name, channel: filter.channel, count });
    return { ...found, messages };
  },
});
