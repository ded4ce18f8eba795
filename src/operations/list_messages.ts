/** Lists messages, newest first, without their bodies. */
import type { MessageFilter, MessageSummary, Page } from "../store/store.ts";
import { scopeOf } from "./channel_scope.ts";
import { gatedSummary } from "./field_gates.ts";
import { operation } from "./operation.ts";
import { type Summarized, summarized } from "./summaries.ts";

export interface MessageList {
  readonly filter: MessageFilter;
  readonly page: Page;
}

export interface ListedMessages {
  readonly total: number;
  readonly messages: readonly Summarized<MessageSummary>[];
}

export const listMessages = operation({
  permission: "messages:read",
  async run(engine, { filter, page }: MessageList, _rowOf, actor): Promise<ListedMessages> {
    const found = await engine.store.messages({ ...filter, channels: scopeOf(actor) }, page);
    const listed = await summarized({ engine, actor }, found.messages, ({ seq }) => seq);
    const messages = listed.map((message) => gatedSummary(message, actor));
    const count = messages.filter(({ summary, error, metadata }) =>
      summary !== null || error !== null || metadata !== null
    ).length;
    engine.summaryAccess.add({ actor: actor.name, channel: filter.channel, count });
    return { ...found, messages };
  },
});
