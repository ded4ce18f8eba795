/** Lists deliveries that were given up, newest failure first. */
import type { DeadLetterFilter, DeadLetterPage, Page } from "../store/store.ts";
import { scopeOf } from "./channel_scope.ts";
import { gatedDeadLetter } from "./field_gates.ts";
import { operation } from "./operation.ts";

export interface DeadLetterList {
  readonly filter: DeadLetterFilter;
  readonly page: Page;
}

export const listDeadLetters = operation({
  permission: "messages:read",
  async run(engine, { filter, page }: DeadLetterList, _rowOf, actor): Promise<DeadLetterPage> {
    const found = await engine.store.deadLetters({ ...filter, channels: scopeOf(actor) }, page);
    const deadLetters = found.deadLetters.map((dead) => gatedDeadLetter(dead, actor));
    const count = deadLetters.filter(({ summary, lastError }) =>
      summary !== null || lastError !== null
    ).length;
    engine.summaryAccess.add({ actor: actor.name, channel: filter.channel, count });
    return { ...found, deadLetters };
  },
});
