/** Lists messages, newest first, without their bodies. */
import type { MessageFilter, MessagePage, Page } from "../store/store.ts";
import { operation } from "./operation.ts";

export interface MessageList {
  readonly filter: MessageFilter;
  readonly page: Page;
}

export const listMessages = operation({
  permission: "messages:read",
  run: (engine, { filter, page }: MessageList): Promise<MessagePage> =>
    engine.store.messages(filter, page),
  audit({ filter }, { messages }) {
    const count = messages.filter(({ summary, error, metadata }) =>
      summary !== null || error !== null || metadata !== null
    ).length;
    if (count === 0) {
      return undefined;
    }
    return { action: "summary_access", fields: { channel_id: filter.channel, count } };
  },
});
