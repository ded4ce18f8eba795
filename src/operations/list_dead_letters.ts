/** Lists deliveries that were given up, newest failure first. */
import type { DeadLetterFilter, DeadLetterPage, Page } from "../store/store.ts";
import { operation } from "./operation.ts";

export interface DeadLetterList {
  readonly filter: DeadLetterFilter;
  readonly page: Page;
}

export const listDeadLetters = operation({
  permission: "messages:read",
  run: (engine, { filter, page }: DeadLetterList): Promise<DeadLetterPage> =>
    engine.store.deadLetters(filter, page),
  audit({ filter }, { deadLetters }) {
    const count = deadLetters.filter(({ summary, lastError }) =>
      summary !== null || lastError !== null
    ).length;
    if (count === 0) return undefined;
    return { action: "summary_access", fields: { channel_id: filter.channel, count } };
  },
});
